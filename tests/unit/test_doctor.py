"""What doctor says of machines and terminals that are not this one."""

import importlib.metadata
import tomllib
from pathlib import Path

import pytest

from cnn_core.extras import EXTRAS
from cnn_tui import machine_checks, terminal_checks
from cnn_tui.machine_checks import check_extras, check_settings, check_torch, runs_on
from cnn_tui.terminal_checks import check_terminal, colours, tmux


@pytest.mark.parametrize(
    ("versions", "told"),
    [
        ({"torch": "2.14.1", "torchvision": "0.29.2"}, None),
        ({"torch": "2.14.1+cu128", "torchvision": "0.29.2+cu128"}, None),
        ({"torch": "2.13.0", "torchvision": "0.29.2"}, "2.13.0 belongs with torchvision 0.28"),
        (
            {"torch": "2.14.1+cpu", "torchvision": "0.29.2+cu128"},
            "one was built for cpu, the other for cu128",
        ),
    ],
)
def test_torch_and_torchvision_belong_together(monkeypatch, versions, told):
    monkeypatch.setattr(importlib.metadata, "version", versions.__getitem__)
    check = next(check_torch())
    assert check.state == ("warning" if told else "ok")
    assert (told or "") in check.finding
    assert bool(check.remedy) == bool(told)


@pytest.mark.parametrize(
    ("capability", "architectures", "runs"),
    [
        ((8, 0), ["sm_80", "sm_90"], True),
        ((8, 9), ["sm_80", "sm_90"], True),
        ((9, 0), ["sm_90a"], True),
        ((12, 0), ["sm_80", "sm_90"], False),
        ((12, 0), ["sm_90", "compute_90"], True),
        ((7, 0), ["sm_75", "sm_80"], False),
        ((9, 0), [], False),
    ],
)
def test_which_gpus_code_runs_on(capability, architectures, runs):
    # CUDA C++ Programming Guide, binary and PTX compatibility.
    assert runs_on(capability, architectures) == runs


@pytest.mark.parametrize(
    ("environ", "state", "found", "remedy"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "ok", "16 million", ""),
        ({"TERM": "xterm-direct"}, "ok", "16 million", ""),
        ({"TERM": "tmux-256color"}, "ok", "256", "COLORTERM=truecolor"),
        ({"TERM": "linux"}, "warning", "16 or fewer", "TERM=xterm-256color"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "ok", "none", ""),
    ],
)
def test_colours(environ, state, found, remedy):
    check = colours(environ)
    assert (check.state, check.finding.startswith(found)) == (state, True)
    assert remedy in check.remedy
    assert bool(remedy) == bool(check.remedy)


GOOD = {
    "default-terminal": "tmux-256color",
    "terminal-features": "xterm*:clipboard ,*:RGB",
    "allow-passthrough": "on",
}


@pytest.mark.parametrize(
    ("options", "state", "remedy"),
    [
        (GOOD, "ok", ""),
        (GOOD | {"default-terminal": "screen"}, "warning", "set -g default-terminal tmux-256color"),
        (GOOD | {"terminal-features": ""}, "ok", 'set -as terminal-features ",*:RGB"'),
        (
            GOOD | {"terminal-features": "", "terminal-overrides": "xterm*:Tc"},
            "ok",
            "",
        ),
        ({k: v for k, v in GOOD.items() if k[0] != "a"}, "ok", "set -g allow-passthrough on"),
        (None, "warning", "PATH"),
    ],
)
def test_tmux(options, state, remedy):
    (check,) = tmux(options)
    assert check.state == state
    assert remedy in check.remedy
    assert bool(remedy) == bool(check.remedy)


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({"TERM": "xterm-256color"}, []),
        ({"TERM": "dumb"}, ["terminal", "colours"]),
        ({"TERM": "screen", "STY": "1.here"}, ["colours", "screen"]),
    ],
)
def test_each_warning_of_a_terminal_has_a_remedy(monkeypatch, environ, names):
    monkeypatch.setattr(terminal_checks.sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    checks = list(check_terminal(environ))
    assert [check.name for check in checks if check.state == "warning"] == names
    assert all(check.remedy for check in checks if check.state == "warning")


def test_extras_are_those_of_the_package(monkeypatch):
    table = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    offered = table["project"]["optional-dependencies"].keys() - {"bench", "docs", "test"}
    assert EXTRAS.keys() == offered
    monkeypatch.setattr(
        machine_checks.importlib.util, "find_spec", lambda name: None if name == "ray" else name
    )
    (check,) = check_extras()
    assert check.finding.endswith("; not ray")
    assert "'cnn-tui[ray]'" in check.remedy


def test_settings_are_told_without_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("CNN_TUI_CONFIG", str(tmp_path))
    (check,) = check_settings()
    assert (check.name, check.state, check.finding) == ("notify", "ok", "nobody")
    settings = tmp_path / "config.toml"
    settings.write_text(
        '[notify]\nbell = true\ncommand = "curl -u me:pa55"\n'
        'webhook = "https://hooks.example.org/s3cret"\non = ["failed"]\n'
    )
    (check,) = check_settings()
    told = "the bell and a command and a webhook of hooks.example.org when a training is failed"
    assert check.finding == told
    settings.write_text("[notify]\nbell = 1\n")
    (check,) = check_settings()
    assert check.state == "failure"
    assert "notify.bell = '1'" in check.finding
    assert check.remedy
