"""Files that want to run code, to be written through, or to speak to the terminal.

Weights, checkpoints, caches and results with code in them, runs of other people whose files are
pipes, devices and links, filter expressions at random, and names of control characters: no code
runs, nothing elsewhere is changed, nothing hangs, and no control character reaches the terminal.
"""

import json
import os
import pickle
import random
import re
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cli_support import Cli, environment
from odd_images import noise
from tally import Campaign
from zygote import Zygote

from cnn_core.errors import UserError, printable
from cnn_core.runs.select import filter_rows, sort_rows

COMMAND_S = 120
TINY = ("--headless", "--set", "train.epochs=1", "--set", "data.limit=60")
HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
NAMES = (
    *(
        "\x1b]0;title\x07",
        "\x1b[31mred\x1b[2J",
        "\x9b2J",
        "a\rb",
        "a\nb",
        "a\x08\x08b",
        "\u202egnp.exe",
    ),
    *("[bold red]x[/]", "[link=http://x]y", "<script>alert(1)</script>", "<img src=x onerror=y>"),
    *("=cmd|' /C calc'!A0", "\\input{/etc/passwd}", "|a|b|", "![x](http://x)", "`x`", "x\udcff"),
    *("../../x", "-rf", "{{ 7*7 }}", "%s%n", "$(id)", "a\u2028b", "\u2066x\u2069"),
)


TOGETHER = 4


class Code:
    """Makes a folder when it is unpickled."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.made),)


class Attack:
    """The real command over a run, and what must stay as it is."""

    def __init__(self, campaign: Campaign, cli: Cli) -> None:
        self.campaign, self.cli = campaign, cli
        self.ran, self.home = cli.folder / "ran", cli.folder / "home"
        cli("run", "digits", *TINY)
        self.run = cli.only_run()
        self.kept = cli.folder / "kept"
        shutil.copytree(self.run, self.kept)

    def fresh(self) -> None:
        """Put the run back as it was."""
        shutil.rmtree(self.cli.runs)
        self.cli.runs.mkdir()
        shutil.copytree(self.kept, self.run)
        shutil.rmtree(self.home, ignore_errors=True)
        (self.home / ".ssh").mkdir(parents=True)
        (self.home / "precious.json").write_text("mine\nno newline at the end")

    def command(self, *arguments: str | Path) -> tuple[int, str, str]:
        """Run a command to its end; return its exit code and what it wrote."""
        process = self.cli.start(*arguments)
        late = threading.Timer(COMMAND_S, process.kill)
        late.start()
        output, errors = process.communicate()
        late.cancel()
        assert process.returncode in (0, 1, 2), (process.returncode, errors[-500:])
        assert "Traceback" not in output + errors, errors[-2000:]
        assert not self.ran.exists(), "code ran"
        return process.returncode or 0, output, errors

    def untouched(self) -> None:
        """Fail where something outside of the runs was changed."""
        assert sorted(path.name for path in self.home.iterdir()) == [".ssh", "precious.json"]
        assert (self.home / "precious.json").read_text() == "mine\nno newline at the end"


def weights(attack: Attack) -> None:
    """Name files with code in them as weights."""
    code = Code(attack.ran)
    folder = attack.cli.folder
    with zipfile.ZipFile(folder / "zip.pth", "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps(code, 2))
        file.writestr("archive/version", "3\n")
    torch.save({"fc.weight": code}, folder / "new.pt")
    torch.save({"fc.weight": code}, folder / "old.pt", _use_new_zipfile_serialization=False)
    (folder / "plain.bin").write_bytes(pickle.dumps(code))
    (folder / "safe.safetensors").write_bytes(pickle.dumps(code))
    np.save(folder / "array.npy", np.array([code], object))
    np.savez(folder / "arrays.npz", x=np.array([code], object))
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(folder / "program.pt"))
    os.mkfifo(folder / "pipe.pt")
    (folder / "device.pt").symlink_to("/dev/zero")
    for name in (
        "zip.pth",
        "new.pt",
        "old.pt",
        "plain.bin",
        "safe.safetensors",
        "array.npy",
        "arrays.npz",
        "program.pt",
        "pipe.pt",
        "device.pt",
    ):
        with attack.campaign.case("code in files of weights", name):
            code_, _, errors = attack.command(
                "run", "digits", *TINY, "--set", f'model.weights="{folder / name}"'
            )
            assert code_ == 2, errors
            assert "model.weights" in errors


def stored(attack: Attack) -> None:
    """Put code into what a run keeps, and what is kept of data."""
    code = pickle.dumps(Code(attack.ran))
    targets = {
        "checkpoints/best.pt": (["evaluate"], ["filters", "--out", "f.png"], ["predict", "x.png"]),
        "checkpoints/last.pt": (["resume", "--headless"],),
        "checkpoints/initial.pt": (["filters", "--out", "f.png"], ["report", "--out", "r.html"]),
        "predictions/test.npz": (["evaluate"], ["report", "--out", "r.html"]),
    }
    noise(9, 9).save(attack.cli.folder / "x.png")
    for name, commands in targets.items():
        for what, rest in ((c[0], c[1:]) for c in commands):
            for kind in ("pickle", "torch", "array"):
                attack.fresh()
                if name.startswith("checkpoints/last"):
                    log = attack.run / "events.jsonl"
                    log.write_text(log.read_text().replace('"finished"', '"stopped"'))
                    (attack.run / "summary.json").unlink()
                _with_code(attack.run / name, kind, attack.ran, code)
                with attack.campaign.case("code in checkpoints and predictions", f"{name} {what}"):
                    attack.command(what, attack.run.name, *rest)
    attack.fresh()
    for file in [
        *attack.cli.folder.glob("cache/**/*.npy"),
        *attack.cli.folder.glob("cache/splits/*"),
    ]:
        file.write_bytes(code)
    with attack.campaign.case("code in caches", "pixels and splits"):
        done, _, errors = attack.command("run", "digits", *TINY)
        assert done == 0, errors


def _with_code(path: Path, kind: str, ran: Path, code: bytes) -> None:
    match kind:
        case "pickle":
            path.write_bytes(code)
        case "torch":
            torch.save({"model": Code(ran), "convolutions": Code(ran)}, path)
        case _:
            with path.open("wb") as file:
                np.savez(
                    file,
                    **dict.fromkeys(
                        ("logits", "labels", "names", "classes"), np.array([Code(ran)], object)
                    ),
                )


def _kinds(attack: Attack) -> dict[str, Callable[[Path], object]]:
    return {
        "a pipe": os.mkfifo,
        "a device": lambda path: path.symlink_to("/dev/zero"),
        "a folder": Path.mkdir,
        "a link to nothing": lambda path: path.symlink_to(attack.home / "new"),
        "a link to a file": lambda path: path.symlink_to(attack.home / "precious.json"),
        "a link to a folder": lambda path: path.symlink_to(attack.home),
        "a terabyte": lambda path: (path.touch(), os.truncate(path, 1 << 40)),
        "garbage": lambda path: path.write_bytes(bytes(range(256)) * 9),
    }


def folders(attack: Attack) -> None:
    """Make one thing in a run's folder something else, and look at, go on with, delete the run."""
    names = ["config.toml", "environment.json", "events.jsonl", "summary.json", "checkpoints"]
    names += ["checkpoints/best.pt", "checkpoints/last.pt", "predictions", "predictions/test.npz"]
    names += ["control", "control/1.json", "log.txt", "lock", "heartbeat.json", "tensorboard"]
    names += ["../.index.json", "../.queue.json", "../.queue.lock"]
    commands = [["show"], ["runs"], ["evaluate"], ["report", "--out", "r.html"], ["stop"]]
    commands += [["resume", "--headless"], ["export", "--format", "tensorboard"]]
    commands += [["queue", "add"]]
    kinds, drawn = _kinds(attack), attack.campaign.random
    every = [(name, kind, command) for name in names for kind in kinds for command in commands]
    for name, kind, command in drawn.sample(every, min(attack.campaign.cases, len(every))):
        attack.fresh()
        path = attack.run / name
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        kinds[kind](path)
        fault = "runs of others, a part of which is a pipe, a device, a link, huge, garbage"
        with attack.campaign.case(fault, f"{name} {kind} {command[0]}"):
            of_run = [] if command[0] == "runs" else [attack.run.name]
            if command[0] == "queue":
                attack.command(*command, *of_run)
            else:
                attack.command(command[0], *of_run, *command[1:])
            attack.untouched()


def expressions(attack: Attack) -> None:
    """Filter and sort by what is made at random of the words of Python."""
    words = ["name", "status", "best.val_acc", "__class__", "().__class__", "9", "9**9", '"a"']
    words += ['"a"*9', "lambda: 0", "[x for x in name]", "(", ")", "[", "]", "and", "or", "not"]
    words += ["in", "==", "<", "+", "-", "*", "/", "%", "<<", ".", ",", ":", "=", "{}", "f'{name}'"]
    words += ["1e999", "0x" + "f" * 50, "\x00", "\u202e", "print(1)", "name.__init__", "~", "@"]
    row = {"id": "x", "name": "n", "status": "finished", "best": {"val_acc": 0.5}, "config": {}}
    drawn = random.Random(attack.campaign.options.seed)
    fault = "filters and sort keys at random"
    for number in range(attack.campaign.cases * 20):
        text = drawn.choice(["", " "]).join(drawn.choices(words, k=drawn.randrange(1, 12)))
        text *= drawn.choice([1, 1, 1, 40])
        with attack.campaign.case(fault, repr(text[:80])):
            for act in (filter_rows, sort_rows):
                said = ""
                try:
                    kept = act([row], text)
                except UserError as error:
                    kept, said = [], str(error)
                except BaseException as error:
                    raise AssertionError(repr(error)) from error
                assert kept in ([], [row])
                assert printable(said) == said
        if number % 100 == 0:
            assert not attack.ran.exists()


def names(attack: Attack) -> None:
    """Give everything names that speak to terminals, browsers, spreadsheets and LaTeX."""
    fault = "names that speak to terminals, browsers, spreadsheets and LaTeX"
    for start in range(0, len(NAMES), TOGETHER):
        some = NAMES[start : start + TOGETHER]
        attack.fresh()
        root = attack.cli.data / "named"
        shutil.rmtree(root, ignore_errors=True)
        for number, name in enumerate(some):
            label = name.replace("/", "_").lstrip(".")
            (root / label).mkdir(parents=True)
            for image in range(8):
                noise(9, 9, 10 * number + image).save(root / label / f"{label}{image}.png")
        escaped = [
            "".join(f"\\u{ord(char):04x}" for char in name if not 0xD800 <= ord(char) < 0xE000)
            for name in some
        ]
        (attack.cli.folder / "named.toml").write_text(
            f'name = "{"".join(escaped)[: 6 * 100]}"\nnotes = "{"".join(escaped)}"\n'
            f"tags = {json.dumps(escaped).replace(chr(92) * 2, chr(92))}\n"
            '[data]\ndataset = "folder"\nroot = "named"\nimage_size = 8\n'
            '[model]\nbackbone = "cnn"\noptions = { widths = [4] }\n[train]\nepochs = 1\n'
        )
        with attack.campaign.case(fault, repr(some)):
            code, output, errors = attack.command("run", "named.toml", "--headless")
            assert code == 0, errors
            written = [output, errors]
            for command in _looks():
                _, output, errors = attack.command(*command)
                written += [output, errors]
            written += [(attack.cli.folder / file).read_text() for file in ("r.html", "r.md")]
            found = HARMFUL.search("".join(written).replace("\n", ""))
            assert found is None, found
            page = written[-2]
            assert "<script" not in page
            assert "onerror=y>" not in page


def _looks() -> Iterator[list[str]]:
    yield from (["runs"], ["runs", "--json"], ["show", "last"], ["show", "last", "--json"])
    yield from (["compare", "last", "last"], ["compare", "last", "last", "--csv"])
    yield from (["split", "named.toml"], ["evaluate", "last"], ["evaluate", "last", "--json"])
    yield from (["report", "last", "--out", "r.html"], ["report", "last", "--out", "r.md"])
    yield ["predict", "last", "data/named"]


def main() -> None:
    """Run all of it."""
    with Campaign("hostile", __doc__ or "", cases=200) as campaign:
        zygote = Zygote(environment(campaign.folder))
        cli = Cli(campaign.folder / "cli", zygote)
        try:
            attack = Attack(campaign, cli)
            for part in (weights, stored, expressions, names, folders):
                part(attack)
        finally:
            cli.end()
            zygote.end()


if __name__ == "__main__":
    main()
