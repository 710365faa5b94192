"""Image files that are odd, broken or made to do harm, for the campaigns."""

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """Return an RGB image of random pixels."""
    drawn = np.random.default_rng(seed)
    return Image.fromarray(drawn.integers(0, 256, (height, width, 3), np.uint8))


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    """Return the file of an image."""
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def samples(form: str) -> list[bytes]:
    """Return valid files of a format, of all its kinds that decoders treat apart."""
    image = noise(31, 23)
    exif = Image.Exif()
    exif[0x0112] = 6
    kinds: dict[str, list[dict[str, object]]] = {
        "JPEG": [{}, {"progressive": True, "exif": exif}, {"restart_marker_blocks": 1}],
        "PNG": [{}, {"exif": exif, "dpi": (72, 72)}],
        "WEBP": [{}, {"lossless": True}, {"exif": exif}],
        "GIF": [{}, {"save_all": True, "append_images": [noise(31, 23, 1)]}],
        "BMP": [{}],
        "TIFF": [{"compression": name} for name in ("raw", "tiff_lzw", "tiff_deflate", "jpeg")],
    }
    files = [saved(image, form, **options) for options in kinds[form]]
    others = {"JPEG": ["L", "CMYK"], "PNG": ["P", "1", "LA", "I;16"], "TIFF": ["F", "I;16", "1"]}
    return files + [saved(_in_mode(image, mode), form) for mode in others.get(form, [])]


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    return image.convert(mode)


def damaged(content: bytes, drawn: random.Random) -> bytes:
    """Return a file with some bytes changed, cut out, put in, repeated, or its end cut off."""
    data = bytearray(content)
    for _ in range(drawn.choice([1, 1, 2, 4, 16])):
        place = drawn.randrange(len(data)) if drawn.random() < 0.5 else drawn.randrange(64)
        place = min(place, len(data) - 1)
        match drawn.randrange(6):
            case 0:
                data[place] ^= 1 << drawn.randrange(8)
            case 1:
                data[place : place + 4] = drawn.choice(
                    [b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"]
                )
            case 2:
                del data[place : place + drawn.choice([1, 2, 8, 100])]
            case 3:
                data[place:place] = drawn.randbytes(drawn.choice([1, 4, 32]))
            case 4:
                data[place:place] = data[place : place + 200] * drawn.choice([1, 10])
            case _:
                del data[max(1, place) :]
        if not data:
            data = bytearray(b"\0")
    return bytes(data)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def png(width: int, height: int, pixels: bytes, before: bytes = b"") -> bytes:
    """Return a grey PNG of any size that claims what it likes."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    parts = (header, before, _chunk(b"IDAT", pixels), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def bombs() -> Iterator[tuple[str, bytes]]:
    """Yield files of kilobytes that would fill the memory, or take hours."""
    gigabyte = zlib.compress(b"\0" * (1 << 30), 9)
    rows = zlib.compress((b"\0" + b"\1" * 8) * 8)
    yield "PNG of 100,000 x 100,000 pixels", png(100_000, 100_000, rows)
    yield "PNG of 1 x 80,000,000 pixels", png(1, 80_000_000, gigabyte)
    yield "PNG whose pixels unpack to a gigabyte", png(8, 8, gigabyte)
    for kind, start in ((b"zTXt", b"k\0\0"), (b"iTXt", b"k\0\1\0\0\0"), (b"iCCP", b"k\0\0")):
        yield (
            f"PNG with a gigabyte in {kind.decode()}",
            png(8, 8, rows, _chunk(kind, start + gigabyte)),
        )
    claims: dict[str, Callable[[bytearray], object]] = {
        "GIF": lambda data: struct.pack_into("<HH", data, 6, 65535, 65535),
        "GIF with a frame": lambda data: struct.pack_into(
            "<HH", data, data.find(b"\x2c") + 5, 65535, 65535
        ),
        "BMP": lambda data: struct.pack_into("<ii", data, 18, 2**31 - 1, 2**31 - 1),
        "TIFF": _claim_of_tiff,
        "WEBP": _claim_of_webp,
    }
    for name, claim in claims.items():
        form = name.split()[0]
        options = {"save_all": True, "append_images": [noise(8, 8, 1)]} if form == "WEBP" else {}
        data = bytearray(saved(noise(8, 8), form, **options))
        claim(data)
        yield f"{name} of as many pixels as it can claim", bytes(data)
    wide = saved(Image.new("L", (9000, 9000)), "JPEG", progressive=True)
    scan = wide[wide.rfind(b"\xff\xda") : -2]
    yield "JPEG of 10,000 scans", wide[:-2] + 10_000 * scan + wide[-2:]


def _claim_of_tiff(data: bytearray) -> None:
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        (tag,) = struct.unpack_from("<H", data, entry)
        if tag in (256, 257, 278):  # width, height, rows in a strip
            struct.pack_into("<HHII", data, entry, tag, 4, 1, 2**31 - 1)


def _claim_of_webp(data: bytearray) -> None:
    place = data.find(b"VP8X") + 12
    data[place : place + 6] = b"\xff\x3f\0" * 2  # 16,384 x 16,384


def odd_but_whole() -> Iterator[tuple[str, bytes]]:
    """Yield files that are unusual and yet images, which train as any other."""
    image = noise(12, 10)
    grey = np.asarray(image.convert("L"))
    yield "1x1.png", saved(noise(1, 1), "PNG")
    yield "thin.png", saved(noise(1, 5000), "PNG")
    yield "cmyk.jpg", saved(image.convert("CMYK"), "JPEG")
    yield "palette.gif", saved(image.convert("P"), "GIF")
    yield "alpha.png", saved(image.convert("RGBA"), "PNG")
    yield "grey alpha.png", saved(image.convert("LA"), "PNG")
    yield "one bit.png", saved(image.convert("1"), "PNG")
    yield "sixteen bits.png", saved(Image.fromarray(grey.astype(np.uint16) * 257), "PNG")
    floats = grey.astype(np.float32) / 255
    floats[0], floats[1] = np.nan, np.inf
    yield "not a number.tif", saved(Image.fromarray(floats), "TIFF")
    yield "a PNG.jpg", saved(image, "PNG")
    yield "animated.webp", saved(image, "WEBP", save_all=True, append_images=[noise(12, 10, 1)])
    yield "animated.gif", saved(image, "GIF", save_all=True, append_images=[noise(12, 10, 1)])
    yield "pages.tif", saved(image, "TIFF", save_all=True, append_images=[noise(12, 10, 1)])
    yield "broken EXIF.jpg", saved(image, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    yield (
        "turned.jpg",
        saved(
            image,
            "JPEG",
            exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0",
        ),
    )


def no_images() -> Iterator[tuple[str, bytes]]:
    """Yield files that are named like images and are none."""
    whole = saved(noise(64, 64), "JPEG")
    yield "empty.jpg", b""
    yield "cut.jpg", whole[: len(whole) // 2]
    yield "cut.png", saved(noise(64, 64), "PNG")[:2000]
    yield "head.jpg", whole[:20]
    yield "page.jpg", b"<!doctype html><html><body>404 Not Found</body></html>"
    yield "archive.png", b"PK\x03\x04" + bytes(100)
    yield "drawing.png", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
    yield "postscript.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"
    yield (
        "pickle.png",
        b"\x80\x04\x95\x1a\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
    )
