"""What all transforms have in common, policies, and mistakes of presets."""

import subprocess
import sys

import pytest
import torch
from augment_support import apply, batch, mixed
from torch import Generator

from cnn_core.augment.catalog import POLICIES, TRANSFORMS, augment_mistakes, build_augmentation
from cnn_core.config import Augment
from cnn_core.errors import UserError

LABELS = torch.arange(24) % 5


@pytest.mark.parametrize("name", TRANSFORMS.names())
@pytest.mark.parametrize("side", [12, 1, 2])
@pytest.mark.parametrize("count", [24, 1])
def test_batches_keep_type_layout_and_content(name, side, count):
    images_NCHW = batch(count, side, side)
    before = images_NCHW.clone()
    result, targets = mixed(images_NCHW, LABELS[:count], 5, {"name": name})
    assert torch.equal(images_NCHW, before)
    assert result.dtype == torch.uint8
    assert result.shape == images_NCHW.shape
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert len(targets) == count


@pytest.mark.parametrize(
    "name", [name for name in TRANSFORMS.names() if "p" in TRANSFORMS[name].options.model_fields]
)
def test_an_empty_chance_changes_nothing(name):
    images_NCHW = batch()
    assert torch.equal(apply(images_NCHW, {"name": name, "p": 0}), images_NCHW)


@pytest.mark.parametrize("name", sorted({*TRANSFORMS.names()} - {"rotate_90"}))
def test_images_need_not_be_square(name):
    images_NCHW = batch(24, 9, 14)
    assert apply(images_NCHW, {"name": name}).shape == images_NCHW.shape


@pytest.mark.parametrize("name", sorted({*TRANSFORMS.names()} - {"mixup", "cutmix"}))
def test_every_image_has_draws_of_its_own(name):
    images_NCHW = batch(1, 16, 16).expand(64, -1, -1, -1)
    results = apply(images_NCHW, {"name": name})
    # Of flips and turns there are two or three outcomes, of most others one for each image.
    assert len({result.numpy().tobytes() for result in results}) > 1


@pytest.mark.parametrize("policy", sorted({*POLICIES} - {"none"}))
def test_draws_come_from_the_generator_alone(policy):
    augmentation = build_augmentation(Augment(policy=policy), 5)
    images_NCHW, before = batch(), torch.get_rng_state()
    generator = Generator().manual_seed(3)
    first, targets = augmentation(images_NCHW, LABELS, generator)
    second, _ = augmentation(images_NCHW, LABELS, generator)
    assert not torch.equal(first, second)
    again, same_targets = augmentation(images_NCHW, LABELS, Generator().manual_seed(3))
    assert torch.equal(again, first)
    assert torch.equal(same_targets, targets)
    assert torch.equal(torch.get_rng_state(), before)


def test_policies_are_lists_of_transforms():
    images_NCHW = batch()
    for policy, tables in POLICIES.items():
        by_name, _ = build_augmentation(Augment(policy=policy), 5)(
            images_NCHW, LABELS, Generator().manual_seed(0)
        )
        assert torch.equal(by_name, mixed(images_NCHW, LABELS, 5, *tables)[0])
    unchanged, labels = build_augmentation(Augment(), 5)(images_NCHW, LABELS, Generator())
    assert torch.equal(unchanged, images_NCHW)
    assert torch.equal(labels, LABELS)


def test_transforms_are_applied_in_order():
    images_NCHW = batch()
    tables = ({"name": "random_crop", "padding": 2}, {"name": "horizontal_flip"})
    both = apply(images_NCHW, *tables)
    generator = Generator().manual_seed(0)
    for table in tables:
        step = build_augmentation(Augment(transforms=[table]), 5)
        images_NCHW, _ = step(images_NCHW, LABELS, generator)
    assert torch.equal(both, images_NCHW)


def test_a_batch_larger_than_what_is_changed_at_once(monkeypatch):
    images_NCHW = batch()
    for policy in ("geometric-colour", "trivial", "resized-crop", "flip-crop-mixup"):
        augmentation = build_augmentation(Augment(policy=policy), 5)
        whole, _ = augmentation(images_NCHW, LABELS, Generator().manual_seed(0))
        with monkeypatch.context() as patch:
            patch.setattr("cnn_core.augment.batch._CPU_PIECE", 1)
            single, _ = augmentation(images_NCHW, LABELS, Generator().manual_seed(0))
        assert torch.equal(whole, single)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", TRANSFORMS.names())
def test_a_gpu_gives_the_same_images(name):
    images_NCHW = batch(24, 32, 32)
    augmentation = build_augmentation(Augment(transforms=[{"name": name}]), 5)
    here, targets = augmentation(images_NCHW, LABELS, Generator().manual_seed(0))
    there, targets_there = augmentation(
        images_NCHW.cuda(), LABELS.cuda(), Generator().manual_seed(0)
    )
    # But for roundings: a level, or the neighbour of a pixel half way between two.
    assert ((here.int() - there.cpu().int()).abs() > 1).double().mean() < 0.001
    torch.testing.assert_close(targets_there.cpu(), targets)


def test_names_and_options_need_no_torch():
    code = (
        "import sys; from cnn_core.augment.catalog import TRANSFORMS, augment_mistakes;"
        "TRANSFORMS.names(); augment_mistakes({'transforms': [{'name': 'rand_augment'}]});"
        "print({'torch', 'torchvision', 'numpy'} & set(sys.modules))"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("table", "mistakes"),
    [
        ({}, []),
        ({"policy": "flip-crop"}, []),
        ({"transforms": [{"name": "random_crop", "padding": 2}]}, []),
        ({"transforms": [{"name": "random_erasing", "value": "random"}]}, []),
        (
            {"policy": "flip-corp"},
            [("policy", "unknown policy 'flip-corp'; did you mean 'flip-crop'?")],
        ),
        (
            {"transforms": [{"padding": 2}]},
            [
                (
                    "transforms[0].name",
                    "the name of a transform is needed; expected one of: affine, color_jitter, "
                    "cutmix, grayscale, horizontal_flip, mixup, rand_augment, random_crop, "
                    "random_erasing, random_resized_crop, rotate, rotate_90 and 4 more",
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
        (
            {
                "transforms": [
                    {"name": "random_crop", "mode": "mirror"},
                    {"name": "random_resized_crop", "scale": [0.9, 0.1]},
                    {"name": "affine", "scale": [0.9], "shear": 90},
                    {"name": "color_jitter", "hue": 0.6},
                    {"name": "mixup", "alpha": 0},
                    {"name": "rand_augment", "magnitude": 31},
                    {"name": "trivial_augment", "magnitude": 3},
                ]
            },
            [
                (
                    "transforms[0].mode",
                    "should be 'constant', 'reflect' or 'edge', got 'mirror'",
                ),
                (
                    "transforms[1].scale",
                    "should be two numbers, the lower one first, got [0.9, 0.1]",
                ),
                (
                    "transforms[2].scale",
                    "list should have at least 2 items after validation, not 1, got [0.9]",
                ),
                ("transforms[2].shear", "should be less than 90, got 90"),
                ("transforms[3].hue", "should be less than or equal to 0.5, got 0.6"),
                ("transforms[4].alpha", "should be greater than 0, got 0"),
                ("transforms[5].magnitude", "should be less than or equal to 30, got 31"),
                ("transforms[6].magnitude", "unknown option; there are none"),
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
        build_augmentation(augment, 5)
    first, second = str(raised.value).split("; augment.")
    assert first == "augment.transforms[0].padding: should be greater than or equal to 1, got 0"
    assert second.startswith("transforms[1].name: unknown transform 'blur'")
