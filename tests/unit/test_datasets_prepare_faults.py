"""Preparing where images, the cache, the disk or the memory are not as they should be."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from prepared_folder import CORE, caches, decoded, make, run, seen_text

from cnn_core.config import Data
from cnn_core.datasets import prepare as prepare_module
from cnn_core.datasets import tensors
from cnn_core.datasets.prepare import prepare
from cnn_core.errors import UserError
from cnn_core.progress import Remark


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make(tmp_path / "folder")
    return tmp_path / "folder"


@pytest.mark.parametrize("damage", ["", "{", "[[1, 2], [3, 4]]", "[[1, 2, 3], [4, 5, NaN]]"])
def test_damaged_figures_are_measured_again(root: Path, damage: str) -> None:
    first, _ = run(root)
    (memo,) = caches(root)[0].glob("mean-and-std-*.json")
    memo.write_text(damage)
    second, seen = run(root)
    assert "measuring images" in {s.what for s in seen}
    assert np.array_equal([first.mean, first.std], [second.mean, second.std])


@pytest.mark.parametrize("damage", ["short", "meta", "shape", "garbage", "no meta"])
def test_a_damaged_cache_is_made_again(root: Path, damage: str) -> None:
    first_NHWC = np.array(run(root)[0].images_NHWC)  # a copy: the file is cut under the map
    (cache,) = caches(root)
    if damage == "short":
        os.truncate(cache / "pixels.npy", 1000)
    elif damage == "meta":
        (cache / "meta.json").write_text("{")
    elif damage == "shape":
        np.save(cache / "pixels.npy", np.zeros((3, 8, 8, 3), np.uint8))
    elif damage == "garbage":
        (cache / "pixels.npy").write_bytes(b"")
    else:
        (cache / "meta.json").unlink()
    second, seen = run(root)
    assert any(isinstance(s, Remark) and s.warning and "damaged" in s.text for s in seen)
    assert np.array_equal(first_NHWC, second.images_NHWC)
    assert decoded(run(root)[1]) == 0


def test_corrupt_images(root: Path) -> None:
    bad = ["c0/0.png", "c1/x\x1b[31m.png", *(f"c1/zero{i}.png" for i in range(11))]
    for name in bad:
        (root / name).write_bytes(b"")
    expected = r"^13 corrupt images: c0/0\.png \(the file is empty\); c1/.*and 3 more.*\"skip\"$"
    with pytest.raises(UserError, match=expected) as raised:
        run(root)
    assert "\x1b" not in str(raised.value)
    prepared, seen = run(root, on_corrupt="skip")
    (remark,) = [s for s in seen if isinstance(s, Remark) and s.warning]
    assert "13 corrupt images skipped" in remark.text
    assert sorted(image.name for image in prepared.corrupt) == sorted(bad)
    used = {prepared.names[i] for i in (*prepared.train, *prepared.val, *prepared.test)}
    assert used == set(prepared.names) - set(bad)


def test_corrupt_images_do_not_move_the_others(root: Path) -> None:
    whole, _ = run(root)
    (root / whole.names[whole.train[0]]).write_bytes(b"no image")
    rest, _ = run(root, on_corrupt="skip")
    assert rest.train.tolist() == whole.train.tolist()[1:]
    assert rest.val.tolist() == whole.val.tolist()
    assert rest.test.tolist() == whole.test.tolist()


def test_nothing_but_corrupt_images(root: Path) -> None:
    for file in root.rglob("*.png"):
        file.write_bytes(b"?")
    with pytest.raises(UserError, match="every training image is corrupt"):
        run(root, on_corrupt="skip")


def test_a_full_disk(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(root)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(UserError, match=r"need \d+\.\d MB .* CNN_TUI_CACHE"):
        run(root)
    monkeypatch.undo()
    assert decoded(run(root)[1]) == 12


@pytest.mark.parametrize("settings", [{}, {"on_corrupt": "skip"}, {"whole": True}], ids=str)
def test_images_that_are_away_for_a_while_are_not_kept_as_corrupt(
    root: Path, settings: dict[str, Any]
) -> None:
    data = Data(dataset="folder", image_size=8, test_fraction=0.4, **settings)
    steps = prepare(data, root.parent, root.parent / "cache")
    while not isinstance(next(steps), Remark):
        pass
    (root / "c1").rename(root.parent / "away")
    with pytest.raises(UserError, match=r"6 of 12 images could be read .* c1/0\.png: No such file"):
        list(steps)
    (root.parent / "away").rename(root / "c1")
    prepared, seen = run(root, **settings)
    assert decoded(seen) == 12
    assert not prepared.corrupt


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")]
)
def test_memory_that_runs_out_makes_no_image_corrupt(
    root: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(tensors, "resized", fail)
        with pytest.raises(type(error)):
            run(root, on_corrupt="skip")
    assert not caches(root)
    assert not run(root)[0].corrupt


def test_a_cache_folder_that_is_a_file(root: Path) -> None:
    (root.parent / "cache").write_text("")
    with pytest.raises(UserError, match="CNN_TUI_CACHE"):
        run(root)


SLOW_BUILDER = """
import sys, time
from pathlib import Path
from cnn_core.config import Data
from cnn_core.datasets import build, tensors
from cnn_core.datasets import prepare as prepare_module
from cnn_core.datasets.prepare import prepare
build.IMAGES_A_TASK = 1
root, pause = Path(sys.argv[1]), float(sys.argv[2])
data = Data(dataset="folder", image_size=8, test_fraction=0.4)
for step in prepare(data, root.parent, root.parent / "cache"):
    print(getattr(step, "what", "remark"), flush=True)
    if getattr(step, "what", "") == "decoding images":
        time.sleep(pause)
"""


def builder(root: Path, pause: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SLOW_BUILDER, str(root), str(pause)]
    environment = {**os.environ, "PYTHONPATH": str(CORE)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == text:
            return
    raise AssertionError(f"the builder ended before it said {text!r}")


def test_a_killed_builder_leaves_nothing_that_is_taken_for_a_cache(root: Path) -> None:
    process = builder(root, pause=60)
    wait_for(process, "decoding images")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    cache = root.parent / "cache"
    assert not caches(root)
    (part,) = cache.glob("*.part")
    other = cache / "other.part"
    part.rename(other)  # the part of a builder of something else
    part.mkdir()
    assert decoded(run(root)[1]) == 12
    assert not other.exists()
    assert not part.exists()
    assert len(caches(root)) == 1


@pytest.mark.long
def test_of_two_builders_one_builds_and_the_other_waits(root: Path) -> None:
    process = builder(root, pause=0.1)
    wait_for(process, "decoding images")
    prepared, seen = run(root)
    said = process.communicate()[0]
    assert process.returncode == 0
    assert "decoding images" in said
    assert decoded(seen) == 0
    assert any(getattr(s, "what", "").startswith("waiting") for s in seen)
    assert len(prepared.names) == 12


def test_files_that_may_still_change_are_not_remembered(root: Path) -> None:
    memo = root.parent / "cache/fingerprints"
    run(root)
    assert not memo.exists()
    for file in root.rglob("*.png"):
        os.utime(file, (1e9, 1e9))
    run(root)
    assert len(list(memo.iterdir())) == 1


def test_odd_metadata_is_no_fault(root: Path) -> None:
    broken_exif = (
        b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0\x01\0\0\0\x0e\x01\x02\0\xff\0"
    )
    Image.new("RGB", (9, 9), "red").save(root / "c0/odd.jpg", exif=broken_exif)
    with (
        pytest.warns(UserWarning, match="EXIF"),
        Image.open(root / "c0/odd.jpg") as image,
    ):
        image.getexif()
    prepared, _ = run(root)
    assert prepared.images_NHWC[prepared.names.index("c0/odd.jpg")].any()


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"content": "00", "same": []}', "\0"])
def test_a_damaged_note_of_what_files_hold_is_made_again(root: Path, note: str) -> None:
    for file in root.rglob("*.png"):
        os.utime(file, (1e9, 1e9))
    first, _ = run(root)
    (memo,) = (root.parent / "cache/fingerprints").iterdir()
    whole = memo.read_text()
    memo.write_text(note)
    second, _ = run(root)
    assert second.fingerprint == first.fingerprint
    assert memo.read_text() == whole


def test_files_that_vanish_or_shrink_after_they_were_listed_are_corrupt(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = prepare_module.open_index

    def then(*arguments: Any) -> Any:
        index = listed(*arguments)
        (root / "c0/0.png").unlink()
        os.truncate(root / "c1/1.png", 30)
        (root / "c1/2.png").unlink()
        os.mkfifo(root / "c1/2.png")
        return index

    monkeypatch.setattr(prepare_module, "open_index", then)
    prepared, seen = run(root, on_corrupt="skip")
    assert {image.name for image in prepared.corrupt} == {"c0/0.png", "c1/1.png", "c1/2.png"}
    assert "3 corrupt images skipped: c0/0.png (No such file or directory)" in seen_text(seen)
