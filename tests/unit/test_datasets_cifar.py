"""CIFAR's batches: read, checked, refused when changed, downloaded."""

import hashlib
import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torchvision.datasets

from cnn_core.config import Data
from cnn_core.datasets.catalog import DATASETS, open_index
from cnn_core.datasets.index import TEST, TRAIN
from cnn_core.errors import CnnTuiError, UserError
from cnn_core.progress import Progress


def python2_pickle(labels: list[int], rows: np.ndarray) -> bytes:
    """Return the bytes that Python 2 gave CIFAR's batches: byte strings, numpy's old names."""
    raw = rows.tobytes()
    return b"".join(
        [
            b"\x80\x02}(U\x06labels](",
            *(b"K" + bytes([label]) for label in labels),
            b"eU\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b",
            b"\x87R(K\x01K" + bytes([len(rows)]) + b"M\x00\x0c\x86cnumpy\ndtype\nU\x02u1",
            b"K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T",
            len(raw).to_bytes(4, "little") + raw + b"tbu.",
        ]
    )


class Official:
    """Stands for torchvision's class, with sums of batches made here."""

    base_folder = "cifar-10-batches-py"
    filename = "cifar-10-python.tar.gz"

    def __init__(self, scratch: Path) -> None:
        rng = np.random.default_rng(0)
        self.images_NCHW = rng.integers(0, 256, (8, 3, 32, 32), dtype=np.uint8)
        self.labels = [0, 1, 1, 0, 0, 1, 1, 0]
        self.content: dict[str, bytes] = {}
        for name, part in (("data_batch_1", slice(0, 5)), ("test_batch", slice(5, 8))):
            rows = self.images_NCHW[part].reshape(-1, 3072)
            self.content[name] = python2_pickle(self.labels[part], rows)
        self.content["batches.meta"] = pickle.dumps({"label_names": ["dog", "cat"]}, protocol=2)
        sums = {name: hashlib.md5(content).hexdigest() for name, content in self.content.items()}
        self.train_list = [["data_batch_1", sums["data_batch_1"]]]
        self.test_list = [["test_batch", sums["test_batch"]]]
        self.meta = {
            "filename": "batches.meta",
            "key": "label_names",
            "md5": sums["batches.meta"],
        }
        archive = scratch / self.filename
        with tarfile.open(archive, "w:gz") as tar:
            for name, content in self.content.items():
                member = tarfile.TarInfo(f"{self.base_folder}/{name}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        self.url = archive.as_uri()
        self.tgz_md5 = hashlib.md5(archive.read_bytes()).hexdigest()

    def write(self, folder: Path) -> None:
        (folder / self.base_folder).mkdir(parents=True)
        for name, content in self.content.items():
            (folder / self.base_folder / name).write_bytes(content)


@pytest.fixture
def official(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Official:
    stand_in = Official(tmp_path_factory.mktemp("published"))
    monkeypatch.setattr(torchvision.datasets, "CIFAR10", stand_in)
    return stand_in


@pytest.mark.parametrize("below", ["cifar10", "."])
def test_batches(tmp_path: Path, official: Official, below: str) -> None:
    official.write(tmp_path / below)
    index = open_index(Data(dataset="cifar10"), tmp_path)
    assert index.classes == ("dog", "cat")
    assert index.labels.tolist() == official.labels
    assert index.parts.tolist() == [TRAIN] * 5 + [TEST] * 3
    assert index.array_NHWC is not None
    assert np.array_equal(index.array_NHWC, official.images_NCHW.transpose(0, 2, 3, 1))


def test_changed_and_missing_batches(tmp_path: Path, official: Official) -> None:
    official.write(tmp_path)
    batch = tmp_path / official.base_folder / "test_batch"
    batch.write_bytes(batch.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"test_batch: not the published file"):
        open_index(Data(dataset="cifar10"), tmp_path)
    batch.unlink()
    with pytest.raises(UserError, match=r"test_batch: missing"):
        open_index(Data(dataset="cifar10"), tmp_path)


class Malice:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.mkdir, (Path("made-by-pickle"),)


def test_a_pickle_cannot_run_code(
    tmp_path: Path, official: Official, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    official.content["batches.meta"] = pickle.dumps(Malice())
    official.meta["md5"] = hashlib.md5(official.content["batches.meta"]).hexdigest()
    official.write(tmp_path)
    with pytest.raises(pickle.UnpicklingError, match="no place in a data set"):
        open_index(Data(dataset="cifar10"), tmp_path)
    assert not (tmp_path / "made-by-pickle").exists()


def test_images_in_train_and_test(tmp_path: Path) -> None:
    from PIL import Image

    for name in ("train/cat", "train/dog", "test/cat", "test/dog"):
        (tmp_path / "cifar10" / name).mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(tmp_path / "cifar10" / name / "0.jpg")
    index = open_index(Data(dataset="cifar10"), tmp_path)
    assert index.classes == ("cat", "dog")
    assert sorted(index.parts.tolist()) == [TRAIN, TRAIN, TEST, TEST]


def test_missing_says_every_place(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cifar10/cifar-10-batches-py, \S+/cifar-10-batches-py"):
        open_index(Data(dataset="cifar10"), tmp_path)


def test_download(tmp_path: Path, official: Official) -> None:
    download = DATASETS["cifar10"].download
    assert download is not None
    steps = list(download(tmp_path / "cifar10"))
    assert isinstance(steps[-1], Progress)
    assert steps[-1].done == steps[-1].total > 0
    assert len(open_index(Data(dataset="cifar10"), tmp_path)) == 8
    assert [path.name for path in (tmp_path / "cifar10").iterdir()] == [official.base_folder]


def test_failed_downloads_leave_nothing(tmp_path: Path, official: Official) -> None:
    download = DATASETS["cifar10"].download
    assert download is not None
    official.tgz_md5 = "0" * 32
    with pytest.raises(CnnTuiError, match="md5 sum"):
        list(download(tmp_path))
    official.url = (tmp_path / "nothing").as_uri()
    with pytest.raises(CnnTuiError, match="cannot download"):
        list(download(tmp_path))
    assert not list(tmp_path.iterdir())
