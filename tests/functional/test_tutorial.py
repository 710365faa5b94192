"""Every command of docs/tutorial.md, in its order, on a few images laid out as Caltech-101 is."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import tomli
from cli_support import PROGRAM, ROOT
from PIL import Image
from pseudo_terminal import PseudoTerminal

CLASSES = ("accordion", "pizza")
MADE = ("augmented.png", "mistakes.png", "seen.png", "tutorial.html", "lite0.safetensors")


def commands() -> list[str]:
    text = (ROOT / "docs" / "tutorial.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def make_caltech(data: Path) -> None:
    random = np.random.default_rng(0)
    for name in CLASSES:
        folder = data / "caltech101" / "101_ObjectCategories" / name
        folder.mkdir(parents=True)
        for number in range(1, 9):
            pixels_HWC = random.integers(0, 256, (60, 80, 3), np.uint8)
            Image.fromarray(pixels_HWC).save(folder / f"image_{number:04d}.jpg")


@pytest.mark.long
def test_the_tutorial_can_be_followed(cli):
    pytest.importorskip("timm")
    make_caltech(cli.folder / "data")
    done = 0
    for command in commands():
        words = shlex.split(command)
        if words[0] == "export":
            assert words[1] == "CNN_TUI_DATA=$PWD/data"
            assert cli.env["CNN_TUI_DATA"] == str(cli.folder / "data")
        elif words == ["cnn-tui"]:
            with PseudoTerminal(PROGRAM, folder=cli.folder, env=cli.env) as terminal:
                terminal.wait_for(lambda shown=terminal: "scratch" in shown.text())
                terminal.type("\x11")
                assert terminal.exit_code() == 0
        else:
            assert words[0] == "cnn-tui", command
            cli(*words[1:])
        done += 1
    assert done > 15
    assert {path.name for path in cli.folder.iterdir()} >= set(MADE)
    names = {run["name"]: run["status"] for run in cli.json("runs")}
    assert names == dict.fromkeys(("frozen", "fine-tuned", "augmented", "scratch"), "finished")


def test_its_figures_are_those_of_the_results():
    text = (ROOT / "docs" / "tutorial.md").read_text()
    results = json.loads((ROOT / "docs" / "results" / "S1" / "results.json").read_bytes())
    runs = {row["id"]: run for row in results["rows"] for arm in row["arms"] for run in arm["runs"]}
    for name, row in (
        ("frozen", "S1.4-lite0"),
        ("fine-tuned", "S1.3-lite0"),
        ("augmented", "S1.6-lite0"),
        ("scratch", "S1.1-lite0"),
    ):
        figures, minutes = runs[row]["figures"], runs[row]["total_s"] / 60
        val, test = (f"{100 * figures[key]:.2f}" for key in ("best.val_acc", "test.acc"))
        assert f"| {name} | {val} | {test} | {minutes:.0f} |\n" in text


def test_what_it_installs_is_an_extra():
    extra = re.search(r"pip install -e '\.\[(\w+)\]'", (ROOT / "docs" / "tutorial.md").read_text())
    project = tomli.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert extra is not None
    assert extra[1] in project["optional-dependencies"]
