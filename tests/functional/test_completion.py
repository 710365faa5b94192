"""What shells offer on tab, asked for as their completion scripts ask."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from app_support import Folder
from cli_support import ROOT, environment

from cnn_tui.cli import app

Ask = Callable[..., list[str]]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Return what is offered for the last word of a line, in a folder with runs and files."""
    monkeypatch.chdir(tmp_path)
    for key, value in environment(tmp_path).items():
        monkeypatch.setenv(key, value)

    def offered(line: str, shell: str = "bash") -> list[str]:
        words = line.split(" ")
        monkeypatch.setenv("_CNN_TUI_COMPLETE", f"complete_{shell}")
        monkeypatch.setenv("COMP_WORDS", "\n".join(words))
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
        monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        with pytest.raises(SystemExit):
            app(prog_name="cnn-tui")
        done = capsys.readouterr()
        assert done.err == ""
        return done.out.strip().splitlines()

    return offered


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("cnn-tui ru", ["run", "runs"]),
        ("cnn-tui run digi", ["digits"]),
        ("cnn-tui sweep digits-", ["digits-learning-rate"]),
        ("cnn-tui reproduce S", ["S1", "S2", "S3", "S4", "S5"]),
        ("cnn-tui surface him", ["himmelblau"]),
        ("cnn-tui summary --backbone resnet1", ["resnet18", "resnet101", "resnet152"]),
        ("cnn-tui summary --backbone tim", ["timm:"]),
        ("cnn-tui backbones timm:resnet1", ["timm:resnet18"]),
        ("cnn-tui datasets --download ", ["cifar10", "cifar100"]),
        ("cnn-tui run digits --set optim.", ["optim.lr=", "optim.momentum=", "optim.schedule="]),
        ("cnn-tui run digits --set see", ["seed=", "seed=0"]),
        ("cnn-tui run digits --set data.dataset=cifar", ["data.dataset=cifar10"]),
        ("cnn-tui run digits --set optim.nesterov=", ["optim.nesterov=true"]),
        ("cnn-tui run digits --device c", ["cpu", "cuda"]),
        ("cnn-tui run digits --launcher s", ["slurm"]),
        ("cnn-tui evaluate last --split t", ["test", "train"]),
        ("cnn-tui export last --format o", ["onnx"]),
        ("cnn-tui schema s", ["study", "sweep"]),
        ("cnn-tui new x.toml --from digi", ["digits"]),
        ("cnn-tui run digits --qu", ["--queue", "--quiet"]),
    ],
)
def test_what_is_offered(ask, line, some):
    offered = ask(line)
    assert set(some) <= set(offered)
    word = line.rpartition(" ")[2]
    assert all(item.startswith(word) for item in offered)


def test_a_lone_key_is_not_the_only_candidate(ask):
    # A shell would put a blank after it, before its value could be written.
    assert len(ask("cnn-tui run digits --set optim.lr")) > 1


def test_runs_are_offered_by_id_and_by_names_that_mean_one(ask, tmp_path):
    folder = Folder(tmp_path / "runs")
    first, *twins = (folder.new(name).name for name in ("first", "twin", "twin"))
    offered = ask("cnn-tui show ")
    assert offered[:2] == ["last", "first"]
    assert set(offered[2:]) == {first, *twins}
    assert ask(f"cnn-tui compare {first} {twins[0][:-2]}")[0].startswith(twins[0][:-2])
    elsewhere = tmp_path / "elsewhere"
    assert ask(f"cnn-tui show --runs-dir {elsewhere} ") == []
    Folder(elsewhere).new("moved")
    assert ask(f"cnn-tui show --runs-dir {elsewhere} mo") == ["moved"]


def test_presets_are_files_too_and_folders_are_looked_into(ask, tmp_path):
    inside = tmp_path / "mine" / "deeper"
    inside.mkdir(parents=True)
    (inside / "one.toml").touch()
    (inside / "picture.png").touch()
    (tmp_path / "digits-wide.toml").touch()
    assert {"digits", "digits-wide.toml"} <= set(ask("cnn-tui run di"))
    assert ask("cnn-tui split mi") == ["mine/", "mine/deeper/", "mine/deeper/one.toml"]
    assert ask("cnn-tui run nowhere/x") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_a_shell_might_evaluate_is_not_offered(ask, tmp_path, shell):
    names = ("$(touch pwned)", "`touch pwned`", "a b", "a;touch pwned", "'", '"', "a\n--help", "-x")
    runs = tmp_path / "runs"
    for name in names:
        for made in (runs / f"20260101-000000-{name}-abcd", runs / "sweeps" / name):
            made.mkdir(parents=True)
            (made / "sweep.toml").touch()
        (tmp_path / f"{name}.toml").touch()
    (tmp_path / "plain.toml").touch()
    assert not any("a;" in item or "pwned" in item for item in ask("cnn-tui show ", shell))
    for line in ("cnn-tui sweep ", "cnn-tui run "):
        told = "\n".join(ask(line, shell))
        assert "plain.toml" in told
        assert not any(part in told for part in ("pwned", "a b", "--help", "-x.toml"))


def test_a_folder_that_cannot_be_read_offers_nothing(ask, tmp_path):
    (tmp_path / "runs").write_text("a file")
    assert ask("cnn-tui show ") == []


def test_bash_completes(tmp_path):
    env = environment(tmp_path) | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    command = tmp_path / "cnn-tui"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -X importtime -m cnn_tui "$@"\n')
    command.chmod(0o700)
    env["PATH"] = f"{tmp_path}{os.pathsep}{env['PATH']}"
    script = (
        'eval "$(cnn-tui --show-completion bash 2> /dev/null)"\n'
        'COMP_WORDS=(cnn-tui run "$1"); COMP_CWORD=2\n'
        "_cnn_tui_completion cnn-tui\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", "digi"],
        capture_output=True,
        encoding="utf-8",
        env=env,
        cwd=ROOT / "docs",
        check=True,
    )
    assert done.stdout == "digits\n"
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "cnn_tui.completion" in imported
    assert not imported & {"torch", "textual", "optuna", "cnn_core.config"}
