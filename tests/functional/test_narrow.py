"""Terminals of 40 columns, without colours, or that understand nothing but text."""

import re

import pytest
from pseudo_terminal import PseudoTerminal

SHORT = (*("run", "digits", "--headless", "--set", "train.epochs=2"), "--set", "data.limit=200")
COLOURS = re.compile(rb"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7])(?:;[0-9;]*)?m")


def shown(cli, *arguments: str, term: str = "xterm-256color", **env: str) -> PseudoTerminal:
    """Return a terminal on which a command has come to its end."""
    with PseudoTerminal(
        ["-m", "cnn_tui", *arguments],
        folder=cli.folder,
        env=cli.env | env,
        zygote=cli.zygote,
        term=term,
    ) as terminal:
        assert terminal.exit_code() == 0, terminal.output
    return terminal


def lines_of(terminal: PseudoTerminal) -> list[str]:
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.output.decode())
    return [line.rstrip() for line in re.split(r"[\r\n]+", plain)]


def too_long(lines: list[str]) -> list[str]:
    """Return lines of more than 40 columns that could have been broken between words."""
    return [line for line in lines if len(line) > 40 and max(map(len, line.split())) < 25]


@pytest.mark.parametrize("arguments", [("show", "first"), ("datasets",)])
def test_nothing_is_cut_at_40_columns(stored, arguments):
    lines = lines_of(shown(stored, *arguments, COLUMNS="40"))
    assert not any("…" in line for line in lines)
    assert not too_long(lines)
    whole = " ".join(lines_of(shown(stored, *arguments, COLUMNS="300")))
    assert set(re.findall(r"\d+\.\d+%?", whole)) <= set(re.findall(r"\d+\.\d+%?", " ".join(lines)))


def test_a_table_that_fits_when_wrapped_stays_one(stored):
    lines = lines_of(shown(stored, "runs", COLUMNS="40"))
    assert lines[0].split() == ["run", "status", "best", "val", "test"]


def test_live_progress_keeps_to_one_line_at_40_columns(cli):
    terminal = shown(cli, *SHORT, COLUMNS="40")
    assert b"epoch 1/2  loss" in terminal.output
    assert not too_long(lines_of(terminal))
    # A display of several lines would leave rests behind where it grows.
    assert b"\x1b[1A\x1b[2K" in terminal.output
    assert b"\x1b[1A\x1b[2K\x1b[1A" not in terminal.output


@pytest.mark.parametrize("arguments", [("runs",), ("--help",)])
def test_no_color_is_respected(stored, arguments):
    assert not COLOURS.search(shown(stored, *arguments, NO_COLOR="1").output)


def test_colours_are_there_otherwise(stored):
    assert COLOURS.search(shown(stored, "runs").output)


def test_a_dumb_terminal_gets_text(cli):
    terminal = shown(cli, *SHORT, term="dumb", COLUMNS="40")
    assert b"\x1b" not in terminal.output
    lines = lines_of(terminal)
    assert sum(line.startswith("epoch ") for line in lines) == 2
    assert not too_long(lines)
