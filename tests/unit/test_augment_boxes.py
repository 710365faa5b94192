"""Boxes of resized crops and of erasing, against torchvision's."""

import pytest
import torch
from augment_support import apply, assert_same_distribution, batch
from torch import Generator
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from cnn_core.augment.boxes import Boxes, box_masks

COUNT, THEIRS = 10_000, 3_000
PARTS = ("top", "left", "height", "width")


@pytest.fixture
def crop_boxes(monkeypatch):
    """Return the function that gives the boxes that resized crops draw."""

    def draw(height: int, width: int, **options: object) -> Boxes:
        drawn = []

        def keep(images_NCHW, boxes, size):
            assert size == (height, width)
            drawn.append(boxes)
            return images_NCHW

        monkeypatch.setattr("cnn_core.augment.resize.resize_boxes", keep)
        images_NCHW = torch.zeros(COUNT, 3, height, width, dtype=torch.uint8)
        apply(images_NCHW, {"name": "random_resized_crop", **options})
        return Boxes(*(torch.cat(part) for part in zip(*drawn, strict=True)))

    return draw


@pytest.mark.parametrize(
    ("height", "width", "options"),
    [
        (32, 32, {}),
        (24, 50, {}),
        (32, 32, {"scale": [0.5, 1.0], "ratio": [0.5, 2.0]}),
        # Attempts fail often, then always: the fallback counts.
        (20, 60, {"scale": [0.9, 1.0]}),
        (60, 20, {"scale": [0.9, 1.0]}),
        (20, 20, {"scale": [1.0, 1.0], "ratio": [1.0, 1.2]}),
        (1, 1, {}),
    ],
)
def test_boxes_of_resized_crops_are_distributed_like_torchvisions(
    crop_boxes, height, width, options
):
    ours = crop_boxes(height, width, **options)
    torch.manual_seed(0)
    reference = v2.RandomResizedCrop((height, width), **options)
    drawn = [reference.make_params([torch.zeros(3, height, width)]) for _ in range(THEIRS)]
    for part, values in zip(PARTS, ours, strict=True):
        assert_same_distribution(values, torch.tensor([params[part] for params in drawn]))
    # And the parts together: the place of the box's far corner, its area.
    for combine in (
        lambda top, left, height, width: top + left + height + width,
        lambda top, left, height, width: height * width,
        lambda top, left, height, width: height - width,
        lambda top, left, height, width: top - left,
    ):
        theirs = torch.tensor([combine(*(params[part] for part in PARTS)) for params in drawn])
        assert_same_distribution(combine(*ours), theirs)


def erased_boxes(height: int, width: int, **options: object) -> Boxes:
    """Return the boxes that are black in white images."""
    white = torch.full((COUNT, 3, height, width), 255, dtype=torch.uint8)
    black = apply(white, {"name": "random_erasing", **options})[:, 0] == 0
    rows, columns = black.any(2), black.any(1)
    boxes = Boxes(rows.int().argmax(1), columns.int().argmax(1), rows.sum(1), columns.sum(1))
    masks = box_masks(boxes, white)
    assert torch.equal(masks[:, 0], black)
    return boxes


@pytest.mark.parametrize(
    ("height", "width", "options"),
    [(32, 32, {}), (16, 30, {"scale": [0.3, 0.9]}), (12, 12, {"scale": [0.2, 1], "ratio": [2, 6]})],
)
def test_erased_boxes_are_distributed_like_torchvisions(height, width, options):
    ours = erased_boxes(height, width, p=1, **options)
    torch.manual_seed(0)
    reference = v2.RandomErasing(p=1, **options)
    drawn = [reference.make_params([torch.zeros(3, height, width)]) for _ in range(THEIRS)]
    found = ours.heights > 0
    theirs_found = torch.tensor([params["v"] is not None for params in drawn])
    expected = theirs_found.double().mean()
    spread = (expected * (1 - expected) * (1 / COUNT + 1 / THEIRS)) ** 0.5
    assert (found.double().mean() - expected).abs() <= 4 * spread + 1e-12
    for part, values in zip("ijhw", ours, strict=True):
        theirs = torch.tensor([params[part] for params in drawn])[theirs_found]
        assert_same_distribution(values[found], theirs)


def test_as_many_images_lose_a_box_as_are_to():
    lost = (erased_boxes(8, 8, p=0.3).heights > 0).double().mean()
    assert lost.item() == pytest.approx(0.3, abs=4 * (0.21 / COUNT) ** 0.5)


def test_erasing_equals_torchvision():
    images_NCHW = batch(40, 12, 17)
    erased = apply(images_NCHW, {"name": "random_erasing", "p": 1, "value": 77}, seed=5)
    black = apply(torch.full_like(images_NCHW, 255), {"name": "random_erasing", "p": 1}, seed=5)
    for image, result, where in zip(images_NCHW, erased, black[:, 0] == 0, strict=True):
        top, left = where.any(1).int().argmax().item(), where.any(0).int().argmax().item()
        tall, wide = where.any(1).sum().item(), where.any(0).sum().item()
        theirs = F.erase(image, top, left, tall, wide, torch.tensor(77.0))
        assert torch.equal(result, theirs)


def test_noise_has_every_level_equally_often():
    images_NCHW = torch.zeros(500, 3, 32, 32, dtype=torch.uint8)
    table = {"name": "random_erasing", "p": 1, "scale": [0.3, 0.3]}
    where = apply(images_NCHW + 255, table) == 0
    noise = apply(images_NCHW, {**table, "value": "random"})
    assert not noise[~where].any()
    levels = torch.randint(256, (20_000,), generator=Generator().manual_seed(0))
    assert_same_distribution(noise[where], levels)
    # Neither do two images share their noise, nor two channels.
    assert len({image.numpy().tobytes() for image in noise}) == 500
    assert not torch.equal(noise[:, 0], noise[:, 1])
