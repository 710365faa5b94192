"""Batched transforms against torchvision's, image by image, and the spread of their draws."""

import pytest
import torch
from torch import Generator, Tensor
from torchvision.transforms import RandomCrop
from torchvision.transforms.functional import crop, hflip, pad

from cnn_core.augment.catalog import POLICIES, TRANSFORMS, augment_mistakes, build_augmentation
from cnn_core.config import Augment
from cnn_core.errors import UserError


def batch(count: int = 64, height: int = 12, width: int = 12) -> Tensor:
    draws = Generator().manual_seed(7)
    images_NCHW = torch.randint(1, 256, (count, 3, height, width), generator=draws)
    return images_NCHW.to(torch.uint8).contiguous(memory_format=torch.channels_last)


def apply(images_NCHW: Tensor, *tables: dict, seed: int = 0) -> Tensor:
    augmentation = build_augmentation(Augment(transforms=list(tables)))
    return augmentation(images_NCHW, Generator().manual_seed(seed))


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


def test_flip_equals_torchvision_for_the_same_draws():
    images_NCHW = batch()
    flipped = apply(images_NCHW, {"name": "horizontal_flip", "p": 0.3}, seed=4)
    chosen = torch.rand(len(images_NCHW), generator=Generator().manual_seed(4)) < 0.3
    assert 0 < chosen.sum() < len(chosen)
    for image, result, mirrored in zip(images_NCHW, flipped, chosen, strict=True):
        assert torch.equal(result, hflip(image) if mirrored else image)


@pytest.mark.parametrize(("height", "width", "padding"), [(12, 12, 4), (9, 14, 2), (4, 4, 6)])
def test_crop_equals_torchvision_for_the_same_draws(height, width, padding):
    images_NCHW = batch(height=height, width=width)
    cropped = apply(images_NCHW, {"name": "random_crop", "padding": padding}, seed=4)
    draws = torch.randint(
        2 * padding + 1, (2, len(images_NCHW)), generator=Generator().manual_seed(4)
    )
    for image, result, top, left in zip(images_NCHW, cropped, *draws.tolist(), strict=True):
        assert torch.equal(result, crop(pad(image, [padding]), top, left, height, width))


def test_crop_offsets_are_uniform_like_torchvisions():
    """Chi-square over the 81 windows of padding 4, ours and torchvision's."""
    count, cells = 81_000, 81
    top, left = offsets(count, 4)
    ours = torch.bincount(9 * top + left, minlength=cells).double()
    torch.manual_seed(0)
    image = torch.zeros(3, 18, 18)
    drawn = [RandomCrop.get_params(image, (10, 10))[:2] for _ in range(8_100)]
    theirs = torch.bincount(torch.tensor([9 * i + j for i, j in drawn]), minlength=cells).double()
    for counts in (ours, theirs):
        expected = counts.sum() / cells
        # 80 degrees of freedom: 124.8 is exceeded with probability 0.001.
        assert ((counts - expected) ** 2 / expected).sum() < 124.8


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


def test_certain_and_impossible_flips():
    images_NCHW = batch()
    assert torch.equal(apply(images_NCHW, {"name": "horizontal_flip", "p": 0}), images_NCHW)
    assert torch.equal(apply(images_NCHW, {"name": "horizontal_flip", "p": 1}), images_NCHW.flip(3))


@pytest.mark.parametrize("name", TRANSFORMS.names())
def test_batches_keep_type_layout_and_content(name):
    images_NCHW = batch()
    before = images_NCHW.clone()
    result = apply(images_NCHW, {"name": name})
    assert torch.equal(images_NCHW, before)
    assert result.dtype == torch.uint8
    assert result.shape == images_NCHW.shape
    assert result.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("policy", ["flip", "crop", "flip-crop"])
def test_draws_come_from_the_generator_alone(policy):
    augmentation = build_augmentation(Augment(policy=policy))
    images_NCHW, before = batch(), torch.get_rng_state()
    generator = Generator().manual_seed(3)
    first, second = augmentation(images_NCHW, generator), augmentation(images_NCHW, generator)
    assert not torch.equal(first, second)
    assert torch.equal(augmentation(images_NCHW, Generator().manual_seed(3)), first)
    assert torch.equal(torch.get_rng_state(), before)


def test_policies_are_lists_of_transforms():
    images_NCHW = batch()
    for policy, tables in POLICIES.items():
        by_name = build_augmentation(Augment(policy=policy))(
            images_NCHW, Generator().manual_seed(0)
        )
        assert torch.equal(by_name, apply(images_NCHW, *tables))
    unchanged = build_augmentation(Augment())(images_NCHW, Generator())
    assert torch.equal(unchanged, images_NCHW)


def test_transforms_are_applied_in_order():
    images_NCHW = batch()
    both = apply(images_NCHW, {"name": "random_crop", "padding": 2}, {"name": "horizontal_flip"})
    generator = Generator().manual_seed(0)
    for table in ({"name": "random_crop", "padding": 2}, {"name": "horizontal_flip"}):
        step = build_augmentation(Augment(transforms=[table]))
        images_NCHW = step(images_NCHW, generator)
    assert torch.equal(both, images_NCHW)


@pytest.mark.parametrize(
    ("table", "mistakes"),
    [
        ({}, []),
        ({"policy": "flip-crop"}, []),
        ({"transforms": [{"name": "random_crop", "padding": 2}]}, []),
        (
            {"policy": "flip-corp"},
            [("policy", "unknown policy 'flip-corp'; did you mean 'flip-crop'?")],
        ),
        (
            {"transforms": [{"padding": 2}]},
            [
                (
                    "transforms[0].name",
                    "the name of a transform is needed; "
                    "expected one of: horizontal_flip, random_crop",
                )
            ],
        ),
        (
            {
                "transforms": [
                    {"name": "random_corp"},
                    {"name": "random_crop", "padding": "4", "pading": 4},
                    {"name": "horizontal_flip", "p": 1.5},
                ]
            },
            [
                (
                    "transforms[0].name",
                    "unknown transform 'random_corp'; did you mean 'random_crop'?",
                ),
                ("transforms[1].padding", "should be a valid integer, got '4'"),
                ("transforms[1].pading", "unknown option; did you mean 'padding'?"),
                ("transforms[2].p", "should be less than or equal to 1, got 1.5"),
            ],
        ),
        # Wrong types of the section's own keys are the config's to report.
        ({"policy": 3, "transforms": "flip"}, []),
        ({"transforms": ["flip"]}, []),
    ],
)
def test_mistakes_of_a_preset(table, mistakes):
    assert augment_mistakes(table) == mistakes


def test_building_names_every_mistake():
    augment = Augment(transforms=[{"name": "random_crop", "padding": 0}, {"name": "blur"}])
    with pytest.raises(UserError) as raised:
        build_augmentation(augment)
    first, second = str(raised.value).split("; augment.")
    assert first == "augment.transforms[0].padding: should be greater than or equal to 1, got 0"
    assert second.startswith("transforms[1].name: unknown transform 'blur'")
