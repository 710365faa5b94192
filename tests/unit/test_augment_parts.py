"""Random parts of whole images, image by image against torchvision."""

import numpy as np
import pytest
import torch
from augment_support import assert_same_distribution, largest_difference
from torch import Generator, Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from cnn_core.augment.boxes import Boxes
from cnn_core.augment.parts import WholeTensors, random_parts, without_crop
from cnn_core.augment.resampling import RandomResizedCropOptions
from cnn_core.augment.resize import resize_parts
from cnn_core.config import Augment
from cnn_core.datasets.whole import WholeImages
from cnn_core.errors import UserError

SIZES = [(50, 70), (20, 90), (90, 20), (1, 40), (40, 1), (1, 1), (33, 33), (8, 120), (64, 48)]


def noise(sizes: list[tuple[int, int]]) -> list[Tensor]:
    draws = Generator().manual_seed(3)
    return [torch.randint(0, 256, (3, *size), generator=draws).to(torch.uint8) for size in sizes]


def stored(images_CHW: list[Tensor]) -> WholeTensors:
    """Return the images one after another, in a file that can't be written to."""
    flat = [image.permute(1, 2, 0).reshape(-1).numpy() for image in images_CHW]
    lengths = [len(pixels) for pixels in flat]
    pixels = np.concatenate(flat)
    pixels.flags.writeable = False
    whole = WholeImages(
        pixels=pixels,
        offsets=np.cumsum([0, *lengths[:-1]]),
        sizes=np.array([image.shape[1:] for image in images_CHW]),
    )
    return WholeTensors.on(whole, torch.device("cpu"))


def boxes_in(whole: WholeTensors, seed: int) -> Boxes:
    share = torch.rand(4, len(whole.sizes), generator=Generator().manual_seed(seed))
    heights, widths = ((s * n).long() + 1 for s, n in zip(share, whole.sizes.T, strict=False))
    heights, widths = heights.clamp(max=whole.sizes[:, 0]), widths.clamp(max=whole.sizes[:, 1])
    tops = (share[2] * (whole.sizes[:, 0] - heights + 1)).long()
    lefts = (share[3] * (whole.sizes[:, 1] - widths + 1)).long()
    return Boxes(tops, lefts, heights, widths)


@pytest.mark.parametrize("size", [(12, 12), (24, 17), (200, 200), (1, 1), (3, 40)])
@pytest.mark.parametrize("order", [1, -1])
def test_parts_equal_torchvision_from_enlarging_to_shrinking(size, order):
    """To within one level: for uint8 it rounds after each of the two axes."""
    images = noise((SIZES * 3)[::order])
    whole = stored(images)
    for seed in range(4):
        boxes = boxes_in(whole, seed)
        theirs = [
            F.resized_crop(image, *box, list(size), antialias=True)
            for image, *box in zip(images, *(part.tolist() for part in boxes), strict=True)
        ]
        ours = resize_parts(whole.pixels, whole.offsets, whole.sizes[:, 1], boxes, size)
        assert largest_difference(ours, theirs) <= 1


def test_a_part_has_nothing_of_what_lies_around_it():
    images = [torch.full((3, 9, 30), 255, dtype=torch.uint8) for _ in range(3)]
    for image in images:
        image[:, 2:6, 5:9] = 40
    whole = stored(images)
    boxes = Boxes(*(torch.full((3,), value) for value in (2, 5, 4, 4)))
    for side in (2, 4, 50):
        ours = resize_parts(whole.pixels, whole.offsets, whole.sizes[:, 1], boxes, (side, side))
        assert (ours == 40).all()


def test_whole_squares_are_returned_as_they_are():
    images = noise([(16, 16)] * 5)
    options = RandomResizedCropOptions(scale=[1.0, 1.0], ratio=[1.0, 1.0])
    positions = torch.tensor([3, 0, 0, 4])
    ours = random_parts(stored(images), positions, 16, options, Generator())
    assert torch.equal(ours, torch.stack(images)[positions])
    assert ours.is_contiguous(memory_format=torch.channels_last)


def test_parts_of_one_colour_keep_their_place_in_the_batch():
    """Images are taken by size, not in the order of the batch."""
    images = [torch.full((3, *size), level) for level, size in enumerate(SIZES * 20)]
    images = [image.to(torch.uint8) for image in images]
    positions = torch.randperm(len(images), generator=Generator().manual_seed(0))
    ours = random_parts(
        stored(images), positions, 32, RandomResizedCropOptions(), Generator().manual_seed(1)
    )
    assert ours.dtype == torch.uint8
    assert torch.equal(ours, positions.to(torch.uint8).view(-1, 1, 1, 1).expand(ours.shape))


def test_the_same_generator_draws_the_same_parts():
    whole, positions = stored(noise(SIZES)), torch.arange(len(SIZES))

    def drawn(seed: int) -> Tensor:
        generator = Generator().manual_seed(seed)
        return random_parts(whole, positions, 8, RandomResizedCropOptions(), generator)

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


@pytest.mark.parametrize("tables", [{}, {"scale": [0.9, 1.0]}, {"ratio": [1.0, 1.1]}])
def test_parts_of_each_image_are_distributed_like_torchvisions(monkeypatch, tables):
    """One batch of images of three sizes; the last one's ratio is beyond what is allowed."""
    sizes = [(40, 30), (21, 60), (12, 90)]
    drawn = []

    def keep(_pixels, starts, _widths, boxes, size):
        drawn.append((starts, torch.stack(boxes, 1)))
        return torch.zeros(len(starts), 3, *size, dtype=torch.uint8)

    monkeypatch.setattr("cnn_core.augment.parts.resize_parts", keep)
    whole = stored(noise(sizes))
    positions = torch.arange(3).repeat(4_000)
    options = RandomResizedCropOptions(**tables)
    random_parts(whole, positions, 10, options, Generator().manual_seed(0))
    starts = torch.cat([starts for starts, _ in drawn])
    boxes = torch.cat([boxes for _, boxes in drawn])
    torch.manual_seed(0)
    reference = v2.RandomResizedCrop(10, **tables)
    for size, offset in zip(sizes, whole.offsets, strict=True):
        ours = boxes[starts == offset]
        assert len(ours) == 4_000
        theirs = [reference.make_params([torch.zeros(3, *size)]) for _ in range(2_000)]
        for column, part in enumerate(("top", "left", "height", "width")):
            values = torch.tensor([params[part] for params in theirs])
            assert_same_distribution(ours[:, column], values)


def test_the_crop_is_taken_from_the_transforms():
    table = {"name": "random_resized_crop", "scale": [0.5, 1.0]}
    crop, rest = without_crop(Augment(transforms=[table, {"name": "horizontal_flip"}]))
    assert crop == RandomResizedCropOptions(scale=[0.5, 1.0])
    assert rest == Augment(transforms=[{"name": "horizontal_flip"}])
    crop, rest = without_crop(Augment(policy="resized-crop"))
    assert crop == RandomResizedCropOptions()
    assert rest.transforms == [{"name": "horizontal_flip"}]
    with pytest.raises(UserError, match=r"data\.whole: needs random_resized_crop as the first"):
        without_crop(Augment(policy="flip"))
