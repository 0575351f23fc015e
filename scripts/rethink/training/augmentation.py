"""Augmentation: what is drawn for every example, and tensor operations that act on a batch.

Draws are tensors over examples. ``top`` and ``left`` place a window, in pixels; ``box_top``,
``box_left``, ``box_height`` and ``box_width`` a box that is scaled to the window's size, as
fractions of the image; ``flip`` mirrors; ``angle`` turns, in radians; ``brightness``,
``saturation``, ``hue``, ``contrast`` and ``contrast_first`` change the colours.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Draws = dict[str, Tensor]
# (purpose, what makes the values of all examples from a generator) -> the values.
Draw = Callable[[str, Callable[[torch.Generator], Tensor]], Tensor]

# Of the TensorFlow Inception package, whose pipeline the paper used on ImageNet.
ASPECTS = (3 / 4, 4 / 3)
BRIGHTNESS, SATURATION, HUE, CONTRAST = 32 / 255, 0.5, 0.2, 0.5
COLORS = ("brightness", "saturation", "hue", "contrast")


def draws(settings: dict[str, Any], margins: tuple[int, int], count: int, draw: Draw) -> Draws:
    """Return the draws for `count` examples; nothing where no augmentation is set.

    margins : what the images are higher and wider than the window, in pixels.
    """
    drawn: Draws = {}
    moved = settings["random_crop"] or settings["flip"] or settings["rotation"]
    if settings["random_resized_crop"]:
        drawn |= _boxes(settings["random_resized_crop"], count, draw)
    elif moved or settings["color_distortion"]:
        for name, margin in zip(("top", "left"), margins, strict=True):
            drawn[name] = (
                draw(name, lambda g, m=margin: torch.randint(m + 1, (count,), generator=g))
                if settings["random_crop"]
                else draw(name, lambda g, m=margin: torch.full((count,), m // 2))
            )
    if settings["flip"]:
        drawn["flip"] = draw("flip", lambda g: torch.randint(2, (count,), generator=g).bool())
    if settings["rotation"]:
        limit = math.radians(settings["rotation"])
        drawn["angle"] = draw(
            "rotation", lambda g: torch.empty(count).uniform_(-limit, limit, generator=g)
        )
    if settings["color_distortion"]:
        for name in COLORS:
            drawn[name] = draw(name, lambda g: torch.empty(count).uniform_(-1, 1, generator=g))
        drawn["contrast_first"] = draw(
            "contrast_first", lambda g: torch.randint(2, (count,), generator=g).bool()
        )
    return drawn


def _boxes(least: float, count: int, draw: Draw) -> Draws:
    """Draw boxes of at least that share of the image's area, with a shape between 3:4 and 4:3.

    The area is uniform, the logarithm of the shape too, within what fits into the image.
    """

    def uniform(purpose: str, low: float = 0.0) -> Tensor:
        return draw(purpose, lambda g: torch.empty(count).uniform_(low, 1, generator=g))

    area = uniform("area", least)
    low = area.log().clamp_(min=math.log(ASPECTS[0]))
    high = area.log().neg_().clamp_(max=math.log(ASPECTS[1]))
    aspect = (low + (high - low) * uniform("aspect")).exp_()
    height, width = (area / aspect).sqrt_().clamp_(max=1), (area * aspect).sqrt_().clamp_(max=1)
    return {
        "box_top": uniform("box_top") * (1 - height),
        "box_left": uniform("box_left") * (1 - width),
        "box_height": height,
        "box_width": width,
    }


def augment(images: Tensor, crop: int, drawn: Draws) -> Tensor:
    """Return windows (n, crop, crop, C), 0..255, of `images`.

    images : (n, H, W, C) uint8; `drawn` has tensors (n,) on the same device.
    """
    where = {name: values for name, values in drawn.items() if name not in COLORS}
    first = where.pop("contrast_first", None)
    if "box_top" in where:
        pixels = _scaled(images, crop, **where)
    elif "angle" in where:
        pixels = _rotated(images, crop, **where)
    else:
        pixels = _windows(images, crop, **where)
    if first is None:
        return pixels
    return _distort(pixels, first, **{name: drawn[name] for name in COLORS})


def _windows(
    images: Tensor, crop: int, top: Tensor, left: Tensor, flip: Tensor | None = None
) -> Tensor:
    """Gather windows from a view of all of them, which reads each of their pixels once."""
    rows = torch.arange(len(images), device=images.device)
    windows = images.unfold(1, crop, 1).unfold(2, crop, 1)
    pixels = windows.permute(0, 1, 2, 4, 5, 3)[rows, top, left]
    if flip is None:
        return pixels
    return torch.where(flip[:, None, None, None], pixels.flip(2), pixels)


def _rotated(
    images: Tensor,
    crop: int,
    top: Tensor,
    left: Tensor,
    angle: Tensor,
    flip: Tensor | None = None,
) -> Tensor:
    """Sample windows turned about the image's centre; what lies outside of the image is black."""
    height, width = images.shape[1:3]
    steps = torch.arange(crop, device=images.device)
    y = (top[:, None] + steps - (height - 1) / 2)[:, :, None]
    x = (left[:, None] + steps - (width - 1) / 2)[:, None, :]
    if flip is not None:
        x = torch.where(flip[:, None, None], -x, x)
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    grid = torch.stack(
        ((cosine * x - sine * y) * (2 / width), (sine * x + cosine * y) * (2 / height)), dim=-1
    )
    return _sample(images, grid, "zeros")


def _scaled(
    images: Tensor,
    crop: int,
    box_top: Tensor,
    box_left: Tensor,
    box_height: Tensor,
    box_width: Tensor,
    flip: Tensor | None = None,
) -> Tensor:
    """Sample boxes at crop x crop points, bilinearly."""
    centres = (torch.arange(crop, device=images.device) + 0.5) / crop
    y = 2 * (box_top[:, None] + box_height[:, None] * centres) - 1
    x = 2 * (box_left[:, None] + box_width[:, None] * centres) - 1
    if flip is not None:
        x = torch.where(flip[:, None], x.flip(1), x)
    shape = (len(images), crop, crop)
    grid = torch.stack((x[:, None, :].expand(shape), y[:, :, None].expand(shape)), dim=-1)
    return _sample(images, grid, "border")


def _sample(images: Tensor, grid: Tensor, outside: str) -> Tensor:
    maps = images.permute(0, 3, 1, 2).float()
    sampled = F.grid_sample(maps, grid, padding_mode=outside, align_corners=False)
    return sampled.permute(0, 2, 3, 1)


def _distort(
    pixels: Tensor,
    contrast_first: Tensor,
    brightness: Tensor,
    saturation: Tensor,
    hue: Tensor,
    contrast: Tensor,
) -> Tensor:
    """Change brightness, contrast, saturation and hue of images (n, H, W, 3), 0..255.

    The contrast comes before or after the saturation; values are cut to the range of colours. The
    draws, from -1 to 1, count as multiples of the greatest change.
    """
    values = pixels / 255 + _per_image(BRIGHTNESS * brightness)
    factor = 1 + CONTRAST * contrast
    values = _contrast(values, torch.where(contrast_first, factor, 1)).clamp_(0, 1)
    values = _turn_colors(values, HUE * hue, 1 + SATURATION * saturation)
    values = _contrast(values, torch.where(contrast_first, 1, factor))
    return values.clamp_(0, 1).mul_(255)


def _per_image(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def _contrast(values: Tensor, factor: Tensor) -> Tensor:
    """Move values away from their channel's mean by a factor per image."""
    mean = values.mean((1, 2), keepdim=True)
    return (values - mean) * _per_image(factor) + mean


def _turn_colors(values: Tensor, turn: Tensor, factor: Tensor) -> Tensor:
    """Turn the hue by a part of the circle and scale the saturation, of colours from 0 to 1.

    By way of hue, saturation and value; see any textbook on colour for the formulas.
    """
    red, green, blue = values.unbind(-1)
    value = values.amax(-1)
    chroma = value - values.amin(-1)
    divisor = torch.where(chroma > 0, chroma, 1)
    sixths = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, (blue - red) / divisor + 2, (red - green) / divisor + 4),
    )
    sixths = sixths + 6 * turn[:, None, None]
    saturation = chroma / torch.where(value > 0, value, 1) * factor[:, None, None]
    reach = value * saturation.clamp_(max=1)
    offsets = torch.tensor([5.0, 3.0, 1.0], device=values.device)
    k = (offsets + sixths[..., None]).remainder(6)
    return value[..., None] - reach[..., None] * torch.minimum(k, 4 - k).clamp_(0, 1)
