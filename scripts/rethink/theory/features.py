"""What the kernels of Section 5 see of an image: pixels, Gabor moduli, random convolutions.

The paper gives no details of its Gabor and convolutional features. The Gabor bank is ours. The
random convolutions follow two published programs of which one prints the paper's 17 % and 15 %:

``gaussian`` (github.com/Vaishaal/cifar-fun): whitened images, their random patches as filters, a
Gaussian kernel on the features, whose inner products are divided by the number of filters.
``linear`` (github.com/modestyachts/nondeep): normalised and whitened patches as filters, the
linear kernel with l2 regularization.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional

from rethink import seeds
from rethink.errors import RethinkError
from rethink.theory.blocks import spans
from rethink.theory.kernel_memory import FEATURE_BYTES
from rethink.theory.kernel_spec import FILTERS

SMALLEST_NORM = 1e-8
SMALLEST_VARIANCE = 1e-4  # of a patch that becomes a filter
WHITENING_PATCHES = 100_000
CACHE_BYTES = {"cpu": 4 * 2**20, "cuda": 512 * 2**20}  # activations held at once
CONVOLUTION_BATCH = 64


def pixels(images: np.ndarray, standardize: bool = False) -> torch.Tensor:
    """Return images (N, H, W, C) uint8 as rows (N, H W C) float32 in 0..1.

    `standardize` brings every image to mean 0 and standard deviation 1, as in the paper's
    training of networks (not below 1/sqrt(H W C), as TensorFlow has it).
    """
    rows = torch.from_numpy(np.array(images)).flatten(1).float().div_(255)
    if standardize:
        rows.sub_(rows.mean(1, keepdim=True))
        rows.div_(rows.std(1, correction=0, keepdim=True).clamp_(min=rows.shape[1] ** -0.5))
    return rows


def gabor_bank(scales: int, orientations: int, size: int, wavelength: float) -> torch.Tensor:
    """Return complex wavelets as real and imaginary parts (2 scales orientations, size, size).

    The wavelengths are `wavelength` times the powers of sqrt(2), the Gaussian window's standard
    deviation 0.56 of it (one octave of bandwidth). Each wavelet has mean 0 and l2 norm 1.
    """
    axis = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    vertical, horizontal = torch.meshgrid(axis, axis, indexing="ij")
    wavelets = []
    for scale in range(scales):
        length = wavelength * 2 ** (scale / 2)
        window = torch.exp(-(vertical**2 + horizontal**2) / (2 * (0.56 * length) ** 2))
        for turn in range(orientations):
            angle = math.pi * turn / orientations
            along = horizontal * math.cos(angle) + vertical * math.sin(angle)
            wave = torch.exp(2j * math.pi * along / length)
            wave = window * (wave - (window * wave).sum() / window.sum())
            wavelets.append(wave / torch.linalg.vector_norm(wave))
    bank = torch.stack(wavelets)
    return torch.cat([bank.real, bank.imag]).float()


def gabor(
    images: np.ndarray,
    device: torch.device,
    scales: int = 3,
    orientations: int = 8,
    size: int = 13,
    wavelength: float = 4.0,
    pool: int = 6,
    stride: int = 4,
) -> torch.Tensor:
    """Return the pooled moduli of a Gabor transform, float32 (N, features), channel by channel.

    The transform keeps the image's size, borders padded with 0; the moduli are averaged over
    squares of `pool` pixels every `stride` pixels. 28x28 pixels with the defaults: 24 x 7 x 7.
    """
    if size % 2 == 0 or min(images.shape[1:3]) < pool:
        raise RethinkError(
            f"gabor: size must be odd and pool at most the image's side, not {size} and {pool}"
        )
    bank = gabor_bank(scales, orientations, size, wavelength)[:, None].to(device)
    rows = []
    for start, stop in spans(len(images), CONVOLUTION_BATCH):
        batch = _channels_first(images[start:stop], device).div_(255)
        waves = functional.conv2d(batch.flatten(0, 1)[:, None], bank, padding=size // 2)
        real, imaginary = waves.chunk(2, dim=1)
        moduli = torch.hypot(real, imaginary)
        pooled = functional.avg_pool2d(moduli, pool, stride, padding=1)
        rows.append(pooled.reshape(stop - start, -1))
    return torch.cat(rows)


@dataclass(frozen=True)
class Recipe:
    """How random convolutional features are made; `RECIPES` holds the published ones.

    filters : number of filters; each gives two maps, relu(z - bias) and relu(-z - bias)
    patch, pool, stride : sides in pixels; a pooling window beyond the map's end is cut off
    norm : of every image after its mean was subtracted; None leaves the pixels in 0..1
    image_zca : added to the eigenvalues when whole images are whitened; None does not whiten
    center : subtract the mean image before whitening
    patch_zca : normalise patches and whiten them, with this bias, as filters; None: as they are
    scale : inner products are divided by the number of filters
    """

    filters: int = FILTERS
    patch: int = 6
    pool: int = 15
    stride: int = 6
    bias: float = 1.0
    norm: float | None = 55.0
    image_zca: float | None = 0.1
    center: bool = True
    patch_zca: float | None = None
    scale: bool = True


RECIPES = {
    "gaussian": Recipe(),
    "linear": Recipe(norm=1.0, image_zca=1e-4, center=False, patch_zca=1e-3, scale=False),
}


class RandomConvolutions:
    """Random convolutional features of training and test images, a chunk of filters at a time.

    train, test : uint8 (N, H, W, C). Means, whitening and filters come from `train` alone.
    key : parts of the seed of the filters
    """

    def __init__(
        self,
        train: np.ndarray,
        test: np.ndarray,
        recipe: Recipe,
        key: tuple[object, ...],
        device: torch.device,
    ):
        self.recipe, self.device = recipe, device
        self.images = preprocess(train, test, recipe, device)
        self.size = len(self.images)
        side = min(self.images.shape[2:]) - recipe.patch + 1
        if side < recipe.pool:
            raise RethinkError(
                f"random_conv: a {recipe.patch}x{recipe.patch} patch leaves maps of side {side}, "
                f"smaller than the pooling window of {recipe.pool}; choose a smaller pool or patch"
            )
        generator = seeds.generator(*key, "filters")
        self.filters = _filters(self.images[: len(train)], recipe, generator)
        self.pooling = _pooling(self.images.shape[2:], recipe).to(device)

    @property
    def dimension(self) -> int:
        """The number of features."""
        return 2 * self.recipe.filters * self.pooling.shape[1]

    def chunks(self) -> Iterator[torch.Tensor]:
        """Yield features (N, some) float32 that together are all of them."""
        cells = self.pooling.shape[1]
        most = max(1, FEATURE_BYTES // (self.size * 2 * cells * 4))
        # even chunks; beyond some hundred filters nothing gets faster
        count = math.ceil(
            self.recipe.filters / min(most, 128 if self.device.type == "cpu" else 1024)
        )
        for filters in self.filters.chunk(count):
            yield self._features(filters)

    def _features(self, filters: torch.Tensor) -> torch.Tensor:
        places, cells = self.pooling.shape
        batch = max(1, CACHE_BYTES[self.device.type] // (len(filters) * places * 4))
        out = torch.empty(self.size, 2, len(filters), cells, device=self.device)

        def convolve(span: tuple[int, int]) -> None:
            rows = slice(*span)
            maps = functional.conv2d(self.images[rows], filters).flatten(2)
            # a product with the pooling matrix is faster than avg_pool2d
            out[rows, 0] = (maps - self.recipe.bias).relu_() @ self.pooling
            out[rows, 1] = (-maps).sub_(self.recipe.bias).relu_() @ self.pooling

        _each(convolve, spans(self.size, batch), self.device)
        if self.recipe.scale:
            out.div_(math.sqrt(self.recipe.filters))
        return out.flatten(1)


def _each(
    work: Callable[[tuple[int, int]], None], parts: list[tuple[int, int]], device: torch.device
) -> None:
    """Do small pieces of work, on the processor side by side with one thread for each.

    Threads that share one small piece wait for each other, on a busy machine most of the time.
    """
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    if threads == 1:
        for part in parts:
            work(part)
        return
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            deque(pool.map(work, parts), maxlen=0)
    finally:
        torch.set_num_threads(threads)


def recipe_of(arguments: dict[str, object]) -> Recipe:
    """Return the recipe that ``{"recipe": name, field: value, ...}`` describes."""
    values = dict(arguments)
    name = values.pop("recipe", "gaussian")
    if name not in RECIPES:
        raise RethinkError(f"random_conv: unknown recipe '{name}'; known are {', '.join(RECIPES)}")
    try:
        return replace(RECIPES[name], **values)
    except TypeError as error:
        raise RethinkError(f"random_conv: {error}") from None


def preprocess(
    train: np.ndarray, test: np.ndarray, recipe: Recipe, device: torch.device
) -> torch.Tensor:
    """Return all images as the filters see them, float32 (N, C, H, W), training images first."""
    images = torch.cat([_channels_first(part, device) for part in (train, test)])
    if recipe.norm is None:
        images.div_(255)
    else:
        rows = images.flatten(1)
        rows.sub_(rows.mean(1, keepdim=True))
        norms = torch.linalg.vector_norm(rows, dim=1, keepdim=True).div_(recipe.norm)
        rows.div_(torch.where(norms < SMALLEST_NORM, 1.0, norms))
    if recipe.image_zca is not None:
        rows = images.flatten(1)
        if recipe.center:
            rows.sub_(rows[: len(train)].mean(0))
        whitening = zca(rows[: len(train)], recipe.image_zca)
        for start, stop in spans(len(rows), 4096):
            rows[start:stop] = rows[start:stop] @ whitening
    return images


def zca(rows: torch.Tensor, bias: float) -> torch.Tensor:
    """Return (S + bias I)^(-1/2) as float32, S being the second moments of `rows` (N, d)."""
    moments = torch.zeros(rows.shape[1], rows.shape[1], dtype=torch.float64, device=rows.device)
    for start, stop in spans(len(rows), 4096):
        part = rows[start:stop].double()
        moments.addmm_(part.T, part)
    values, vectors = torch.linalg.eigh(moments / len(rows))
    return ((vectors * (values + bias).rsqrt()) @ vectors.T).float()


def _channels_first(images: np.ndarray, device: torch.device) -> torch.Tensor:
    batch = torch.from_numpy(np.array(images)).to(device)
    return batch.permute(0, 3, 1, 2).contiguous().float()


def _filters(images: torch.Tensor, recipe: Recipe, generator: np.random.Generator) -> torch.Tensor:
    """Draw the filters (filters, C, patch, patch) among the patches of the training images."""
    if recipe.patch_zca is None:
        return _draw(images, recipe.filters, recipe.patch, generator, SMALLEST_VARIANCE)
    count = max(WHITENING_PATCHES, recipe.filters)
    patches = _draw(images, count, recipe.patch, generator)
    rows = patches.flatten(1)
    rows = rows - rows.mean(1, keepdim=True)
    norms = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    rows = rows / torch.where(norms < SMALLEST_NORM, 1.0, norms)
    whitening = zca(rows, recipe.patch_zca)
    chosen = rows[: recipe.filters] @ whitening @ whitening
    return chosen.unflatten(1, patches.shape[1:])


def _draw(
    images: torch.Tensor,
    count: int,
    side: int,
    generator: np.random.Generator,
    variance: float = -1.0,
) -> torch.Tensor:
    """Return `count` patches at random places of random images, of more than that `variance`."""
    windows = images.unfold(2, side, 1).unfold(3, side, 1)  # (N, C, y, x, side, side), no copy
    drawn: list[torch.Tensor] = []
    found = 0
    for _ in range(100):
        places = [
            torch.from_numpy(generator.integers(windows.shape[axis], size=count)).to(images.device)
            for axis in (0, 2, 3)
        ]
        patches = windows[places[0], :, places[1], places[2]]
        drawn.append(patches[patches.flatten(1).var(1, correction=0) > variance])
        found += len(drawn[-1])
        if found >= count:
            return torch.cat(drawn)[:count].contiguous()
    raise RethinkError(f"random_conv: hardly any patch of {side}x{side} pixels has a structure")


def _pooling(shape: torch.Size, recipe: Recipe) -> torch.Tensor:
    """Return the matrix (places of a map, pooled cells) that averages over the windows."""
    height, width = (side - recipe.patch + 1 for side in shape)
    places = torch.eye(height * width).reshape(-1, 1, height, width)
    return functional.avg_pool2d(places, recipe.pool, recipe.stride, ceil_mode=True).flatten(1)
