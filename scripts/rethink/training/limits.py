"""How much training takes at once; without torch, which planning cannot load."""

# Images are kept whitened, in float32, on the device up to this size, and larger sets as they are.
WHITENED_BYTES = 4 * 2**30
# Images are evaluated in batches of at most so many, and of at most so many values.
EVALUATION_BATCH = 1000
EVALUATION_VALUES = 2**26
# Replicates of a perceptron that experiments train at once: a hundred, with their activations,
# would fill a GPU's memory.
TOGETHER = 25


def evaluation_batch(values: int) -> int:
    """Return how many images of so many values are evaluated at once."""
    return max(1, min(EVALUATION_BATCH, EVALUATION_VALUES // values))
