"""One file to pixels: every mode and format, the pixels of Pillow, broken files."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from cnn_core.datasets import decode as decode_module
from cnn_core.datasets.decode import Corrupt, decode, decode_whole


def pixels_of(path: Path, size: int = 8) -> np.ndarray:
    decoded = decode(path, path.name, size, size)
    assert isinstance(decoded, np.ndarray), decoded
    assert decoded.shape == (size, size, 3)
    assert decoded.dtype == np.uint8
    return decoded


def noise(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(width * 1000 + height)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def fit_by_pillow(image: Image.Image, image_size: int, resize: int) -> np.ndarray:
    from torchvision import transforms

    steps = transforms.Compose([transforms.Resize(resize), transforms.CenterCrop(image_size)])
    return np.asarray(steps(image))


SIZES = [
    (31, 47, 24, 17),
    (47, 31, 17, 17),
    (5, 200, 9, 8),
    (33, 33, 33, 20),
    (64, 48, 100, 99),
    (300, 225, 256, 224),
    (401, 1203, 64, 63),
    (1, 90, 3, 2),
    (90, 1, 5, 5),
    (1, 1, 40, 7),
    (16, 20, 224, 145),
]


@pytest.mark.parametrize(("width", "height", "resize", "image_size"), SIZES)
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("extension", ["jpg", "png"])
def test_pixels_are_those_of_pillow_within_two_levels(
    tmp_path: Path, width: int, height: int, resize: int, image_size: int, mode: str, extension: str
) -> None:
    file = tmp_path / f"x.{extension}"
    noise(width, height).convert(mode).save(file)
    ours = decode(file, "x", image_size, resize)
    assert isinstance(ours, np.ndarray)
    with Image.open(file) as image:
        theirs = fit_by_pillow(image.convert("RGB"), image_size, resize)
    differences = np.abs(ours.astype(int) - theirs)
    assert differences.max() <= 2
    assert differences.mean() <= 0.25
    if resize == min(width, height):
        assert np.array_equal(ours, theirs)


def test_black_and_white_stay_so(tmp_path: Path) -> None:
    for level in (0, 255):
        Image.new("L", (301, 199), level).save(tmp_path / "x.png")
        for resize in (8, 37, 450):
            pixels = decode(tmp_path / "x.png", "x", 8, resize)
            assert (pixels == level).all()


JPEGS: dict[str, dict[str, Any]] = {
    "progressive": {"progressive": True},
    "full colour": {"subsampling": 0},
    "half colour": {"subsampling": 1},
    "restarts": {"restart_marker_blocks": 4},
    "red, green, blue": {"keep_rgb": True},
    "coarse": {"quality": 5},
    "several frames": {"format": "MPO", "save_all": True, "append_images": [noise(40, 30)]},
    "turned": {"exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"},
}


@pytest.mark.parametrize("kind", [*JPEGS, "CMYK", "a byte more"])
def test_jpegs_of_all_kinds(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "x.jpg"
    image = noise(57, 43).filter(ImageFilter.GaussianBlur(2))
    image.convert("CMYK" if kind == "CMYK" else "RGB").save(
        file, **{"format": "JPEG", **JPEGS.get(kind, {})}
    )
    if kind == "a byte more":
        file.write_bytes(file.read_bytes() + b"\0")
    with Image.open(file) as image:
        theirs = fit_by_pillow(ImageOps.exif_transpose(image).convert("RGB"), 40, 43)
    assert np.array_equal(decode(file, "x", 40, 43), theirs)


def test_damaged_jpegs_are_taken_and_refused_as_by_pillow(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.jpg"
    noise(64, 64).save(file)
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    taken = 0
    for _ in range(150):
        content = np.frombuffer(whole, np.uint8).copy()
        content[rng.integers(0, len(whole), rng.choice([1, 4]))] = rng.integers(256)
        file.write_bytes(content[: len(whole) - int(rng.choice([0, 0, 1, 2, 9]))].tobytes())
        try:
            with Image.open(file) as image:
                theirs = fit_by_pillow(image.convert("RGB"), 64, 64)
        except (OSError, SyntaxError):
            theirs = None
        ours = decode(file, "x", 64, 64)
        assert isinstance(ours, Corrupt) == (theirs is None)
        if theirs is not None and image.size == (64, 64):
            assert np.array_equal(ours, theirs)
            taken += 1
    assert 30 < taken < 140
    capfd.readouterr()  # libjpeg says what it found


def test_too_long_and_thin_is_corrupt(tmp_path: Path) -> None:
    Image.new("L", (20_000, 1)).save(tmp_path / "x.png")
    broken = decode(tmp_path / "x.png", "x.png", 224, 224)
    assert isinstance(broken, Corrupt)
    assert "long and thin" in broken.why


@pytest.mark.parametrize("extension", ["png", "bmp", "gif", "tif", "webp", "jpg"])
def test_formats(tmp_path: Path, extension: str) -> None:
    Image.new("RGB", (8, 8), (200, 100, 50)).save(tmp_path / f"x.{extension}")
    assert np.abs(pixels_of(tmp_path / f"x.{extension}").astype(int) - (200, 100, 50)).max() <= 3


@pytest.mark.parametrize(
    ("image", "suffix", "expected"),
    [
        (Image.new("L", (8, 8), 77), "png", (77, 77, 77)),
        (Image.new("1", (8, 8), 1), "png", (255, 255, 255)),
        (Image.new("LA", (8, 8), (0, 0)), "png", (255, 255, 255)),
        (Image.new("RGBA", (8, 8), (255, 0, 0, 51)), "png", (255, 204, 204)),
        (Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "tif", (255, 0, 0)),
        (Image.fromarray(np.full((8, 8), 257 * 99, np.uint16)), "png", (99, 99, 99)),
        (Image.fromarray(np.full((8, 8), 257 * 99, np.uint16)), "tif", (99, 99, 99)),
        (Image.fromarray(np.full((8, 8), 257 * 99, np.int32)), "tif", (99, 99, 99)),
        (Image.fromarray(np.full((8, 8), 0.4, np.float32)), "tif", (102, 102, 102)),
        (Image.fromarray(np.full((8, 8), 102.0, np.float32)), "tif", (102, 102, 102)),
    ],
    ids=lambda value: getattr(value, "mode", None),
)
def test_modes(
    tmp_path: Path, image: Image.Image, suffix: str, expected: tuple[int, int, int]
) -> None:
    image.save(tmp_path / f"x.{suffix}")
    assert (pixels_of(tmp_path / f"x.{suffix}") == expected).all()


@pytest.mark.parametrize("transparency", [1, bytes([255, 0])])
def test_transparent_palette_is_composed_on_white(
    tmp_path: Path, transparency: int | bytes
) -> None:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([10, 20, 30, 0, 0, 0])
    image.paste(1, (4, 0, 8, 8))
    image.save(tmp_path / "x.png", transparency=transparency)
    pixels = pixels_of(tmp_path / "x.png")
    assert (pixels[:, :4] == (10, 20, 30)).all()
    assert (pixels[:, 4:] == 255).all()


def test_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert (pixels_of(tmp_path / "x.gif") == (255, 0, 0)).all()


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    image = Image.new("RGB", (8, 8), "black")
    image.paste("white", (0, 0, 8, 4))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    image.save(tmp_path / "x.png", exif=exif)
    pixels = pixels_of(tmp_path / "x.png")
    assert (pixels[:4] == 0).all()
    assert (pixels[4:] == 255).all()


def test_broken_files_are_corrupt(tmp_path: Path) -> None:
    stream = io.BytesIO()
    noise(64, 64).save(stream, "JPEG")
    whole = stream.getvalue()
    stream = io.BytesIO()
    noise(64, 64).save(stream, "PNG")
    png = stream.getvalue()
    broken = {
        "empty": b"",
        "text": b"hello",
        "half.jpg": whole[: len(whole) // 2],
        "head.jpg": whole[:20],
        "half.png": png[: len(png) // 2],
    }
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
        result = decode(tmp_path / name, name, 8, 8)
        assert isinstance(result, Corrupt), name
        assert result.name == name
        assert result.why
        assert "0x" not in result.why
    missing = decode(tmp_path / "missing", "missing", 8, 8)
    assert missing == Corrupt("missing", "No such file or directory")


def test_a_bomb_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("1", (300, 300)).save(tmp_path / "x.png")
    monkeypatch.setattr(decode_module, "MAX_PIXELS", 80_000)
    result = decode(tmp_path / "x.png", "x.png", 8, 8)
    assert result == Corrupt("x.png", "300x300 pixels, above 80000")


def test_a_real_bomb_is_refused(tmp_path: Path) -> None:
    Image.new("1", (10_000, 9_000)).save(tmp_path / "x.png")
    assert isinstance(decode(tmp_path / "x.png", "x.png", 8, 8), Corrupt)


@pytest.mark.parametrize("size", [(80_000, 1), (1, 80_000)])
def test_what_is_too_thin_is_refused_before_it_is_decoded(
    tmp_path: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("1", size).save(tmp_path / "x.png")
    monkeypatch.setattr(decode_module, "_pixels", None)
    result = decode(tmp_path / "x.png", "x.png", 64, 64)
    assert result == Corrupt("x.png", f"{size[0]}x{size[1]} pixels are too long and thin to scale")


def test_a_jpeg_of_very_many_scans_is_refused(tmp_path: Path) -> None:
    noise(16, 16).save(tmp_path / "x.jpg", progressive=True)
    whole = (tmp_path / "x.jpg").read_bytes()
    last = whole[whole.rfind(b"\xff\xda") : -2]
    # What looks like the beginning of a scan in a comment is none.
    comment = b"\xff\xfe\x01\x00" + b"\xff\xda" * 127
    (tmp_path / "x.jpg").write_bytes(whole[:2] + comment + whole[2:])
    pixels_of(tmp_path / "x.jpg")
    (tmp_path / "x.jpg").write_bytes(whole[:-2] + 100 * last + whole[-2:])
    result = decode(tmp_path / "x.jpg", "x.jpg", 8, 8)
    assert result == Corrupt("x.jpg", "a JPEG of more than 100 scans")


def test_a_file_that_is_no_image_starts_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    postscript = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    (tmp_path / "x.jpg").write_text(postscript)
    result = decode(tmp_path / "x.jpg", "x", 8, 8)
    assert result == Corrupt("x", "not a BMP, GIF, JPEG, PNG, PPM, TIFF or WebP image")
    assert not (tmp_path / "ran").exists()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("exif", [b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\xff\x7f", b"\0"])
@pytest.mark.parametrize("extension", ["jpg", "png", "webp"])
def test_broken_exif_is_no_broken_image(tmp_path: Path, extension: str, exif: bytes) -> None:
    Image.new("RGB", (8, 8), (200, 100, 50)).save(tmp_path / f"x.{extension}", exif=exif)
    assert np.abs(pixels_of(tmp_path / f"x.{extension}").astype(int) - (200, 100, 50)).max() <= 3


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("extension", ["jpg", "png", "tif", "webp"])
def test_every_orientation_is_that_of_pillow(
    tmp_path: Path, extension: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    noise(9, 7).save(tmp_path / f"x.{extension}", exif=exif)
    with Image.open(tmp_path / f"x.{extension}") as image:
        theirs = fit_by_pillow(ImageOps.exif_transpose(image), 7, 7)
    assert np.array_equal(pixels_of(tmp_path / f"x.{extension}", 7), theirs)


def test_only_files_are_read_and_none_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")  # to open it would wait for who writes it
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "endless.jpg").symlink_to("/dev/zero")
    noise(64, 64).save(tmp_path / "large.png")
    monkeypatch.setattr(decode_module, "MAX_BYTES", 1000)
    for name, why in {
        "pipe.jpg": "not a regular file",
        "endless.jpg": "not a regular file",
        "folder.jpg": "Is a directory",
        "large.png": "0 MB, above 0 MB",
    }.items():
        assert decode(tmp_path / name, name, 8, 8) == Corrupt(name, why)
        assert decode_whole(tmp_path / name, name, 8) == Corrupt(name, why)
