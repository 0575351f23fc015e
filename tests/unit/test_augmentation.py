"""Augmentation: what is drawn, and what the draws do to images."""

import colorsys
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rethink import regularizers
from rethink.training import augmentation, data
from rethink.training.augmentation import augment, draws

PLAIN = {
    "random_crop": False,
    "flip": False,
    "rotation": 0.0,
    "random_resized_crop": 0.0,
    "color_distortion": False,
}
DISTORT = PLAIN | {"random_resized_crop": 0.05, "flip": True, "color_distortion": True}
SHARES = st.floats(-1, 1, width=32)
PARTS = st.floats(0, 1, width=32)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(what, count, margins=(0, 0), seed=0):
    streams = generator(seed)
    return draws(PLAIN | what, margins, count, lambda purpose, make: make(streams))


def noise(count=3, side=8, seed=0):
    shape = (count, side, side, 3)
    return torch.randint(256, shape, dtype=torch.uint8, generator=generator(seed))


def colors(count, **values):
    """The draws of the colours alone, zero where not given, over the central crop."""
    zero = torch.zeros(count)
    named = {name: zero + values.get(name, 0) for name in augmentation.COLORS}
    first = torch.full((count,), values.get("contrast_first", False))
    place = torch.zeros(count, dtype=torch.long)
    return {"top": place, "left": place, "contrast_first": first, **named}


def test_what_counts_as_augmentation_is_the_same_for_training_and_tables():
    assert data.AUGMENTATIONS == regularizers.AUGMENTATIONS
    names = [name for name in regularizers.BUILT_IN if regularizers.augments(name)]
    assert names == ["crop", "augment", "distort"]
    assert regularizers.augments("distort+weight_decay+dropout")


def test_nothing_is_drawn_where_nothing_is_set():
    assert drawn({}, 5) == {}


def test_each_kind_draws_what_it_needs():
    names = {"box_top", "box_left", "box_height", "box_width", "flip", "contrast_first"}
    assert set(drawn(DISTORT, 4)) == names | set(augmentation.COLORS)
    assert set(drawn({"flip": True}, 4)) == {"top", "left", "flip"}
    assert set(drawn({"random_crop": True, "rotation": 9.0}, 4)) == {"top", "left", "angle"}


def test_colors_alone_leave_the_central_crop():
    parts = drawn({"color_distortion": True}, 50, margins=(4, 7))
    assert (parts["top"] == 2).all() and (parts["left"] == 3).all()


@settings(max_examples=30, deadline=None)
@given(st.floats(0.02, 1), st.integers(0, 2**31))
def test_boxes_lie_inside_the_image_and_have_their_share_of_it(least, seed):
    parts = drawn({"random_resized_crop": least}, 200, seed=seed)
    height, width = parts["box_height"], parts["box_width"]
    rounding = 1e-5
    for start, size in (("box_top", height), ("box_left", width)):
        assert parts[start].min() >= 0
        assert (parts[start] + size).max() <= 1 + rounding
    assert (height * width).min() >= least - rounding
    low, high = augmentation.ASPECTS
    assert (width / height).min() >= low - rounding
    assert (width / height).max() <= high + rounding


def test_boxes_use_the_whole_range():
    parts = drawn({"random_resized_crop": 0.05}, 4000)
    area = parts["box_height"] * parts["box_width"]
    assert area.min() < 0.07 and area.max() > 0.97
    assert area.mean().item() == pytest.approx(0.525, abs=0.02)
    assert parts["box_left"].min() < 0.01 and parts["box_left"].max() > 0.5


def box(count, top, left, height, width, **more):
    values = {"box_top": top, "box_left": left, "box_height": height, "box_width": width}
    return {name: torch.full((count,), value) for name, value in values.items()} | more


def test_the_whole_image_as_a_box_is_the_image():
    images = noise()
    whole = augment(images, 8, box(3, 0.0, 0.0, 1.0, 1.0))
    torch.testing.assert_close(whole, images.float(), atol=1e-3, rtol=0)
    flip = torch.tensor([True, False, True])
    mirrored = augment(images, 8, box(3, 0.0, 0.0, 1.0, 1.0, flip=flip))
    expected = torch.where(flip[:, None, None, None], images.flip(2), images).float()
    torch.testing.assert_close(mirrored, expected, atol=1e-3, rtol=0)


def test_a_box_of_whole_pixels_is_those_pixels():
    images = noise()
    pixels = augment(images, 4, box(3, 2 / 8, 3 / 8, 4 / 8, 4 / 8))
    torch.testing.assert_close(pixels, images[:, 2:6, 3:7].float(), atol=1e-3, rtol=0)


@settings(max_examples=60, deadline=None)
@given(SHARES, SHARES, SHARES, SHARES, st.booleans(), st.integers(0, 99))
def test_distorted_colors_stay_in_range(brightness, saturation, hue, contrast, first, seed):
    values = {"brightness": brightness, "saturation": saturation, "hue": hue, "contrast": contrast}
    pixels = augment(noise(seed=seed), 8, colors(3, contrast_first=first, **values))
    assert pixels.isfinite().all()
    assert pixels.min() >= 0 and pixels.max() <= 255


@pytest.mark.parametrize("first", [False, True])
def test_colors_that_are_not_changed_are_the_image(first):
    images = noise()
    pixels = augment(images, 8, colors(3, contrast_first=first))
    torch.testing.assert_close(pixels, images.float(), atol=1e-2, rtol=0)


def test_brightness_is_added_and_contrast_moves_from_the_mean():
    images = torch.randint(90, 130, (2, 6, 6, 3), dtype=torch.uint8, generator=generator())
    lighter = augment(images, 6, colors(2, brightness=1.0))
    torch.testing.assert_close(lighter, images.float() + 32, atol=1e-2, rtol=0)
    stronger = augment(images, 6, colors(2, contrast=1.0))
    mean = images.float().mean((1, 2), keepdim=True)
    torch.testing.assert_close(stronger, mean + 1.5 * (images - mean), atol=1e-2, rtol=0)


@settings(max_examples=100, deadline=None)
@given(PARTS, PARTS, PARTS, st.floats(-0.2, 0.2), st.floats(0.5, 1.5))
def test_hue_and_saturation_are_those_of_the_textbook(red, green, blue, turn, factor):
    pixel = torch.tensor([[[[red, green, blue]]]], dtype=torch.float64)
    ours = augmentation._turn_colors(
        pixel, torch.tensor([turn], dtype=torch.float64), torch.tensor([factor])
    )
    hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    expected = colorsys.hsv_to_rgb((hue + turn) % 1, min(1, saturation * factor), value)
    assert ours.flatten().tolist() == pytest.approx(expected, abs=1e-5)


def test_greys_have_no_hue_to_turn():
    grey = torch.arange(0, 250, 10, dtype=torch.uint8).view(1, 5, 5, 1).expand(1, 5, 5, 3)
    pixels = augment(grey, 5, colors(1, hue=1.0, saturation=1.0))
    torch.testing.assert_close(pixels, grey.float(), atol=1e-2, rtol=0)


def test_the_greatest_turn_is_a_fifth_of_the_circle():
    red = torch.tensor([255, 0, 0], dtype=torch.uint8).expand(1, 4, 4, 3)
    pixels = augment(red, 4, colors(1, hue=1.0)) / 255
    hue = colorsys.rgb_to_hsv(*pixels[0, 0, 0].tolist())[0]
    assert hue == pytest.approx(augmentation.HUE, abs=1e-4)
    assert math.isclose(pixels.amax().item(), 1, abs_tol=1e-5)
