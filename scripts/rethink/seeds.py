"""Random numbers by name: every draw has its own stream, whatever was drawn before it."""

import hashlib

import numpy as np


def stream_seed(*parts: object) -> int:
    """Return a 63-bit seed that depends on all of `parts` (their text) and their order."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(*parts: object) -> np.random.Generator:
    """Return a NumPy generator (PCG64) for the stream named by `parts`.

    The same parts give the same numbers on every machine, e.g.
    ``generator(seed, "cifar10", "labels", "train")``.
    """
    return np.random.Generator(np.random.PCG64(stream_seed(*parts)))
