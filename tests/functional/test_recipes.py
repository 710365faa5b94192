"""The recipes of CONTRIBUTING.md, written into a copy of the code and used there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_support import ROOT, Cli
from zygote import Zygote

PRESET = """\
name = "recipes"
[data]
dataset = "kmnist"
val_fraction = 0.25
[model]
backbone = "separable"
[augment]
transforms = [{name = "noise", p = 1.0}]
[train]
epochs = 1
batch_size = 20
"""
PILOT = '''\
"""Print the deviation of noise; open the screen by its key, print what it shows, and the keys."""

import asyncio
from pathlib import Path

import torch

from cnn_core.augment.catalog import build_augmentation
from cnn_core.config import Augment
from cnn_tui.app import CnnTuiApp
from cnn_tui.widgets.list_table import ListTable
from cnn_tui.workplace import Workplace


async def main() -> None:
    app = CnnTuiApp(Workplace(Path("runs"), Path("data"), Path("cache")))
    async with app.run_test() as pilot:
        await pilot.press("z")
        while not (tables := app.screen.query("#room").results(ListTable)):
            await pilot.pause(0.02)
        table = next(tables)
        while not table.row_count:
            await pilot.pause(0.02)
        print(type(app.screen).__name__, *(cell.plain for cell in table.get_row_at(0)))
        print([active.binding.id for active in app.screen_stack[0].active_bindings.values()])


noise = build_augmentation(Augment(transforms=[{"name": "noise", "p": 1.0}]), 10)
grey_NCHW = torch.full((8, 3, 16, 16), 128, dtype=torch.uint8)
noisy_NCHW, _ = noise(grey_NCHW, torch.zeros(8, dtype=torch.int64), torch.Generator())
print(noisy_NCHW.double().std().item())
asyncio.run(main())
'''


def blocks(language: str) -> dict[str, str]:
    """Return the code blocks of the page by the file that their first line names."""
    page = (ROOT / "CONTRIBUTING.md").read_text()
    found = re.findall(rf"^```{language}\n[ ]?# (\S+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return dict(found)


def added(text: str, diff: str) -> str:
    """Return the text with the lines that the diff adds; what it does not add must be there."""
    lines = diff.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] == " ")
    after = "".join(line[1:] for line in lines)
    assert text.count(before) == 1, before
    return text.replace(before, after)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, zygote: Zygote) -> Cli:
    """The command over a copy of the code with all recipes followed, which is found first there."""
    folder = tmp_path_factory.mktemp("house") / "copy"
    made = Cli(folder, zygote)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "core" / "cnn_core", folder / "cnn_core", ignore=ignored)
    shutil.copytree(ROOT / "tui" / "cnn_tui", folder / "cnn_tui", ignore=ignored)
    shutil.copytree(ROOT / "presets", folder / "cnn_core" / "presets")
    for name, code in blocks("python").items():
        path = folder / Path(*Path(name).parts[1:])
        assert not path.exists()
        path.write_text(code)
    for name, diff in blocks("diff").items():
        path = folder / Path(*Path(name).parts[1:])
        path.write_text(added(path.read_text(), diff))
    make_kmnist(made.data / "kmnist")
    (folder / "recipes.toml").write_text(PRESET)
    (folder / "look.py").write_text(PILOT)
    return made


def make_kmnist(folder: Path) -> None:
    random = np.random.default_rng(0)
    folder.mkdir()
    for part, count in (("train", 80), ("test", 20)):
        labels = np.arange(count, dtype=np.uint8) % 10
        images_NHW = random.integers(0, 100, (count, 28, 28), np.uint8) + labels[:, None, None]
        np.savez(folder / f"kmnist-{part}-imgs.npz", images_NHW)
        np.savez(folder / f"kmnist-{part}-labels.npz", labels)


def test_each_is_one_small_file_and_one_line():
    files, diffs = blocks("python"), blocks("diff")
    assert len(files) == len(diffs) == 4
    for code in files.values():
        assert len(code.splitlines()) < 75
    for diff in diffs.values():
        assert sum(line[0] == "+" for line in diff.splitlines()) == 1


@pytest.mark.parametrize("name", blocks("python"))
@pytest.mark.parametrize("arguments", [("check",), ("format", "--diff")], ids=lambda it: it[0])
def test_they_pass_the_linter(name, arguments):
    command = [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", name, "-"]
    code = blocks("python")[name]
    done = subprocess.run(
        command, cwd=ROOT, input=code, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_data_set_is_listed_and_told_of_where_it_is_not(house):
    rows = {row["name"]: row for row in house.json("datasets")}
    assert rows["kmnist"]["state"] == "here"
    file = house.data / "kmnist" / "kmnist-test-labels.npz"
    whole = file.read_bytes()
    file.write_bytes(whole[:-30])
    told = house("split", "recipes.toml", rc=2).stderr
    file.write_bytes(whole)
    assert "kmnist-test-labels.npz: not an array of Kuzushiji-MNIST" in " ".join(told.split())
    totals = house.json("split", "recipes.toml")["totals"]
    assert totals == {"train": 60, "val": 20, "test": 20}


def test_the_backbone_is_what_its_facts_say(house):
    row = next(row for row in house.json("backbones") if row["name"] == "separable")
    summary = house.json("summary", "--backbone", "separable", "--classes", "1000")
    assert row["parameters"] == summary["total"]


def test_the_backbone_trains_an_epoch_on_the_data_with_the_augmentation(house):
    house("run", "recipes.toml", "--headless")
    shown = house.json("show", "last")
    assert (shown["status"], shown["epoch"], shown["split"]["classes"]) == ("finished", 1, 10)
    assert shown["config"]["augment"]["transforms"] == [{"name": "noise", "p": 1.0}]


def test_the_augmentation_changes_pixels_and_the_screen_opens(house):
    look = house.zygote.start(["-m", "look"], folder=house.folder, env=house.env)
    shown, errors = look.communicate()
    assert look.returncode == 0, errors
    noise, first, bindings = shown.splitlines()
    assert 9 < float(noise) < 11
    assert first.split()[0] == "RoomPage"
    assert first.split()[2].endswith("recipes-" + first.split()[2][-4:])
    assert "runs.show_room" in bindings
