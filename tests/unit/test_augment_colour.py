"""Changes of colour against torchvision's, image by image, and their draws."""

import itertools

import pytest
import torch
from augment_support import (
    apply,
    assert_equally_likely,
    assert_same_distribution,
    batch,
    largest_difference,
)
from torch import Generator, Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from cnn_core.augment import levels

KINDS = ("brightness", "contrast", "saturation", "hue")


def spread(low: float, high: float, count: int) -> Tensor:
    draws = torch.rand(count, generator=Generator().manual_seed(0), dtype=torch.float64)
    amounts = low + (high - low) * draws
    amounts[0], amounts[1] = low, high
    return amounts


@pytest.mark.parametrize(("height", "width"), [(32, 32), (9, 14), (2, 3), (1, 1)])
@pytest.mark.parametrize(
    ("name", "theirs", "low", "high"),
    [
        ("brightness", F.adjust_brightness, 0, 3),
        ("contrast", F.adjust_contrast, 0, 3),
        ("saturation", F.adjust_saturation, 0, 3),
        ("hue", F.adjust_hue, -0.5, 0.5),
        ("sharpness", F.adjust_sharpness, 0, 3),
        ("solarize", F.solarize, 0, 255),
        ("posterize", lambda image, bits: F.posterize(image, int(bits)), 0, 8),
    ],
)
def test_changes_equal_torchvisions(name, theirs, low, high, height, width):
    images_NCHW = batch(60, height, width)
    amounts = spread(low, high, 60)
    if name == "posterize":
        amounts = amounts.round()
    ours = getattr(levels, name)(images_NCHW.float(), amounts)
    assert torch.equal(ours, ours.trunc())
    expected = [theirs(image, by.item()) for image, by in zip(images_NCHW, amounts, strict=True)]
    allowed = 1 if name == "hue" else 0
    assert largest_difference(ours.to(torch.uint8), expected) <= allowed


@pytest.mark.parametrize("name", KINDS)
def test_the_amount_that_changes_nothing(name):
    images_NCHW = batch(60)
    amounts = torch.full((60,), 0.0 if name == "hue" else 1.0, dtype=torch.float64)
    ours = getattr(levels, name)(images_NCHW.float(), amounts)
    assert torch.equal(ours.to(torch.uint8), images_NCHW)


def test_jitter_is_its_changes_in_the_drawn_order(monkeypatch):
    """What was applied to each image is recorded and done again by torchvision."""
    images_NCHW = batch(40, 16, 16)
    done: dict[bytes, list] = {}
    for name in KINDS:
        change = getattr(levels, name)

        def record(levels_NCHW, amounts, name=name, change=change):
            result = change(levels_NCHW, amounts)
            for before, after, by in zip(levels_NCHW, result, amounts, strict=True):
                steps = done.pop(before.numpy().tobytes(), [])
                done[after.numpy().tobytes()] = [*steps, (name, by.item())]
            return result

        monkeypatch.setattr(levels, name, record)
    jittered = apply(images_NCHW, {"name": "color_jitter", "brightness": 0.2})
    orders = set()
    for image, result in zip(images_NCHW, jittered, strict=True):
        steps = done[result.float().numpy().tobytes()]
        orders.add(tuple(name for name, _ in steps))
        for name, by in steps:
            image = getattr(F, f"adjust_{name}")(image, by)
        # A level of the hue, as large as contrast and saturation make it.
        assert largest_difference([result], [image]) <= 3
    assert len(orders) > 12


def test_all_orders_of_jitter_are_equally_likely(monkeypatch):
    """Each change appends a digit, so that the black image becomes the order."""
    for digit, name in enumerate(KINDS):
        monkeypatch.setattr(levels, name, lambda some, _, digit=digit: 4 * some + digit)
    black = torch.zeros(12_000, 3, 1, 1, dtype=torch.uint8)
    codes = apply(black, {"name": "color_jitter"})[:, 0, 0, 0]
    orders = itertools.permutations(range(4))
    expected = [sum(digit * 4 ** (3 - at) for at, digit in enumerate(order)) for order in orders]
    counts = torch.bincount(codes.int(), minlength=256)[expected]
    assert counts.sum() == 12_000
    assert_equally_likely(counts)


@pytest.mark.parametrize(
    "options",
    [
        {"brightness": 0.4, "contrast": 0.3, "saturation": 0.2, "hue": 0.1},
        {"brightness": 1.5, "contrast": 1.0, "saturation": 2.0, "hue": 0.5},
    ],
)
def test_amounts_of_jitter_are_distributed_like_torchvisions(monkeypatch, options):
    drawn: dict[str, list[Tensor]] = {name: [] for name in KINDS}
    for name in KINDS:

        def keep(levels_NCHW, amounts, name=name):
            drawn[name].append(amounts)
            return levels_NCHW

        monkeypatch.setattr(levels, name, keep)
    apply(torch.zeros(10_000, 3, 1, 1, dtype=torch.uint8), {"name": "color_jitter", **options})
    torch.manual_seed(0)
    reference = v2.ColorJitter(**options)
    theirs = [reference.make_params([]) for _ in range(3_000)]
    for name in KINDS:
        amounts = torch.cat(drawn[name])
        assert len(amounts) == 10_000
        assert_same_distribution(amounts, torch.tensor([p[f"{name}_factor"] for p in theirs]))


def test_changes_of_width_0_are_left_out():
    images_NCHW = batch()
    off = dict.fromkeys(KINDS, 0.0)
    assert torch.equal(apply(images_NCHW, {"name": "color_jitter", **off}), images_NCHW)
    only = apply(images_NCHW, {"name": "color_jitter", **off, "brightness": 0.5})
    ratio = only.double().mean((1, 2, 3)) / images_NCHW.double().mean((1, 2, 3))
    assert ratio.std() > 0.1


@pytest.mark.parametrize(("name", "p"), [("color_jitter", 0.7), ("grayscale", 0.1)])
def test_as_many_images_change_as_are_to(name, p):
    colourful = torch.tensor([200, 100, 30], dtype=torch.uint8).view(1, 3, 1, 1)
    images_NCHW = colourful.expand(10_000, -1, 2, 2)
    changed = (apply(images_NCHW, {"name": name, "p": p}) != images_NCHW).any((1, 2, 3))
    # One jitter in hundreds leaves these levels as they are.
    few = 0.005 if name == "color_jitter" else 0
    assert changed.double().mean().item() == pytest.approx(p, abs=4 * (0.25 / 10_000) ** 0.5 + few)


def test_grayscale_equals_torchvision():
    images_NCHW = batch(40)
    theirs = F.rgb_to_grayscale(images_NCHW, num_output_channels=3)
    assert torch.equal(apply(images_NCHW, {"name": "grayscale", "p": 1}), theirs)
