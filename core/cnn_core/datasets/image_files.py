"""Image files in folders and in lists of lines ``class/file``."""

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from cnn_core.datasets.index import TEST, TRAIN, VAL, Index, index_of_files
from cnn_core.errors import UserError, did_you_mean, printable
from cnn_core.regular_files import read_regular

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
LISTS = {"train.txt": TRAIN, "val.txt": VAL, "test.txt": TEST}


def folders_in(folder: Path) -> list[str]:
    """Return the names of the folders in ``folder``, sorted; hidden ones are left out."""
    with os.scandir(folder) as entries:
        return sorted(e.name for e in entries if not e.name.startswith(".") and _is(e.is_dir))


def images_below(folder: Path) -> list[str]:
    """Return the image files below ``folder``, relative to it, sorted.

    Hidden files and folders are left out; a folder reached twice through links counts once,
    so that links to a parent end.
    """
    found: list[str] = []
    seen: set[tuple[int, int]] = set()
    pending = [""]
    while pending:
        prefix = pending.pop()
        path = os.path.join(folder, prefix)  # noqa: PTH118 - Path is slow for 60,000 files
        status = os.stat(path)  # noqa: PTH116
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if os.path.splitext(entry.name)[1].lower() in EXTENSIONS:  # noqa: PTH122
                    if _is(entry.is_file):
                        found.append(prefix + entry.name)
                elif _is(entry.is_dir):
                    pending.append(f"{prefix}{entry.name}/")
    return sorted(found)


def _is(kind: Callable[[], bool]) -> bool:
    """Return whether an entry is of a kind; a link that leads to itself is of none."""
    try:
        return kind()
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return False


def named_images(paths: Iterable[Path]) -> list[Path]:
    """Return the files that are named, and the images in and below the folders, sorted in each.

    Raises UserError where a path does not exist, or a folder can't be read or holds no image.
    """
    files: list[Path] = []
    for path in paths:
        try:
            if path.is_dir():
                below = images_below(path)
                if not below:
                    expected = ", ".join(sorted(EXTENSIONS))
                    raise UserError(f"{printable(path)}: no image there; expected {expected} files")
                files += [path / name for name in below]
            elif path.exists():
                files.append(path)
            else:
                raise UserError(f"no file {printable(path)}{_nearest(path)}")
        except OSError as error:
            place = printable(error.filename or path)
            raise UserError(f"{place}: can't be read: {error.strerror}") from error
    return files


def _nearest(path: Path) -> str:
    """Return the name in the folder that is most like the path's, or that there is no folder."""
    if not path.parent.is_dir():
        return f"; there is no folder {printable(path.parent)}"
    with os.scandir(path.parent) as entries:
        return printable(did_you_mean(path.name, [entry.name for entry in entries]))


def images_of_classes(folder: Path, folders: Sequence[str]) -> list[list[str]]:
    """Return the images of each class folder, relative to ``folder``.

    Raises UserError naming the class folders that hold no image.
    """
    images = [[f"{name}/{image}" for image in images_below(folder / name)] for name in folders]
    if empty := [name for name, held in zip(folders, images, strict=True) if not held]:
        shown = ", ".join(f"'{printable(name)}'" for name in empty[:10])
        more = f" and {len(empty) - 10} more" if len(empty) > 10 else ""
        raise UserError(
            f"{printable(folder)}: no image in class folder {shown}{more}; expected "
            f"{', '.join(sorted(EXTENSIONS))} files: add images or remove the folder"
        )
    return images


def index_of_folders(
    root: Path, folders: Sequence[str], classes: Sequence[str], part: int
) -> Index:
    """Return the images of one folder a class, all of the same ``part``."""
    images = images_of_classes(root, folders)
    names = [name for held in images for name in held]
    labels = [label for label, held in enumerate(images) for _ in held]
    return index_of_files(root, classes, names, labels, [part] * len(names))


def index_of_lists(
    lists: Path,
    root: Path,
    folders: Sequence[str],
    classes: Sequence[str],
    dropped: frozenset[str] = frozenset(),
) -> Index:
    """Return the images in ``root`` that train.txt, val.txt and test.txt in ``lists`` name.

    Lines whose class is in ``dropped`` are passed over, images in no list are left out. Raises
    UserError with file and line for a missing image, an unknown class, or an image listed twice,
    and for a class that train.txt does not list.
    """
    present = {name for held in images_of_classes(root, folders) for name in held}
    label_of = {folder: label for label, folder in enumerate(folders)}
    where: dict[str, str] = {}
    labels: list[int] = []
    parts: list[int] = []
    for file, part in LISTS.items():
        for number, text in _lines(lists / file):
            line = text if text in present else text.strip()
            folder = line.split("/", 1)[0]
            if folder in dropped:
                continue
            if line not in present or line in where:
                place = f"{printable(lists / file)}, line {number}"
                raise UserError(f"{place}: {_mistake(line, root, label_of, where)}")
            where[line] = f"{file}, line {number}"
            labels.append(label_of[folder])
            parts.append(part)
        if part == TRAIN and (unlisted := sorted(set(label_of.values()) - set(labels))):
            raise UserError(
                f"{printable(lists / file)}: no image of class '{printable(folders[unlisted[0]])}'"
                + (f" and {len(unlisted) - 1} more classes" if len(unlisted) > 1 else "")
            )
    return index_of_files(root, classes, list(where), labels, parts)


def _mistake(line: str, root: Path, label_of: dict[str, int], where: dict[str, str]) -> str:
    if line in where:
        return f"'{printable(line)}' is listed already in {where[line]}"
    name, slash, _ = line.partition("/")
    if not slash:
        return f"'{printable(line)}' is not of the form class/file"
    if name not in label_of:
        return f"unknown class '{printable(name)}'{printable(did_you_mean(name, label_of))}"
    return f"no image '{printable(line)}' in {printable(root)}"


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of the lines that are not empty; a file that is not there has none."""
    if not path.exists():
        return
    # File names need not be UTF-8; surrogates stand for their other bytes, as in os.scandir.
    text = read_regular(path).removeprefix(b"\xef\xbb\xbf").decode(errors="surrogateescape")
    for number, line in enumerate(text.split("\n"), start=1):
        if line := line.removesuffix("\r"):
            yield number, line
