"""What docs/howto tells to do is done: files written, commands run, in the order of each page.

A page's blocks in ``sh`` are run here, those in ``toml`` and ``python`` written to the file that
their first line names. What needs a GPU, a cluster or the internet stands in indented blocks, which
test_docs.py reads.
"""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from cli_support import ROOT, Cli
from PIL import Image
from sklearn.datasets import load_digits

from cnn_core.backbones.network import build_network
from cnn_core.config import Model
from cnn_core.search.sweep_files import load_sweep

HOWTO = ROOT / "docs" / "howto"


@pytest.fixture
def beside_stored(cli: Cli, stored: Cli) -> Cli:
    """The command in a folder of its own, over runs that are stored: first and second."""
    cli.env |= {name: stored.env[name] for name in ("CNN_TUI_RUNS", "CNN_TUI_CACHE")}
    return cli


def follow(page: str, cli: Cli) -> list[str]:
    """Do what the page says; return what the commands printed, one after another."""
    text = (HOWTO / f"{page}.md").read_text()
    blocks = re.findall(r"^```(sh|toml|python)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    printed = []
    for language, content in blocks:
        if language == "sh":
            printed += [perform(line, cli) for line in content.splitlines()]
        else:
            name = re.match(r"# (\S+)\n", content)
            assert name is not None, content
            # Smaller images take as many steps.
            (cli.folder / name[1]).write_text(content.replace("= 224", "= 64"))
    assert printed
    return printed


def perform(line: str, cli: Cli) -> str:
    """Run a line of a shell: a command of ours, or a script; its output may go to a file."""
    words = shlex.split(line)
    target = words.pop() if words[-2] == ">" else None
    if target:
        words.pop()
    if words == ["export", "CNN_TUI_DATA=$PWD"]:
        cli.env["CNN_TUI_DATA"] = str(cli.folder)
        return ""
    if words[0] == "python":
        script = cli.zygote.start(
            ["-m", Path(words[1]).stem, *words[2:]], folder=cli.folder, env=cli.env
        )
        output, errors = script.communicate()
        assert script.returncode == 0, errors
    else:
        assert words[0] == "cnn-tui", line
        output = cli(*words[1:]).stdout
    if target:
        (cli.folder / target).write_text(output)
    return output


@pytest.mark.long
def test_own_images(cli):
    """Also that weights are found where docs/howto/offline.md tells to put them."""
    weights = cli.folder / "torch" / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    weights.parent.mkdir(parents=True)
    torch.save(torchvision.models.resnet18().state_dict(), weights)
    cli.env["TORCH_HOME"] = str(cli.folder / "torch")
    random = np.random.default_rng(0)
    for number, name in enumerate(("rose", "tulip")):
        (cli.folder / "flowers" / name).mkdir(parents=True)
        for image in range(10):
            pixels_HWC = random.integers(0, 100, (40, 60, 3), np.uint8)
            pixels_HWC[..., number] += 100
            Image.fromarray(pixels_HWC).save(cli.folder / "flowers" / name / f"{image}.jpg")
    *_, told = follow("images", cli)
    assert told.count("flowers/tulip/") == 10
    assert {path.name for path in cli.folder.glob("*.png")} == {"flowers.png", "mistakes.png"}


@pytest.mark.long
def test_export(beside_stored):
    grey_HW = np.rint(load_digits().images[5] * (255 / 16)).astype(np.uint8)
    Image.fromarray(grey_HW).save(beside_stored.folder / "digit.png")
    *_, classified, predicted, scripted, weights = follow("export", beside_stored)
    assert classified == f"digit.png {predicted.split()[5]}\n"
    assert scripted.startswith("torch.Size([4, 10]) RGB, shorter side to 8")
    assert weights.startswith("cnn [")


def test_names_of_weights_are_those_of_the_backbone():
    network = build_network(Model(backbone="resnet18"), classes=10, image_size=32)
    torchvision.models.resnet18(num_classes=10).load_state_dict(network.module.state_dict())


@pytest.mark.long
def test_comparing(beside_stored):
    follow("comparing", beside_stored)
    folder = beside_stored.folder
    assert "tabular" in (folder / "rates.tex").read_text()
    assert (folder / "rates.html").stat().st_size > 10_000
    assert len((folder / "classes.csv").read_text().splitlines()) == 11
    sweep, _ = load_sweep(folder / "rates.toml")
    assert sweep.parameters.keys() == {"optim.lr", "seed"}
