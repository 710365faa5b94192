"""One file to pixels: every mode and format, equality with torchvision, broken files."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_core.datasets import decode as decode_module
from cnn_core.datasets.decode import Corrupt, decode, fit


def pixels_of(path: Path, size: int = 8) -> np.ndarray:
    decoded = decode(path, path.name, size, size)
    assert isinstance(decoded, np.ndarray), decoded
    assert decoded.shape == (size, size, 3)
    assert decoded.dtype == np.uint8
    return decoded


def noise(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(width * 1000 + height)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("width", "height", "resize", "image_size"),
    [(31, 47, 24, 17), (47, 31, 17, 17), (5, 200, 9, 8), (33, 33, 33, 20), (64, 48, 100, 99)],
)
def test_fit_equals_torchvision(width: int, height: int, resize: int, image_size: int) -> None:
    from torchvision import transforms

    image = noise(width, height)
    theirs = transforms.Compose([transforms.Resize(resize), transforms.CenterCrop(image_size)])
    assert np.array_equal(fit(image, image_size, resize), np.asarray(theirs(image)))


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
