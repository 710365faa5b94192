"""Prepared data: cached once, whole after a kill, one builder, right numbers."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image
from prepare_support import finish

from cnn_core.config import Data
from cnn_core.datasets import build, tensors
from cnn_core.datasets import prepare as prepare_module
from cnn_core.datasets.prepare import Prepared, prepare
from cnn_core.errors import UserError
from cnn_core.progress import Progress, Remark

CORE = Path(prepare.__code__.co_filename).parents[2]


def make(root: Path, classes: int = 2, each: int = 6, side: int = 12) -> None:
    rng = np.random.default_rng(0)
    for label in range(classes):
        (root / f"c{label}").mkdir(parents=True)
        for i in range(each):
            pixels = rng.integers(0, 256, (side, side + i, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / f"c{label}/{i}.png")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make(tmp_path / "folder")
    return tmp_path / "folder"


def run(root: Path, **keys: Any) -> tuple[Prepared, list[Any]]:
    keys = {"dataset": "folder", "image_size": 8, "test_fraction": 0.4, **keys}
    return finish(prepare(Data(**keys), root.parent, root.parent / "cache"))


def decoded(seen: list[Any]) -> int:
    return max((s.done for s in seen if getattr(s, "what", "") == "decoding images"), default=0)


def caches(root: Path) -> list[Path]:
    return [path for path in (root.parent / "cache").iterdir() if (path / "meta.json").exists()]


def test_pixels_are_those_of_the_files(root: Path) -> None:
    prepared, seen = run(root, resize=10)
    assert prepared.images_NHWC.shape == (12, 8, 8, 3)
    assert prepared.classes == ("c0", "c1")
    for position, name in enumerate(prepared.names):
        expected = np.asarray(fit_by_torchvision(root / name, 10, 8)).astype(int)
        assert np.abs(prepared.images_NHWC[position] - expected).max() <= 1
        assert prepared.classes[prepared.labels[position]] == name.split("/")[0]
    assert isinstance(seen[0], Progress)
    assert any(isinstance(s, Remark) and "12 images of 8x8" in s.text for s in seen)


def fit_by_torchvision(path: Path, resize: int, size: int) -> Image.Image:
    from torchvision.transforms import functional

    with Image.open(path) as image:
        return functional.center_crop(functional.resize(image, [resize]), [size])


def test_a_second_start_decodes_reads_and_measures_nothing(root: Path) -> None:
    for file in root.rglob("*.png"):
        os.utime(file, (1e9, 1e9))
    first, seen = run(root)
    assert decoded(seen) == 12
    second, seen = run(root)
    assert not seen
    assert np.array_equal(first.images_NHWC, second.images_NHWC)
    assert first.fingerprint == second.fingerprint
    assert np.array_equal([first.mean, first.std], [second.mean, second.std])


def test_what_was_measured_is_that_of_its_training_images(root: Path) -> None:
    first, _ = run(root)
    other, seen = run(root, split_seed=1)
    assert {s.what for s in seen} >= {"measuring images"}
    train = other.images_NHWC[other.train] / 255
    np.testing.assert_allclose(other.mean, train.mean(axis=(0, 1, 2)), rtol=1e-6)
    assert not np.array_equal(first.mean, other.mean)


@pytest.mark.parametrize("damage", ["", "{", "[[1, 2], [3, 4]]", "[[1, 2, 3], [4, 5, NaN]]"])
def test_damaged_figures_are_measured_again(root: Path, damage: str) -> None:
    first, _ = run(root)
    (memo,) = caches(root)[0].glob("mean-and-std-*.json")
    memo.write_text(damage)
    second, seen = run(root)
    assert "measuring images" in {s.what for s in seen}
    assert np.array_equal([first.mean, first.std], [second.mean, second.std])


def test_new_times_are_a_hit_new_content_is_not(root: Path) -> None:
    first, _ = run(root)
    os.utime(root / "c0/0.png", (1e9, 1e9))
    second, seen = run(root)
    assert decoded(seen) == 0
    assert first.fingerprint == second.fingerprint
    Image.new("RGB", (12, 12), "white").save(root / "c0/0.png")
    third, seen = run(root)
    assert decoded(seen) == 12
    assert third.fingerprint != first.fingerprint
    assert (third.images_NHWC[third.names.index("c0/0.png")] == 255).all()


def test_sizes_have_caches_of_their_own(root: Path) -> None:
    run(root)
    assert decoded(run(root, resize=9)[1]) == 12
    assert decoded(run(root, image_size=9)[1]) == 12
    assert decoded(run(root)[1]) == 0
    assert len(caches(root)) == 3


def test_limit_decodes_only_what_is_used(root: Path) -> None:
    prepared, seen = run(root, limit=2)
    assert decoded(seen) == len(prepared.names) == 6
    parts = np.concatenate([prepared.train, prepared.val, prepared.test])
    assert sorted(parts) == list(range(6))
    whole, _ = run(root)
    assert {prepared.names[i] for i in prepared.test} <= {whole.names[i] for i in whole.test}


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


def test_mean_and_std_are_those_of_the_training_images(tmp_path: Path) -> None:
    prepared, _ = finish(prepare(Data(dataset="digits"), tmp_path, tmp_path))
    train = prepared.images_NHWC[prepared.train] / 255
    np.testing.assert_allclose(prepared.mean, train.mean(axis=(0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(prepared.std, train.std(axis=(0, 1, 2)), rtol=1e-6)
    assert prepared.mean.dtype == prepared.std.dtype == np.float32


def test_mean_and_std_of_bright_images_taller_than_a_block(root: Path) -> None:
    prepared, _ = run(root, image_size=300, classes=["c1"])
    train = prepared.images_NHWC[prepared.train] / 255
    np.testing.assert_allclose(prepared.mean, train.mean(axis=(0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(prepared.std, train.std(axis=(0, 1, 2)), rtol=1e-6)


def test_a_constant_channel_can_be_divided_by(root: Path) -> None:
    for file in root.rglob("*.png"):
        Image.new("RGB", (9, 9), (255, 7, 0)).save(file)
    prepared, _ = run(root)
    np.testing.assert_allclose(prepared.mean, [1, 7 / 255, 0], rtol=1e-6)
    assert prepared.std.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("normalize", "mean", "std"),
    [
        ("imagenet", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("half", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ("none", (0, 0, 0), (1, 1, 1)),
    ],
)
def test_other_normalisations(
    tmp_path: Path, normalize: str, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    data = Data.model_validate({"dataset": "digits", "normalize": normalize})
    prepared, seen = finish(prepare(data, tmp_path, tmp_path))
    np.testing.assert_array_equal(prepared.mean, np.array(mean, np.float32))
    np.testing.assert_array_equal(prepared.std, np.array(std, np.float32))
    assert not seen


def test_arrays_are_cached_only_when_they_are_resized(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    plain, _ = finish(prepare(Data(dataset="digits"), tmp_path, cache))
    assert not list(cache.glob("*/pixels.npy"))
    large, seen = finish(prepare(Data(dataset="digits", image_size=16), tmp_path, cache))
    assert large.images_NHWC.shape == (1797, 16, 16, 3)
    assert decoded(seen) == 1797
    expected = Image.fromarray(plain.images_NHWC[5]).resize((16, 16), Image.Resampling.BILINEAR)
    assert np.abs(large.images_NHWC[5] - np.asarray(expected).astype(int)).max() <= 1
    assert large.fingerprint == plain.fingerprint


def test_resize_below_the_default_size(root: Path) -> None:
    with pytest.raises(UserError, match=r"data\.resize: 100 is below the image size, 224"):
        run(root, image_size=None, resize=100)


def test_decoded_pixels_are_mapped_and_a_lack_of_memory_is_told(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared, seen = run(root)
    assert isinstance(prepared.images_NHWC, np.memmap)
    assert not any(isinstance(s, Remark) and "wait for the disk" in s.text for s in seen)
    memory = psutil.virtual_memory()._replace(available=12 * 8 * 8 * 3 * 2 - 1)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    assert any(isinstance(s, Remark) and "wait for the disk" in s.text for s in run(root)[1])


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


def test_closing_the_generator_leaves_no_part(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "IMAGES_A_TASK", 1)
    steps = prepare(Data(dataset="folder", image_size=8), root.parent, root.parent / "cache")
    while getattr(next(steps), "what", "") != "decoding images":
        pass
    steps.close()
    assert not list((root.parent / "cache").glob("*.part"))
    assert decoded(run(root)[1]) == 12


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


def test_two_preparations_in_one_thread(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "IMAGES_A_TASK", 1)
    data = Data(dataset="folder", image_size=8, test_fraction=0.4)
    steps = [prepare(data, root.parent, root.parent / "cache") for _ in range(2)]
    while getattr(next(steps[0]), "what", "") != "decoding images":
        pass
    while not getattr(next(steps[1]), "what", "").startswith("waiting"):
        pass
    one, _ = finish(steps[0])
    two, seen = finish(steps[1])
    assert decoded(seen) == 0
    assert np.array_equal(one.images_NHWC, two.images_NHWC)


def test_hostile_names_are_cached(root: Path) -> None:
    name = "c0/\x1b[31m sur\udcff日.png"
    (root / "c0/0.png").rename(root / name)
    (root / "c0/bad\udcfe.png").write_bytes(b"?")
    prepared, _ = run(root, on_corrupt="skip")
    assert name in prepared.names
    again, seen = run(root, on_corrupt="skip")
    assert decoded(seen) == 0
    assert [image.name for image in again.corrupt] == ["c0/bad\udcfe.png"]
    (cache,) = caches(root)
    assert json.loads((cache / "meta.json").read_bytes())["corrupt"]


def test_nothing_imports_torch_before_it_is_needed() -> None:
    code = (
        "import sys; from cnn_core.datasets.catalog import DATASETS; DATASETS.names();"
        "import cnn_core.datasets.prepare;"
        "assert not {'torch', 'sklearn', 'torchvision'} & set(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(CORE)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def warnings_of(seen: list[Any]) -> list[str]:
    return [remark.text for remark in seen if isinstance(remark, Remark) and remark.warning]


def test_images_that_train_and_are_held_out_are_told(root: Path) -> None:
    for part in ("train", "val", "test"):
        make(root / part, each=3 if part == "train" else 0)
    for place in ("test/c0/a.png", "test/c0/b.png", "val/c1/[b].png", "train/c1/same.png"):
        shutil.copy(root / "train/c0/0.png", root / place)
    noise = np.random.default_rng(9).integers(0, 256, (9, 9, 3), np.uint8)
    for place in ("test/c1/new.png", "val/c0/other.png"):
        Image.fromarray(noise).save(root / place)
    shutil.rmtree(root / "c0")
    shutil.rmtree(root / "c1")
    for file in root.rglob("*.png"):
        os.utime(file, (1e9, 1e9))
    for _ in range(2):  # the second time from what was noted
        _, seen = run(root)
        leak, confusion = warnings_of(seen)
        assert leak.startswith(
            "1 of 2 validation images and 2 of 3 test images are training images too, byte for "
            "byte (such as 'val/c1/[b].png' and 'train/c0/0.png'): accuracy"
        )
        assert confusion.startswith("2 images are in more than one class, byte for byte (such as ")
    assert decoded(seen) == 0


def test_copies_in_one_part_and_class_are_no_fault(root: Path) -> None:
    shutil.copy(root / "c0/0.png", root / "c0/again.png")
    _, seen = run(root, test_fraction=0.0, val_fraction=0.0)
    assert not warnings_of(seen)


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


def seen_text(seen: list[Any]) -> str:
    return "\n".join(remark.text for remark in seen if isinstance(remark, Remark))
