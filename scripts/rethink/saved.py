"""Tensors and plain values in a file that is whole or is known to be damaged."""

import hashlib
import io
import logging
from pathlib import Path
from typing import Any

import torch

from rethink.files import write_bytes

log = logging.getLogger(__name__)


def save(path: Path, value: Any) -> None:
    """Write tensors and plain values, in lists and dictionaries, atomically; raises OSError."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    content = buffer.getvalue()
    write_bytes(path, _digest(content) + b"\n" + content)


def load(path: Path, device: torch.device) -> Any:
    """Return what a file holds, on `device`, or None where there is none that can be read."""
    try:
        digest, _, content = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("%s cannot be read (%s): starting anew", path, error)
        return None
    if digest != _digest(content):
        log.warning("%s cannot be read (it is damaged): starting anew", path)
        return None
    return torch.load(io.BytesIO(content), map_location=device, weights_only=True)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
