"""The blocks that a range, or the lower triangle of a matrix, is worked through in."""


def spans(size: int, tile: int) -> list[tuple[int, int]]:
    """Return the first and one past the last index of each of the blocks that cover `size`."""
    return [(start, min(start + tile, size)) for start in range(0, size, tile)]


def packed_size(size: int, tile: int) -> int:
    """Return how many numbers the lower triangle of a `size` x `size` matrix takes in columns."""
    return sum((size - start) * (stop - start) for start, stop in spans(size, tile))
