"""Turns, shifts, zooms and resized crops against torchvision's, and their draws."""

import pytest
import torch
from augment_support import apply, assert_same_distribution, batch, largest_difference
from torch import Generator, Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from cnn_core.augment.boxes import Boxes
from cnn_core.augment.resize import resize_boxes
from cnn_core.augment.warp import inverse_maps, warp

SIZES = [(12, 12), (9, 14), (31, 8), (1, 1), (2, 3)]


def spread(low: float, high: float, count: int, seed: int) -> Tensor:
    draws = torch.rand(count, generator=Generator().manual_seed(seed), dtype=torch.float64)
    return low + (high - low) * draws


@pytest.fixture
def maps_of(monkeypatch):
    """Return the function that gives the maps that a transform draws, (N, 2, 3)."""

    def draw(table: dict, count: int, height: int, width: int) -> Tensor:
        drawn = []

        def keep(images_NCHW, inverse_maps_N23, mode):
            assert mode == "bilinear"
            drawn.append(inverse_maps_N23)
            return images_NCHW

        monkeypatch.setattr("cnn_core.augment.warp.warp", keep)
        apply(torch.zeros(count, 3, height, width, dtype=torch.uint8), table)
        return torch.cat(drawn)

    return draw


def parts(maps_N23: Tensor) -> dict[str, Tensor]:
    """Return what ``inverse_maps`` made maps of, about the middle, without shear along columns."""
    forward = maps_N23[:, :, :2].inverse()
    shift = -(forward @ maps_N23[:, :, 2:])[:, :, 0]
    scale = forward.det().sqrt()
    a, b, c = forward[:, 0, 0] / scale, forward[:, 0, 1] / scale, forward[:, 1, 0] / scale
    turn = torch.atan2(c, a)
    return {
        "angle": turn.rad2deg(),
        "x": shift[:, 0],
        "y": shift[:, 1],
        "scale": scale,
        "shear": torch.atan(-(b + turn.sin()) / a).rad2deg(),
    }


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_affine_equals_torchvision(height, width, mode):
    images_NCHW = batch(height=height, width=width)
    count = len(images_NCHW)
    degrees, scale = spread(-180, 180, count, 0), spread(0.3, 2, count, 1)
    shift_x = spread(-width / 2, width / 2, count, 2).round()
    shift_y = spread(-height / 2, height / 2, count, 3).round()
    shear_x, shear_y = spread(-50, 50, count, 4), spread(-50, 50, count, 5)
    maps_N23 = inverse_maps(
        degrees=degrees,
        shift_x=shift_x,
        shift_y=shift_y,
        scale=scale,
        shear_x=shear_x,
        shear_y=shear_y,
    )
    theirs = [
        F.affine(
            image,
            angle=degrees[i].item(),
            translate=[shift_x[i].item(), shift_y[i].item()],
            scale=scale[i].item(),
            shear=[shear_x[i].item(), shear_y[i].item()],
            interpolation=F.InterpolationMode(mode),
        )
        for i, image in enumerate(images_NCHW)
    ]
    assert largest_difference(warp(images_NCHW, maps_N23, mode), theirs) <= 1


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_resized_crop_equals_torchvision(height, width):
    """To within one level: for uint8 it rounds after each of the two axes."""
    images_NCHW = batch(60, height, width)
    heights, widths = spread(1, height + 1, 60, 0).long(), spread(1, width + 1, 60, 1).long()
    tops = (spread(0, 1, 60, 2) * (height - heights + 1)).long()
    lefts = (spread(0, 1, 60, 3) * (width - widths + 1)).long()
    boxes = Boxes(tops, lefts, heights, widths)
    for size in ((height, width), (5, 7), (40, 3)):
        theirs = [
            F.resized_crop(image, *box, list(size))
            for image, *box in zip(images_NCHW, *(part.tolist() for part in boxes), strict=True)
        ]
        assert largest_difference(resize_boxes(images_NCHW, boxes, size), theirs) <= 1


def test_a_crop_of_everything_changes_nothing():
    images_NCHW = batch()
    whole = {"name": "random_resized_crop", "scale": [1, 1], "ratio": [1, 1]}
    assert torch.equal(apply(images_NCHW, whole), images_NCHW)


@pytest.mark.parametrize(
    ("table", "theirs"),
    [
        ({"name": "rotate", "degrees": 40}, v2.RandomRotation(40)),
        ({"name": "scale", "low": 0.5, "high": 1.5}, v2.RandomAffine(0, scale=(0.5, 1.5))),
        (
            {"name": "affine", "degrees": 20, "translate": 0.2, "scale": [0.7, 1.1], "shear": 30},
            v2.RandomAffine(20, translate=(0.2, 0.2), scale=(0.7, 1.1), shear=30),
        ),
        ({"name": "affine"}, v2.RandomAffine(15, (0.1, 0.1), (0.8, 1.2), 10)),
    ],
)
def test_maps_are_distributed_like_torchvisions(maps_of, table, theirs):
    count, height, width = 10_000, 30, 50
    ours = parts(maps_of(table, count, height, width))
    torch.manual_seed(0)
    image = torch.zeros(3, height, width)
    drawn = [theirs.make_params([image]) for _ in range(3_000)]
    if table["name"] == "rotate":
        # torchvision's rotate turns the other way from its affine.
        expected = {"angle": torch.tensor([-params["angle"] for params in drawn])}
    else:
        expected = {
            "angle": torch.tensor([params["angle"] for params in drawn]),
            "x": torch.tensor([params["translate"][0] for params in drawn]),
            "y": torch.tensor([params["translate"][1] for params in drawn]),
            "scale": torch.tensor([params["scale"] for params in drawn]),
            "shear": torch.tensor([params["shear"][0] for params in drawn]),
        }
    for name, values in ours.items():
        constant = 1.0 if name == "scale" else 0.0
        theirs_of_it = expected.get(name, torch.full((10,), constant))
        if theirs_of_it.double().std() == 0:
            torch.testing.assert_close(values, torch.full_like(values, constant))
        else:
            # Whole pixels come out of the maps with the noise of arithmetic.
            assert_same_distribution(values.double().round(decimals=6), theirs_of_it)
    drawn_apart = torch.stack([values for values in ours.values() if values.std() > 1e-9])
    apart = torch.corrcoef(drawn_apart).view(len(drawn_apart), -1) - torch.eye(len(drawn_apart))
    assert apart.abs().max() < 4 / count**0.5


def test_a_turn_goes_left_where_torchvisions_does():
    images_NCHW = batch(6)
    maps_N23 = inverse_maps(degrees=torch.full((6,), -33.0, dtype=torch.float64))
    theirs = [F.rotate(image, 33, F.InterpolationMode.BILINEAR) for image in images_NCHW]
    assert largest_difference(warp(images_NCHW, maps_N23, "bilinear"), theirs) <= 1


def test_shifts_are_uniform_whole_pixels_and_leave_black():
    height, width, count = 10, 20, 10_000
    places = torch.arange(1, height * width + 1, dtype=torch.uint8).view(1, 1, height, width)
    images_NCHW = places.expand(count, 3, -1, -1)
    shifted = apply(images_NCHW, {"name": "translate", "fraction": 0.15})
    middle = shifted[:, 0, 5, 10].int() - 1
    down, right = 5 - middle // width, 10 - middle % width
    for i in range(0, count, 500):
        theirs = F.affine(images_NCHW[i], 0.0, [right[i].item(), down[i].item()], 1.0, [0.0, 0.0])
        assert torch.equal(shifted[i], theirs)
    torch.manual_seed(0)
    reference = v2.RandomAffine(0, translate=(0.15, 0.15))
    drawn = [reference.make_params([images_NCHW[0]])["translate"] for _ in range(3_000)]
    theirs_right, theirs_down = torch.tensor(drawn).T
    assert_same_distribution(right, theirs_right)
    assert_same_distribution(down, theirs_down)
    assert torch.corrcoef(torch.stack([right, down]).double())[0, 1].abs() < 4 / count**0.5


def test_only_a_share_of_the_images_is_moved():
    images_NCHW = batch(1).expand(4_000, -1, -1, -1)
    for name in ("rotate", "translate", "scale", "affine"):
        table = {"name": name, "p": 0.3}
        if name == "translate":
            table["fraction"] = 1.0  # few shifts are by nothing then
        moved = (apply(images_NCHW, table) != images_NCHW).any((1, 2, 3)).double().mean()
        assert moved.item() == pytest.approx(0.3, abs=4 * (0.21 / 4_000) ** 0.5)
