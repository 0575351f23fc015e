"""The arithmetic of a training process: precision, determinism, threads, memory.

Three modes, named in every result and never mixed in one table: ``fp32`` (no TF32 anywhere),
``tf32`` (TF32 products and convolutions on devices that have them) and ``bf16`` (autocast to
bfloat16, parameters and their updates in fp32).
"""

import contextlib
import ctypes

import torch

from rethink.errors import RethinkError, suggest

MODES = ("fp32", "tf32", "bf16")

# Parameters of glibc's mallopt.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def configure(mode: str, threads: int) -> None:
    """Set up this process for a numerics mode; raises RethinkError for an unknown one.

    Denormals are flushed to zero in every mode: some processors handle them a hundred times slower.
    """
    if mode not in MODES:
        raise RethinkError(f"unknown numerics '{mode}'{suggest(mode, MODES)}")
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    precision = "tf32" if mode == "tf32" else "ieee"
    torch.backends.cuda.matmul.fp32_precision = precision
    torch.backends.cudnn.conv.fp32_precision = precision
    torch.backends.cudnn.benchmark = False
    # An operation without a deterministic form warns in the log: better a result than none. Not by
    # use_deterministic_algorithms, which imports 900 modules first.
    torch.set_deterministic_debug_mode("warn")
    torch.utils.deterministic.fill_uninitialized_memory = False
    _keep_freed_memory()


def autocast(mode: str, device: torch.device) -> contextlib.AbstractContextManager:
    """Return the context in which networks are evaluated."""
    if mode == "bf16":
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()


def _keep_freed_memory() -> None:
    """Let malloc reuse large blocks instead of returning each to the system.

    Activations are freed and allocated again in every step; faulting their pages in anew costs the
    convolutional networks a quarter to a half of their speed on a CPU.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 2**30)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
