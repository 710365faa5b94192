"""One image file to square 8-bit RGB pixels."""

import dataclasses
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from cnn_core.datasets.index import Images

DECODER_VERSION = 1
"""Counts up whenever the same file would give other pixels, so that no old cache is used."""

MAX_PIXELS = 89_478_485
"""Larger images are refused: 256 MiB as RGB, Pillow's own limit of suspicion."""


@dataclasses.dataclass(frozen=True, slots=True)
class Corrupt:
    """An image that cannot be used, and why."""

    name: str
    why: str


def decode(path: Path, name: str, image_size: int, resize: int) -> Images | Corrupt:
    """Return the pixels of a file, uint8 (image_size, image_size, 3), or why there are none.

    The first frame, turned upright by its EXIF orientation; transparent pixels on white; 16-bit
    and float grey scaled to 8 bits; then ``fit``.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        return Corrupt(name, error.strerror or type(error).__name__)
    if not content:
        return Corrupt(name, "the file is empty")
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.width * image.height > MAX_PIXELS:
                return Corrupt(name, f"{image.width}x{image.height} pixels, above {MAX_PIXELS}")
            return fit(to_rgb(ImageOps.exif_transpose(image)), image_size, resize)
    except UnidentifiedImageError:
        return Corrupt(name, "not an image that Pillow can read")
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - on broken bytes Pillow raises almost anything
        return Corrupt(name, str(error) or type(error).__name__)


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an image of any of Pillow's modes as RGB."""
    if image.mode == "F" or image.mode.startswith("I"):
        image = Image.fromarray(_to_8_bits(np.asarray(image)))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        image = Image.alpha_composite(white, rgba)
    return image.convert("RGB")


def fit(image: Image.Image, image_size: int, resize: int) -> Images:
    """Scale the shorter side to ``resize`` and cut out the centre, (image_size, image_size, 3).

    Equal to torchvision's ``Resize(resize)`` (bilinear, antialiased) and
    ``CenterCrop(image_size)`` on a PIL image, of which this repeats the arithmetic. Raises
    ValueError where the scaled image would be too large; ``resize`` is not below ``image_size``.
    """
    short, long = sorted(image.size)
    scaled = int(resize * long / short)
    if resize * scaled > MAX_PIXELS:
        raise ValueError(f"{image.width}x{image.height} pixels are too long and thin to scale")
    size = (resize, scaled) if image.width <= image.height else (scaled, resize)
    if size != image.size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    left = round((image.width - image_size) / 2)
    top = round((image.height - image_size) / 2)
    pixels: Images = np.asarray(image.crop((left, top, left + image_size, top + image_size)))
    return pixels


def _to_8_bits(grey_HW: np.ndarray[tuple[int, ...], np.dtype[np.number]]) -> Images:
    """Return grey values as 8 bits: floats up to 1 and 16-bit integers are scaled to 255.

    Pillow gives 16-bit files as 16- or 32-bit integers, depending on its version and the format.
    """
    if np.issubdtype(grey_HW.dtype, np.floating):
        finite = np.nan_to_num(grey_HW, posinf=0, neginf=0)
        scale = 255.0 if finite.max() <= 1 else 1.0
    else:
        finite, scale = grey_HW, 255 / 65535
    grey: Images = np.clip(np.rint(finite * scale), 0, 255).astype(np.uint8)
    return grey
