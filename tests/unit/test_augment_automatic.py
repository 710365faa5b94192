"""RandAugment and TrivialAugment against torchvision's: operations, and how they are drawn."""

import math

import pytest
import torch
from augment_support import apply, assert_equally_likely, batch
from scipy import stats
from torch import Generator, Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from cnn_core.augment import operations
from cnn_core.augment.operations import BINS, OPERATIONS, RAND, TRIVIAL

# What torchvision's classes do with a magnitude.
REFERENCE = {
    "Identity": lambda image, by: image,
    "ShearX": lambda image, by: F.affine(
        image, 0.0, [0, 0], 1.0, [math.degrees(math.atan(by)), 0.0], center=[0, 0]
    ),
    "ShearY": lambda image, by: F.affine(
        image, 0.0, [0, 0], 1.0, [0.0, math.degrees(math.atan(by))], center=[0, 0]
    ),
    "TranslateX": lambda image, by: F.affine(image, 0.0, [int(by), 0], 1.0, [0.0, 0.0]),
    "TranslateY": lambda image, by: F.affine(image, 0.0, [0, int(by)], 1.0, [0.0, 0.0]),
    "Rotate": lambda image, by: F.rotate(image, by),
    "Brightness": lambda image, by: F.adjust_brightness(image, 1 + by),
    "Color": lambda image, by: F.adjust_saturation(image, 1 + by),
    "Contrast": lambda image, by: F.adjust_contrast(image, 1 + by),
    "Sharpness": lambda image, by: F.adjust_sharpness(image, 1 + by),
    "Posterize": lambda image, by: F.posterize(image, int(by)),
    "Solarize": lambda image, by: F.solarize(image, 255 * by),
    "AutoContrast": lambda image, by: F.autocontrast(image),
    "Equalize": lambda image, by: F.equalize(image),
}


class Recorder:
    """Keeps what a transform of torchvision would have done to each image."""

    def __init__(self, transform: v2.Transform) -> None:
        self.calls: list[tuple[str, float]] = []
        self.transform = transform
        transform._apply_image_or_video_transform = self.keep

    def keep(self, image: Tensor, name: str, magnitude: float, **_: object) -> Tensor:
        self.calls.append((name, magnitude))
        return image

    def draw(self, image: Tensor, times: int) -> list[tuple[str, float]]:
        torch.manual_seed(0)
        for _ in range(times):
            self.transform(image)
        return self.calls


@pytest.fixture
def drawn(monkeypatch):
    """Return the function that gives operations and magnitudes that a transform draws."""

    def draw(table: dict, count: int, height: int, width: int) -> list[tuple[Tensor, Tensor]]:
        rounds = []

        def keep(images_NCHW, operations, magnitudes):
            rounds.append((operations, magnitudes))
            return images_NCHW

        monkeypatch.setattr(operations, "apply_operations", keep)
        apply(torch.zeros(count, 3, height, width, dtype=torch.uint8), table)
        return rounds

    return draw


@pytest.mark.parametrize(("height", "width"), [(32, 32), (17, 26), (1, 1)])
@pytest.mark.parametrize("strength", [RAND, TRIVIAL], ids=["rand", "trivial"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_equal_torchvisions_at_every_magnitude(name, strength, height, width):
    images_NCHW = batch(4 * BINS, height, width)
    chosen = torch.full((4 * BINS,), OPERATIONS.index(name))
    bins = torch.arange(4 * BINS) % BINS
    magnitudes = operations.signed_magnitudes(
        chosen, bins, strength, (height, width), Generator().manual_seed(1)
    )
    ours = operations.apply_operations(images_NCHW, chosen, magnitudes)
    for image, result, by in zip(images_NCHW, ours, magnitudes.tolist(), strict=True):
        assert torch.equal(result, REFERENCE[name](image, by)), by


def test_each_image_gets_its_own_operation():
    images_NCHW = batch(140, 16, 16)
    chosen = torch.arange(140) % len(OPERATIONS)
    magnitudes = operations.signed_magnitudes(
        chosen, torch.arange(140) % BINS, RAND, (16, 16), Generator().manual_seed(1)
    )
    ours = operations.apply_operations(images_NCHW, chosen, magnitudes)
    for image, result, which, by in zip(
        images_NCHW, ours, chosen.tolist(), magnitudes.tolist(), strict=True
    ):
        assert torch.equal(result, REFERENCE[OPERATIONS[which]](image, by))


@pytest.mark.parametrize(
    ("table", "theirs"),
    [
        ({"name": "rand_augment"}, v2.RandAugment()),
        ({"name": "rand_augment", "ops": 3, "magnitude": 30}, v2.RandAugment(3, 30)),
        ({"name": "rand_augment", "ops": 1, "magnitude": 0}, v2.RandAugment(1, 0)),
        ({"name": "trivial_augment"}, v2.TrivialAugmentWide()),
    ],
)
def test_draws_are_distributed_like_torchvisions(drawn, table, theirs):
    height, width = 30, 50
    rounds = drawn(table, 10_000, height, width)
    assert len(rounds) == table.get("ops", 2 if table["name"] == "rand_augment" else 1)
    reference = Recorder(theirs).draw(torch.zeros(3, height, width), 3_000)
    ours = [
        (OPERATIONS[which], magnitude)
        for chosen, magnitudes in rounds
        for which, magnitude in zip(chosen.tolist(), magnitudes.tolist(), strict=True)
    ]
    for name in OPERATIONS:
        own = [by for which, by in ours if which == name]
        their_own = [by for which, by in reference if which == name]
        assert {*own} >= {*their_own}
        assert stats.ks_2samp(own, their_own).pvalue > 0.001, name
        if len({*own}) == 2:
            negative = sum(by < 0 for by in own)
            assert_equally_likely(torch.tensor([negative, len(own) - negative]))
    counts = torch.bincount(torch.cat([chosen for chosen, _ in rounds]), minlength=14)
    assert_equally_likely(counts)
    of_theirs = torch.tensor([sum(which == name for which, _ in reference) for name in OPERATIONS])
    assert_equally_likely(of_theirs)


def test_rounds_are_independent(drawn):
    (first, _), (second, _) = drawn({"name": "rand_augment"}, 20_000, 8, 8)
    table = torch.bincount(14 * first + second, minlength=14 * 14).view(14, 14)
    assert stats.chi2_contingency(table.numpy()).pvalue > 0.001


def test_bins_of_trivial_augment_are_equally_likely(drawn):
    (chosen, magnitudes), *_ = drawn({"name": "trivial_augment"}, 31_000, 8, 8)
    solarized = magnitudes[chosen == OPERATIONS.index("Solarize")]
    steps, counts = solarized.unique(return_counts=True)
    assert len(steps) == BINS
    assert_equally_likely(counts)


def test_an_identity_alone_changes_nothing():
    images_NCHW = batch()
    nothing = torch.zeros(len(images_NCHW), dtype=torch.int64)
    assert torch.equal(
        operations.apply_operations(images_NCHW, nothing, nothing.double()), images_NCHW
    )
