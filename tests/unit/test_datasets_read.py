"""Every layout of files is read, whatever the names; wrong ones are told in one line."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_core.config import Data
from cnn_core.datasets.catalog import DATASETS, open_index, resolved_image_size
from cnn_core.datasets.index import TEST, TRAIN, UNDIVIDED, VAL, Index
from cnn_core.errors import UserError

HOSTILE = ["with space", "ünï 日本", "[brackets]*?", "esc\x1b[31m", "new\nline", "sur\udcffrogate"]


def add(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(path, "PNG")


def folder(data_dir: Path, dataset: str = "folder", **keys: object) -> Index:
    return open_index(Data(dataset=dataset, **keys), data_dir)


def labelled(index: Index) -> list[tuple[str, str, int]]:
    rows = zip(index.names, index.labels, index.parts, strict=True)
    return sorted((name, index.classes[label], int(part)) for name, label, part in rows)


@pytest.mark.parametrize("val", ["val", "valid", "validation"])
def test_parts_with_a_folder_a_class(tmp_path: Path, val: str) -> None:
    root = tmp_path / "folder"
    add(root, "train/b/1.PNG", "train/a/deep/2.jpeg", f"{val}/a/3.tif", "test/b/4.webp")
    add(root, "train/b/.hidden.png", ".trash/c/5.png")
    (root / "train/b/notes.md").write_text("not an image")
    index = folder(tmp_path)
    assert index.classes == ("a", "b")
    assert labelled(index) == [
        ("test/b/4.webp", "b", TEST),
        ("train/a/deep/2.jpeg", "a", TRAIN),
        ("train/b/1.PNG", "b", TRAIN),
        (f"{val}/a/3.tif", "a", VAL),
    ]
    assert index.files is not None
    assert all(file == root / name for file, name in zip(index.files, index.names, strict=True))


def test_a_folder_a_class_sorted_as_sorted_does(tmp_path: Path) -> None:
    add(tmp_path / "mine", "b/1.png", "A/1.png", "train/1.png", "é/1.png")
    index = folder(tmp_path, root="mine")
    assert index.classes == ("A", "b", "train", "é")
    assert (index.parts == UNDIVIDED).all()
    assert folder(Path("/nowhere"), root=str(tmp_path / "mine")).names == index.names


def test_hostile_names(tmp_path: Path) -> None:
    names = [f"{a}/{b}.png" for a in HOSTILE for b in HOSTILE]
    add(tmp_path / "folder", *names)
    index = folder(tmp_path)
    assert index.classes == tuple(sorted(HOSTILE))
    assert sorted(index.names) == sorted(names)
    listed = [name for name in names if "\n" not in name]
    for class_name in HOSTILE:
        if "\n" in class_name:
            for image in HOSTILE:
                (tmp_path / "folder" / class_name / f"{image}.png").unlink()
            (tmp_path / "folder" / class_name).rmdir()
    text = "\r\n".join(listed)
    (tmp_path / "folder/train.txt").write_bytes(b"\xef\xbb\xbf" + os.fsencode(text))
    assert list(folder(tmp_path).names) == listed


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    add(tmp_path / "folder", "a/1.png", "elsewhere/2.png")
    (tmp_path / "folder/a/up").symlink_to(tmp_path / "folder/a")
    (tmp_path / "folder/b").symlink_to(tmp_path / "folder/elsewhere")
    (tmp_path / "folder/a/gone.png").symlink_to(tmp_path / "nothing.png")
    for name in ("a/itself.png", "a/itself", "itself"):
        (tmp_path / "folder" / name).symlink_to(tmp_path / "folder" / name)
    assert folder(tmp_path).names == ("a/1.png", "b/2.png", "elsewhere/2.png")


def test_lists(tmp_path: Path) -> None:
    add(tmp_path / "folder", "a/1.png", "a/2.png", "a/3.png", "b/1.png", "b/2.png")
    (tmp_path / "folder/train.txt").write_text("a/1.png\n\nb/1.png\n")
    (tmp_path / "folder/val.txt").write_text("b/2.png \n")
    (tmp_path / "folder/test.txt").write_text("a/3.png")
    assert labelled(folder(tmp_path)) == [
        ("a/1.png", "a", TRAIN),
        ("a/3.png", "a", TEST),
        ("b/1.png", "b", TRAIN),
        ("b/2.png", "b", VAL),
    ]


@pytest.mark.parametrize(
    ("test_list", "message"),
    [
        ("b/1.png\na/missing.png", r"test\.txt, line 2: no image 'a/missing\.png' in "),
        ("bb/1.png", r"test\.txt, line 1: unknown class 'bb'; did you mean 'b'\?"),
        ("1.png", r"test\.txt, line 1: '1\.png' is not of the form class/file"),
        ("b/1.png\nb/1.png", r"test\.txt, line 2: 'b/1\.png' is listed .* in test\.txt, line 1"),
        ("a/1.png", r"test\.txt, line 1: 'a/1\.png' is listed already in train\.txt, line 1"),
        ("a/../b/1.png", r"line 1: no image 'a/\.\./b/1\.png'"),
        ("a/\x1b[2J.png", r"no image 'a/\\x1b\[2J\.png'"),
    ],
)
def test_wrong_lists(tmp_path: Path, test_list: str, message: str) -> None:
    add(tmp_path / "folder", "a/1.png", "b/1.png", "b/2.png")
    (tmp_path / "folder/train.txt").write_text("a/1.png\nb/2.png\n")
    (tmp_path / "folder/test.txt").write_text(test_list)
    with pytest.raises(UserError, match=message):
        folder(tmp_path)


def test_wrong_folders(tmp_path: Path) -> None:
    root = tmp_path / "folder"
    with pytest.raises(UserError, match=r"(?s)not found; looked for .*--data-dir.*CNN_TUI_DATA"):
        folder(tmp_path)
    root.mkdir()
    with pytest.raises(UserError, match="one for each class"):
        folder(tmp_path)
    add(root, "train/a/1.png", "train/b/1.png", "test/a/1.png")
    (root / "train/empty\x1b").mkdir()
    with pytest.raises(UserError, match=r"no image in class folder 'empty\\x1b'"):
        folder(tmp_path)
    (root / "train/empty\x1b").rmdir()
    add(root, "test/aa/1.png")
    with pytest.raises(UserError, match=r"class 'aa' has no folder in train; did you mean 'a'\?"):
        folder(tmp_path)
    (root / "test/aa").rename(root / "test/b")
    add(root, "val/a/1.png", "valid/a/1.png")
    with pytest.raises(UserError, match="more than one folder of validation images: val, valid"):
        folder(tmp_path)


def test_parts_without_classes(tmp_path: Path) -> None:
    add(tmp_path / "folder", "train/1.png", "test/1.png")
    with pytest.raises(UserError, match=r"train: no folders; expected one for each class"):
        folder(tmp_path)


def test_a_class_that_is_not_listed(tmp_path: Path) -> None:
    add(tmp_path / "folder", "a/1.png", "b/1.png")
    (tmp_path / "folder/train.txt").write_text("a/1.png")
    with pytest.raises(UserError, match=r"train\.txt: no image of class 'b'"):
        folder(tmp_path)


def test_subset_of_classes_in_the_order_given(tmp_path: Path) -> None:
    add(tmp_path / "folder", "cat/1.png", "dog/1.png", "dog/2.png", "cow/1.png")
    index = folder(tmp_path, classes=["dog", "cat"])
    assert index.classes == ("dog", "cat")
    assert labelled(index) == [
        ("cat/1.png", "cat", UNDIVIDED),
        ("dog/1.png", "dog", UNDIVIDED),
        ("dog/2.png", "dog", UNDIVIDED),
    ]
    with pytest.raises(UserError, match=r"data\.classes: unknown class 'dgo'; did you mean 'dog'"):
        folder(tmp_path, classes=["dgo"])


@pytest.mark.parametrize("below", ["101_ObjectCategories/", ""])
def test_caltech101(tmp_path: Path, below: str) -> None:
    root = tmp_path / "caltech101"
    add(root, *(f"{below}{name}/1.jpg" for name in ("Faces", "ant", "BACKGROUND_Google")))
    add(root, f"{below}ant/2.jpg")
    index = folder(tmp_path, "caltech101")
    assert index.classes == ("ant", "Faces")
    assert (index.parts == UNDIVIDED).all()
    (root / "train.txt").write_text("Faces/1.jpg\nBACKGROUND_Google/1.jpg\nant/2.jpg\n")
    (root / "test.txt").write_text("ant/1.jpg\n")
    assert labelled(folder(tmp_path, "caltech101")) == [
        ("Faces/1.jpg", "Faces", TRAIN),
        ("ant/1.jpg", "ant", TEST),
        ("ant/2.jpg", "ant", TRAIN),
    ]


def test_caltech256(tmp_path: Path) -> None:
    names = ("002.american-flag", "001.ak47", "257.clutter")
    add(tmp_path / "caltech256/256_ObjectCategories", *(f"{name}/1.jpg" for name in names))
    index = folder(tmp_path, "caltech256")
    assert index.classes == ("ak47", "american-flag")
    assert index.names == ("001.ak47/1.jpg", "002.american-flag/1.jpg")


def test_missing_caltech_says_where_it_looked_and_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"caltech101/101_ObjectCategories, .*data\.caltech\.edu"):
        folder(tmp_path, "caltech101")


def test_digits(tmp_path: Path) -> None:
    index = folder(tmp_path, "digits")
    assert index.array_NHWC is not None
    assert index.array_NHWC.shape == (1797, 8, 8, 3)
    assert index.array_NHWC.min() == 0
    assert index.array_NHWC.max() == 255
    assert len(index.classes) == 10
    assert (np.bincount(index.labels) > 170).all()


def test_catalog() -> None:
    shipped = {"digits", "cifar10", "cifar100", "caltech101", "caltech256", "folder"}
    assert shipped <= set(DATASETS.names())
    assert resolved_image_size(Data(dataset="digits")) == 8
    assert resolved_image_size(Data(dataset="cifar100")) == 32
    assert resolved_image_size(Data(dataset="folder")) == 224
    assert resolved_image_size(Data(dataset="digits", image_size=16)) == 16


@pytest.mark.skipif("CNN_TUI_DATA" not in os.environ, reason="CNN_TUI_DATA names no real data")
def test_the_split_of_the_real_caltech101() -> None:
    from cnn_core.datasets.split import divide, split_table

    data = Data(dataset="caltech101", val_fraction=0.5)
    if not Path(os.environ["CNN_TUI_DATA"], "caltech101/train.txt").exists():
        pytest.skip("no caltech101 with train.txt in CNN_TUI_DATA")
    index = open_index(data, Path(os.environ["CNN_TUI_DATA"]))
    split = divide(index, data)
    table = split_table(index, split)
    assert (len(split.train), len(split.val), len(split.test)) == (2892, 2892, 2893)
    assert len(table) == 101
    assert (table[1].name, table[1].train, table[1].val) == ("airplanes", 267, 267)
    assert (table[4].name, {table[4].train, table[4].val}) == ("barrel", {15, 16})
