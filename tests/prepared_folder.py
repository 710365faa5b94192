"""A folder of small images, prepared for training."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from prepare_support import finish

from cnn_core.config import Data
from cnn_core.datasets.prepare import Prepared, prepare
from cnn_core.progress import Remark

CORE = Path(prepare.__code__.co_filename).parents[2]


def make(root: Path, classes: int = 2, each: int = 6, side: int = 12) -> None:
    rng = np.random.default_rng(0)
    for label in range(classes):
        (root / f"c{label}").mkdir(parents=True)
        for i in range(each):
            pixels = rng.integers(0, 256, (side, side + i, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / f"c{label}/{i}.png")


def run(root: Path, **keys: Any) -> tuple[Prepared, list[Any]]:
    keys = {"dataset": "folder", "image_size": 8, "test_fraction": 0.4, **keys}
    return finish(prepare(Data(**keys), root.parent, root.parent / "cache"))


def decoded(seen: list[Any]) -> int:
    return max((s.done for s in seen if getattr(s, "what", "") == "decoding images"), default=0)


def caches(root: Path) -> list[Path]:
    return [path for path in (root.parent / "cache").iterdir() if (path / "meta.json").exists()]


def warnings_of(seen: list[Any]) -> list[str]:
    return [remark.text for remark in seen if isinstance(remark, Remark) and remark.warning]


def seen_text(seen: list[Any]) -> str:
    return "\n".join(remark.text for remark in seen if isinstance(remark, Remark))
