"""Mixup and cutmix: pixels and labels get the same shares, drawn as they should be."""

import pytest
import torch
from augment_support import assert_equally_likely, assert_same_distribution, batch, mixed
from scipy import stats
from torch import Generator, Tensor
from torchvision.transforms import v2

from cnn_core.augment.partners import partners

MIXES = ("mixup", "cutmix")


def coloured(labels: Tensor, height: int = 16, width: int = 16) -> Tensor:
    """Return images of three classes, red, green and blue: their mean colours are the shares."""
    colours = 255 * torch.eye(3, dtype=torch.uint8)
    return colours[labels].view(-1, 3, 1, 1).expand(-1, -1, height, width)


def own_shares(name: str, count: int, side: int = 16, **options: float) -> Tensor:
    """Return how much each of ``count`` images keeps of itself, one class for each."""
    size = 250
    images_NCHW = torch.zeros(size, 3, side, side, dtype=torch.uint8)
    labels = torch.arange(size)
    shares = [
        mixed(images_NCHW, labels, size, {"name": name, **options}, seed=seed)[1].diagonal()
        for seed in range(count // size)
    ]
    return torch.cat(shares)


@pytest.mark.parametrize(
    "tables", [("mixup",), ("cutmix",), ("mixup", "cutmix"), ("mixup", "mixup", "cutmix")]
)
def test_labels_have_the_shares_of_the_pixels(tables):
    labels = torch.arange(60) % 3
    images_NCHW, shares = mixed(
        coloured(labels, 11, 17), labels, 3, *({"name": name} for name in tables)
    )
    assert shares.dtype == torch.float32
    torch.testing.assert_close(shares.sum(1), torch.ones(60))
    assert ((shares > 0.01).sum(1) > 1).sum() > 20
    rounding = 0.5 / 255 * tables.count("mixup") + 1e-6
    assert (images_NCHW.double().mean((2, 3)) / 255 - shares).abs().max() <= rounding


def test_cutmix_pastes_one_rectangle_whole():
    images_NCHW, labels = batch(40, 16, 16), torch.arange(40)
    pasted, shares = mixed(images_NCHW, labels, 40, {"name": "cutmix"})
    for i, (image, result) in enumerate(zip(images_NCHW, pasted, strict=True)):
        others = [j for j in range(40) if j != i and shares[i, j] > 0]
        if not others:
            assert torch.equal(result, image)
            continue
        [other] = others
        rectangle = (result != image).any(0)
        rows, columns = rectangle.any(1), rectangle.any(0)
        inside = rows[:, None] & columns
        assert torch.equal(result, torch.where(inside, images_NCHW[other], image))
        assert shares[i, other].item() == pytest.approx(inside.double().mean().item())


@pytest.mark.parametrize("alpha", [1.0, 0.2, 4.0])
def test_shares_of_mixup_are_from_beta(alpha):
    shares = own_shares("mixup", 10_000, side=1, alpha=alpha)
    assert stats.kstest(shares.numpy(), stats.beta(alpha, alpha).cdf).pvalue > 0.001
    torch.manual_seed(0)
    reference = v2.MixUp(alpha=alpha, num_classes=2)
    theirs = torch.tensor([reference.make_params([])["lam"] for _ in range(3_000)])
    assert_same_distribution(shares, theirs)


@pytest.mark.parametrize("alpha", [1.0, 0.3])
def test_shares_of_cutmix_are_distributed_like_torchvisions(alpha):
    shares = own_shares("cutmix", 10_000, alpha=alpha)
    torch.manual_seed(0)
    reference = v2.CutMix(alpha=alpha, num_classes=2)
    image = torch.zeros(3, 16, 16)
    theirs = [reference.make_params([image])["lam_adjusted"] for _ in range(3_000)]
    # In 256ths: they are pixels.
    assert_same_distribution((256 * shares).round(), (256 * torch.tensor(theirs)).round())


def test_boxes_of_cutmix_lie_where_torchvisions_do():
    """Compares how often each pixel of 8x12 is pasted over."""
    count, theirs_count = 10_000, 5_000
    labels = torch.arange(250) % 2
    images_NCHW = torch.arange(250, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 8, 12)
    covered = torch.zeros(8, 12)
    for seed in range(count // 250):
        pasted, _ = mixed(images_NCHW, labels, 2, {"name": "cutmix"}, seed=seed)
        covered += (pasted != images_NCHW)[:, 0].sum(0)
    torch.manual_seed(0)
    reference = v2.CutMix(num_classes=2)
    theirs = torch.zeros(8, 12)
    for _ in range(theirs_count):
        x1, y1, x2, y2 = reference.make_params([torch.zeros(3, 8, 12)])["box"]
        theirs[y1:y2, x1:x2] += 1
    difference = covered / count - theirs / theirs_count
    assert difference.abs().max() < 4.5 * (0.25 * (1 / count + 1 / theirs_count)) ** 0.5


@pytest.mark.parametrize("name", MIXES)
def test_as_many_images_are_mixed_as_are_to(name):
    shares = own_shares(name, 10_000, p=0.3)
    mixed_share = (shares < 1).double().mean().item()
    # A box may miss the image: cutmix with alpha 1 leaves one image of a hundred as it is.
    few = 0.01 if name == "cutmix" else 0
    assert mixed_share == pytest.approx(0.3, abs=4 * (0.21 / 10_000) ** 0.5 + few)


def test_partners_are_others_and_any_equally_often():
    generator = Generator().manual_seed(0)
    drawn = torch.stack([partners(5, generator) for _ in range(5_000)])
    for i in range(5):
        counts = torch.bincount(drawn[:, i], minlength=5)
        assert counts[i] == 0
        assert_equally_likely(torch.cat([counts[:i], counts[i + 1 :]]))
    assert torch.equal(drawn.sort(1).values, torch.arange(5).expand(5_000, 5))
    assert partners(1, generator).tolist() == [0]


@pytest.mark.parametrize("name", MIXES)
def test_an_image_alone_stays_as_it_is(name):
    images_NCHW = batch(1)
    result, shares = mixed(images_NCHW, torch.tensor([1]), 3, {"name": name})
    assert torch.equal(result, images_NCHW)
    torch.testing.assert_close(shares, torch.tensor([[0.0, 1.0, 0.0]]))


@pytest.mark.parametrize("alpha", [1e-300, 1e300])
@pytest.mark.parametrize("name", MIXES)
def test_extreme_alphas(name, alpha):
    shares = own_shares(name, 250, alpha=alpha)
    assert shares.isfinite().all()
    assert shares.min() >= 0
    assert shares.max() <= 1
