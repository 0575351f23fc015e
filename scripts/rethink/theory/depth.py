"""The corollary of Theorem 1: depth k, width O(n/k), O(n + d) weights.

The first hidden layer holds the projection, one unit. Each further one handles a block of
neighbouring points: it opens with the slope of Theorem 1's function at the block's first knot,
holds the block's knots, and closes with a unit that levels the function off at the next block's
first knot, where that block takes it up. So the running output stays as bounded as the function
itself. Two more units per layer hand on the projection and the running output; ReLU passes them
because offsets keep both positive. The blocks together compute the function of Theorem 1, no
weight is shared, and all but O(1) weights of a unit are zero.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from rethink.errors import RethinkError
from rethink.theory.theorem1 import Network, chunks, offset

ACTIVATIONS = 2**18  # held at once: the points that pass through the layers together


@dataclass(frozen=True)
class Layer:
    """An affine map: `matrix` (outputs, inputs), sparse, and `bias` (outputs,)."""

    matrix: sparse.csr_array
    bias: np.ndarray


@dataclass(frozen=True)
class DeepNetwork:
    """A ReLU network: every layer but the last is followed by max(., 0)."""

    layers: tuple[Layer, ...]

    @property
    def depth(self) -> int:
        """The number of layers with weights, the output's among them."""
        return len(self.layers)

    @property
    def widths(self) -> list[int]:
        """The number of units in each hidden layer."""
        return [len(layer.bias) for layer in self.layers[:-1]]

    @property
    def parameters(self) -> int:
        """The number of weights and biases that are not zero."""
        return sum(
            int(layer.matrix.nnz) + int(np.count_nonzero(layer.bias)) for layer in self.layers
        )

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the output for each of the `points` (n, ...), (n,) float64, layer by layer."""
        values = np.empty(len(points))
        together = max(1, ACTIVATIONS // max(self.widths))
        for rows in chunks(len(points), together):
            block = np.asarray(points[rows], np.float64)
            hidden = block.reshape(len(block), -1).T
            for layer in self.layers[:-1]:
                hidden = layer.matrix @ hidden + layer.bias[:, None]
                np.maximum(hidden, 0, out=hidden)
            last = self.layers[-1]
            values[rows] = (last.matrix @ hidden + last.bias[:, None])[0]
        return values


def deepen(network: Network, z: np.ndarray, depth: int) -> DeepNetwork:
    """Return a network of `depth` >= 3 layers that equals `network` on the points with projections z.

    Its widest layer has ceil(n / (depth - 2)) + 3 units. Raises RethinkError for a depth below 3
    (depth 2 is Theorem 1 itself) or one that leaves blocks without points.
    """
    count = len(network.knots)
    if not 3 <= depth <= count + 2:
        raise RethinkError(f"depth {depth} should lie between 3 and the number of points plus 2")
    blocks = np.array_split(np.arange(count), depth - 2)
    shift = offset(z)
    lift = 2.0 ** np.ceil(np.log2(1 + 2 * np.abs(network.levels).max()))
    first = Layer(sparse.csr_array(network.direction[None, :]), np.array([shift]))
    layers = [first]
    taken = np.array([[1.0]])  # what a layer makes of its inputs: the projection, ...
    handed = np.array([[0.0]])  # ... and the running output
    start = lift
    for block in blocks:
        knots, weights = _gadget(network, block)
        layers.append(_block_layer(taken, handed, knots + shift, start))
        # inputs of the next layer: projection, running output, then the block's units
        taken = np.concatenate([[1.0, 0.0], np.zeros(len(weights))])[None, :]
        handed = np.concatenate([[0.0, 1.0], weights])[None, :]
        start = 0.0
    layers.append(Layer(sparse.csr_array(handed), np.array([-lift])))
    return DeepNetwork(tuple(layers))


def _gadget(network: Network, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return knots and weights that rise from zero like c over the block and stay level after it."""
    knots, weights = network.knots[block], network.weights[block].copy()
    weights[0] = network.slopes[block[0]]
    following = block[-1] + 1
    if following < len(network.knots):
        knots = np.append(knots, network.knots[following])
        weights = np.append(weights, -network.slopes[block[-1]])
    return knots, weights


def _block_layer(taken: np.ndarray, handed: np.ndarray, knots: np.ndarray, start: float) -> Layer:
    """Return the layer of units (projection, running output, projection - knot for each knot)."""
    ones = sparse.csr_array(np.ones((len(knots), 1)))
    matrix = sparse.vstack(
        [sparse.csr_array(taken), sparse.csr_array(handed), ones @ sparse.csr_array(taken)]
    )
    matrix = sparse.csr_array(matrix)
    matrix.eliminate_zeros()
    return Layer(matrix, np.concatenate([[0.0, start], -knots]))
