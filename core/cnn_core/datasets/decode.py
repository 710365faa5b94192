"""One image file to 8-bit RGB pixels, square or whole.

Pillow says what a file is and decodes it, but for the plain JPEGs, which torchvision decodes
faster to the same pixels, and where that refuses one, Pillow has the last word.
"""

import dataclasses
import io
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from cnn_core.datasets.index import Images
from cnn_core.errors import is_out_of_memory
from cnn_core.regular_files import open_regular, read_regular

DECODER_VERSION = 3
"""Counts up whenever the same file would give other pixels, so that no old cache is used."""

MAX_PIXELS = 89_478_485
"""Larger images are refused: 256 MiB as RGB, Pillow's own limit of suspicion."""

MAX_BYTES = 1 << 30
"""Larger files are refused: 16-bit RGBA of that many pixels is smaller."""

MAX_SCANS = 100
"""A JPEG of more is refused, as by libtiff: each of them may cost as much as a whole image."""

FORMATS = ("BMP", "DIB", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""All that is read. Pillow knows more, some by programs of their own: PostScript by Ghostscript."""

JPEG = ("JPEG", "MPO")
_GREY_AT_ONCE = 1 << 20
_SCAN = re.compile(rb"\xff\xda\0(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
# ImageOps.exif_transpose also writes the EXIF data anew, and fails where they are broken.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Corrupt:
    """An image that cannot be used, and why; ``unread`` where not even its bytes could be had."""

    name: str
    why: str
    unread: bool = False


def set_up_pillow() -> None:
    """Make Pillow ready for threads that decode many files."""
    # It warns about odd metadata; a data set with thousands of such files is still fine.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    Image.init()  # loads every plugin now, rather than in all threads at once


def decode(path: Path, name: str, image_size: int, resize: int) -> Images | Corrupt:
    """Return the pixels of a file, uint8 (image_size, image_size, 3), or why there are none.

    The first frame, turned upright by its EXIF orientation; transparent pixels on white; 16-bit
    and float grey scaled to 8 bits; then ``fit``.
    """
    return _decode(
        path,
        name,
        lambda size: _check_scaled(size, resize),
        lambda pixels_HWC: fit(pixels_HWC, image_size, resize),
    )


def decode_whole(path: Path, name: str, largest_short: int) -> Images | Corrupt:
    """Do as ``decode`` does, without a crop: uint8 (height, width, 3).

    Where the shorter side is longer than ``largest_short``, it is scaled to that.
    """
    return _decode(
        path, name, lambda _: None, lambda pixels_HWC: _shrunk(pixels_HWC, largest_short)
    )


def whole_bytes(path: Path, largest_short: int) -> int:
    """Return the number of bytes of what ``decode_whole`` gives, 0 where the header is broken."""
    try:
        with open_regular(path) as file, Image.open(file, formats=FORMATS) as image:
            height, width = _shrunk_size((image.height, image.width), largest_short)
    except Exception as error:  # told as corrupt when it is decoded
        if is_out_of_memory(error):
            raise
        return 0
    return 3 * height * width


def fit(pixels_HWC: Images, image_size: int, resize: int) -> Images:
    """Scale the shorter side to ``resize`` and cut out the centre, (image_size, image_size, 3).

    torchvision's ``Resize(resize)`` and ``CenterCrop(image_size)``, but for the rounding that
    ``tensors.resized`` tells of. Raises ValueError where the scaled image would be too large;
    ``resize`` is not below ``image_size``.
    """
    from cnn_core.datasets.tensors import resized

    height, width = pixels_HWC.shape[:2]
    _check_scaled((height, width), resize)
    size = _scaled_size((height, width), resize)
    top, left = (round((side - image_size) / 2) for side in size)
    return resized(pixels_HWC, size)[top : top + image_size, left : left + image_size]


def _check_scaled(size: tuple[int, int], resize: int) -> None:
    height, width = _scaled_size(size, resize)
    if height * width > MAX_PIXELS:
        raise ValueError(f"{size[1]}x{size[0]} pixels are too long and thin to scale")


def _shrunk(pixels_HWC: Images, largest_short: int) -> Images:
    from cnn_core.datasets.tensors import resized

    height, width = pixels_HWC.shape[:2]
    return resized(pixels_HWC, _shrunk_size((height, width), largest_short))


def _shrunk_size(size: tuple[int, int], largest_short: int) -> tuple[int, int]:
    return _scaled_size(size, largest_short) if min(size) > largest_short else size


def _scaled_size(size: tuple[int, int], short: int) -> tuple[int, int]:
    """Return (height, width) scaled so that the shorter side is ``short``, as torchvision does."""
    height, width = size
    if width <= height:
        return int(short * height / width), short
    return short, int(short * width / height)


def _decode(
    path: Path,
    name: str,
    check: Callable[[tuple[int, int]], None],
    finish: Callable[[Images], Images],
) -> Images | Corrupt:
    """Return what ``finish`` makes of the pixels; ``check`` sees (height, width) before them."""
    # Not below, where a torch that can't be imported would be taken for a broken image; and not
    # above, for lists of data sets show at once.
    import cnn_core.datasets.tensors  # noqa: F401

    try:
        content = read_regular(path, MAX_BYTES)
    except OSError as error:
        return Corrupt(name, error.strerror or type(error).__name__, unread=True)
    if not content:
        return Corrupt(name, "the file is empty")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                return Corrupt(name, f"{image.width}x{image.height} pixels, above {MAX_PIXELS}")
            check((image.height, image.width))
            if image.format in JPEG and _scans(content) > MAX_SCANS:
                return Corrupt(name, f"a JPEG of more than {MAX_SCANS} scans")
            return finish(_pixels(image, content))
    except UnidentifiedImageError:
        return Corrupt(name, "not an image: no BMP, GIF, JPEG, PNG, PPM, TIFF or WebP")
    except Exception as error:  # on broken bytes Pillow raises almost anything
        if is_out_of_memory(error):  # which says nothing of the image
            raise
        return Corrupt(name, str(error) or type(error).__name__)


def _scans(content: bytes) -> int:
    """Return how many scans a JPEG may have, no fewer than it has."""
    # Counting two bytes is quick, and nearly always enough.
    return 0 if content.count(b"\xff\xda") <= MAX_SCANS else len(_SCAN.findall(content))


def _pixels(image: Image.Image, content: bytes) -> Images:
    """Return the upright pixels (height, width, 3) of an image that was opened from ``content``."""
    from cnn_core.datasets.tensors import pixels_of_jpeg

    if image.format not in JPEG:
        image.load()  # which turns a TIFF; and a PNG may tell its orientation after the pixels
    turn = _UPRIGHT.get(_orientation(image))
    if image.format in JPEG and image.mode in ("L", "RGB") and turn is None:
        pixels_HWC = pixels_of_jpeg(content)
        if pixels_HWC is not None and pixels_HWC.shape[1::-1] == image.size:
            return pixels_HWC
    return np.asarray(to_rgb(image if turn is None else image.transpose(turn)))


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation; 1, upright, where the EXIF data are broken: the image is not."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001 - on broken bytes Pillow raises almost anything
        return 1
    return orientation if isinstance(orientation, int) else 1


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an image of any of Pillow's modes as RGB."""
    if image.mode == "F" or image.mode.startswith("I"):
        image = Image.fromarray(_to_8_bits(np.asarray(image)))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        image = Image.alpha_composite(white, rgba)
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_8_bits(grey_HW: np.ndarray[tuple[int, ...], np.dtype[np.number]]) -> Images:
    """Return grey values as 8 bits: floats up to 1 and 16-bit integers are scaled to 255.

    Pillow gives 16-bit files as 16- or 32-bit integers, depending on its version and the format.
    """
    floats = np.issubdtype(grey_HW.dtype, np.floating)
    scale = 255 / 65535
    if floats:
        scale = 255.0 if grey_HW.max(where=np.isfinite(grey_HW), initial=0) <= 1 else 1.0
    flat, grey = grey_HW.reshape(-1), np.empty(grey_HW.size, np.uint8)
    for start in range(0, len(flat), _GREY_AT_ONCE):  # the products of all would be eight times it
        some = flat[start : start + _GREY_AT_ONCE]
        if floats:
            some = np.nan_to_num(some, posinf=0, neginf=0)
        grey[start : start + len(some)] = np.clip(np.rint(some * scale), 0, 255)
    return grey.reshape(grey_HW.shape)
