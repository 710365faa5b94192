"""Flips, crops and quarter turns against torchvision's, image by image, and their draws."""

import pytest
import torch
from augment_support import apply, assert_equally_likely, batch
from torch import Generator, Tensor
from torchvision.transforms import RandomCrop
from torchvision.transforms.v2 import functional as F


def offsets(count: int, padding: int, seed: int = 0) -> Tensor:
    """Return top and left of each image's window, found in the pixels of a crop."""
    side = 2 * padding + 2
    places = torch.arange(1, side * side + 1, dtype=torch.uint8).view(1, 1, side, side)
    images_NCHW = places.expand(count, 3, side, side)
    table = {"name": "random_crop", "padding": padding}
    cropped = apply(images_NCHW, table, seed=seed)[:, 0].int()
    # The middle pixel is never black: it tells where in the image it came from.
    seen = cropped[:, padding, padding] - 1
    return torch.stack([seen // side, seen % side])


@pytest.mark.parametrize(
    ("name", "flip"), [("horizontal_flip", F.hflip), ("vertical_flip", F.vflip)]
)
def test_flips_equal_torchvisions_for_the_same_draws(name, flip):
    images_NCHW = batch()
    flipped = apply(images_NCHW, {"name": name, "p": 0.3}, seed=4)
    chosen = torch.rand(len(images_NCHW), generator=Generator().manual_seed(4)) < 0.3
    assert 0 < chosen.sum() < len(chosen)
    for image, result, mirrored in zip(images_NCHW, flipped, chosen, strict=True):
        assert torch.equal(result, flip(image) if mirrored else image)


@pytest.mark.parametrize(("height", "width", "padding"), [(12, 12, 4), (9, 14, 2), (4, 4, 6)])
@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
def test_crop_equals_torchvision_for_the_same_draws(height, width, padding, mode):
    if mode == "reflect" and padding >= height:
        padding = height - 1  # the most that torchvision can reflect
    images_NCHW = batch(height=height, width=width)
    table = {"name": "random_crop", "padding": padding, "mode": mode}
    cropped = apply(images_NCHW, table, seed=4)
    draws = torch.randint(
        2 * padding + 1, (2, len(images_NCHW)), generator=Generator().manual_seed(4)
    )
    for image, result, top, left in zip(images_NCHW, cropped, *draws.tolist(), strict=True):
        around = F.pad(image, [padding], padding_mode=mode)
        assert torch.equal(result, F.crop(around, top, left, height, width))


def test_reflections_go_on_where_the_image_ends():
    row = torch.tensor([1, 2, 3], dtype=torch.uint8).expand(200, 3, 3, 3)
    cropped = apply(row, {"name": "random_crop", "padding": 7, "mode": "reflect"})
    seen = {tuple(image[0, 0].tolist()) for image in cropped}
    assert seen == {(1, 2, 3), (2, 3, 2), (3, 2, 1), (2, 1, 2)}


def test_crop_offsets_are_uniform_like_torchvisions():
    """Chi-square over the 81 windows of padding 4, ours and torchvision's."""
    count, cells = 81_000, 81
    top, left = offsets(count, 4)
    assert_equally_likely(torch.bincount(9 * top + left, minlength=cells))
    torch.manual_seed(0)
    image = torch.zeros(3, 18, 18)
    drawn = [RandomCrop.get_params(image, (10, 10))[:2] for _ in range(8_100)]
    theirs = torch.tensor([9 * i + j for i, j in drawn])
    assert_equally_likely(torch.bincount(theirs, minlength=cells))


def test_offsets_of_images_in_a_batch_are_independent():
    """Chi-square of independence between neighbours in a batch, and between the two axes."""
    top, left = offsets(20_001, 1, seed=3)
    for a, b in [(top[:-1], top[1:]), (left[:-1], left[1:]), (top, left)]:
        table = torch.bincount(3 * a + b, minlength=9).double().view(3, 3)
        expected = table.sum(1, keepdim=True) * table.sum(0, keepdim=True) / table.sum()
        # 4 degrees of freedom: 18.5 is exceeded with probability 0.001.
        assert ((table - expected) ** 2 / expected).sum() < 18.5


def test_flips_have_their_probability_and_are_independent():
    images_NCHW = torch.arange(2, dtype=torch.uint8).expand(20_001, 3, 1, 2)
    flipped = apply(images_NCHW, {"name": "horizontal_flip", "p": 0.25}, seed=1)[
        :, 0, 0, 0
    ].double()
    # Four standard deviations of a mean of 20,001 draws.
    assert flipped.mean().item() == pytest.approx(0.25, abs=4 * (0.1875 / 20_001) ** 0.5)
    pairs = torch.corrcoef(torch.stack([flipped[:-1], flipped[1:]]))[0, 1]
    assert pairs.abs().item() < 4 / 20_000**0.5


@pytest.mark.parametrize(("name", "dim"), [("horizontal_flip", 3), ("vertical_flip", 2)])
def test_certain_flips(name, dim):
    images_NCHW = batch()
    assert torch.equal(apply(images_NCHW, {"name": name, "p": 1}), images_NCHW.flip(dim))


def test_quarter_turns_go_either_way_equally_often():
    image = torch.arange(12, dtype=torch.uint8).view(3, 2, 2)
    turned = apply(image.expand(10_000, -1, -1, -1), {"name": "rotate_90", "p": 0.5}, seed=2)
    outcomes = [image, F.rotate(image, 90), F.rotate(image, -90)]
    is_outcome = torch.stack([(turned == outcome).all((1, 2, 3)) for outcome in outcomes])
    assert torch.equal(is_outcome.sum(0), torch.ones(10_000))
    stayed, left, right = is_outcome.sum(1)
    assert_equally_likely(torch.stack([stayed, left + right]))
    assert_equally_likely(torch.stack([left, right]))
