"""The images of a data set as squares, decoded at the first call only."""

import dataclasses
from collections.abc import Generator
from pathlib import Path

from cnn_core.datasets.build import Squares
from cnn_core.datasets.cache import Making, cached, disk_told
from cnn_core.datasets.decode import DECODER_VERSION, Corrupt
from cnn_core.datasets.fingerprint import fingerprint
from cnn_core.datasets.index import Images, Index
from cnn_core.progress import Progress, Remark


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Images (N,S,S,3); the corrupt ones, by position, are black.

    ``same`` are the positions of files of the same bytes, as in ``Fingerprint``. ``folder`` holds
    the pixels, and what else is to be kept of them; None where nothing was decoded.
    """

    images_NHWC: Images
    corrupt: dict[int, Corrupt]
    fingerprint: str
    same: tuple[tuple[int, ...], ...]
    folder: Path | None


def load_pixels(
    index: Index, image_size: int, resize: int, cache_dir: Path
) -> Generator[Progress | Remark, None, Pixels]:
    """Return the pixels of all images of the index.

    Raises UserError where ``cache_dir`` cannot be used or is too small.
    """
    with disk_told(cache_dir):
        known = yield from fingerprint(index, cache_dir / "fingerprints")
        array_NHWC = index.array_NHWC
        if (
            array_NHWC is not None
            and array_NHWC.shape[1:3] == (resize, resize) == (image_size,) * 2
        ):
            return Pixels(array_NHWC, {}, known.content, known.same, None)
        settings = {
            "content": known.content,
            "image_size": image_size,
            "resize": resize,
            "decoder": DECODER_VERSION,
        }

        def squares() -> Making:
            yield from ()
            return Squares(index, image_size, resize)

        found = yield from cached(settings, cache_dir, squares)
        corrupt = {
            position: Corrupt(index.names[position], why) for position, why in found.meta["corrupt"]
        }
        return Pixels(found.pixels, corrupt, known.content, known.same, found.folder)
