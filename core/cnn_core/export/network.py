"""The network that is exported, what is told of it, and the check that it is the same."""

import dataclasses
import itertools
import json
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cnn_core.config import Tracking
from cnn_core.datasets.index import Images
from cnn_core.errors import CnnTuiError, UserError, printable
from cnn_core.inspect.evaluation import Part, part_images
from cnn_core.inspect.trained import Trained
from cnn_core.preset_files import to_toml
from cnn_core.progress import Progress, Remark
from cnn_core.training.device import arithmetic

FORMAT_VERSION = 1
INPUT, OUTPUT = "images", "logits"
# Rounding errors of float32 grow with the numbers: the bound is on the largest logit's scale,
# and where that is below 1, on 1.
TOLERANCE = 1e-4
_IMAGES = 16
_PARTS: tuple[Part, ...] = ("val", "test", "train")
Logits = NDArray[np.float32]


class Normalising(nn.Module):
    """A network behind its normalisation: uint8 ``images_NCHW`` in, float32 logits (N, C) out."""

    scale: Tensor
    shift: Tensor

    def __init__(self, trained: Trained) -> None:
        super().__init__()
        self.network = trained.network.module
        mean, std = torch.from_numpy(trained.mean), torch.from_numpy(trained.std)
        self.register_buffer("scale", (1 / (255 * std)).view(1, -1, 1, 1))
        self.register_buffer("shift", (-mean / std).view(1, -1, 1, 1))

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.network(images_NCHW.float() * self.scale + self.shift)
        return logits


def example(trained: Trained) -> Tensor:
    """Return uint8 ``images_NCHW`` to trace with: two, as the size 1 would be taken for fixed."""
    side = trained.image_size
    return torch.zeros(2, 3, side, side, dtype=torch.uint8)


def description(trained: Trained, *, normalised: bool) -> dict[str, str]:
    """Return what a file says of itself; lists and numbers are JSON.

    ``normalised``: the file itself takes the mean off and divides by the deviation.
    """
    size, resize = trained.image_size, trained.resize
    takes = "uint8 0..255" if normalised else "float32, (pixel / 255 - mean) / std"
    config = trained.config.model_copy(update={"tracking": Tracking()})
    return {
        "format_version": str(FORMAT_VERSION),
        "producer": "cnn-tui",
        "run": printable(trained.run_dir.resolve().name),
        "checkpoint": trained.checkpoint,
        "epoch": str(trained.epoch),
        "backbone": trained.config.model.backbone,
        "classes": json.dumps(trained.classes),
        "mean": json.dumps(trained.mean.tolist()),
        "std": json.dumps(trained.std.tolist()),
        "image_size": str(size),
        "resize": str(resize),
        "preprocessing": f"RGB, shorter side to {resize} (bilinear, antialiased), centre crop "
        f"{size}x{size}, layout NCHW, {takes}",
        "config": to_toml(config),
    }


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Images to compare with: uint8 (N,S,S,3), and what they are."""

    images_NHWC: Images
    what: str


def samples(
    trained: Trained, *, data_dir: Path, cache_dir: Path
) -> Generator[Progress | Remark, None, Samples]:
    """Return images of the run's data set, or noise where that is gone."""
    missing = ""
    for part in _PARTS:
        try:
            found = yield from part_images(
                trained.run_dir, part, data_dir=data_dir, cache_dir=cache_dir
            )
        except UserError as error:
            missing = missing or str(error)
            continue
        chosen = np.unique(np.linspace(0, len(found.positions) - 1, _IMAGES).astype(int))
        images_NHWC = np.stack([found.data.images_NHWC[found.positions[i]] for i in chosen])
        return Samples(images_NHWC, f"{part} images")
    yield Remark(f"compared on noise, as there are no images: {missing}", warning=True)
    side = trained.image_size
    noise_NHWC = np.random.default_rng(0).integers(0, 256, (_IMAGES, side, side, 3), np.uint8)
    return Samples(noise_NHWC, "noise images")


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """How far the logits of a file are from the run's own, on ``images`` images of a kind.

    ``difference`` is the largest of all, ``largest`` the largest absolute logit.
    """

    images: int
    what: str
    difference: float
    largest: float

    @property
    def bound(self) -> float:
        """The largest difference that rounding explains."""
        return TOLERANCE * max(1.0, self.largest)


def compare(
    trained: Trained, found: Samples, exported: Callable[[Images], Logits], batch: int = 5
) -> Comparison:
    """Compare a file's logits, ``exported(images_NCHW)``, with the run's own in float32.

    The images go in batches of other sizes than the one traced with, one of a single image among
    them. Raises CnnTuiError where the difference is more than rounding, or is no number.
    """
    images_NHWC = found.images_NHWC
    cuts = [0, 1, *range(1 + batch, len(images_NHWC), batch), len(images_NHWC)]
    pieces = [images_NHWC[a:b] for a, b in itertools.pairwise(cuts) if a < b]
    with torch.inference_mode(), arithmetic(deterministic=False, tf32=False):
        own = [trained.network.module(trained.inputs(piece)).numpy() for piece in pieces]
    theirs = [exported(np.ascontiguousarray(piece.transpose(0, 3, 1, 2))) for piece in pieces]
    own_NC, their_NC = np.concatenate(own), np.concatenate(theirs)
    if not np.isfinite(own_NC).all():
        raise CnnTuiError(
            "the run's own logits are no numbers: the weights have diverged; "
            "another checkpoint may be whole"
        )
    result = Comparison(
        images=len(images_NHWC),
        what=found.what,
        difference=float(np.abs(own_NC - their_NC).max()),
        largest=float(np.abs(own_NC).max()),
    )
    if not result.difference <= result.bound:
        raise CnnTuiError(
            f"the exported network is not the run's: on {result.images} {result.what} logits "
            f"differ by up to {result.difference:.2g}, expected at most {result.bound:.2g}; "
            "no file was written"
        )
    return result
