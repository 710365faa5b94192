"""Whole numbers that TOML has not: in hexadecimal they may be of any length."""

from pathlib import Path

import pytest

from cnn_core.errors import UserError
from cnn_core.preset_files import load_experiment
from cnn_core.search.sweep_files import load_sweep
from cnn_core.toml_text import parse

ENDLESS = f"0x{'f' * 5000}"


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
def test_numbers_beyond_64_bits_are_no_toml(number: int) -> None:
    with pytest.raises(ValueError, match="where TOML ends at 64"):
        parse(f"[[a]]\nb = [0, {{c = {number}}}]")


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63)])
def test_all_others_are(number: int) -> None:
    assert parse(f"a = {number}") == {"a": number}


def test_presets_and_sweeps_that_hold_endless_ones_are_refused_in_words(tmp_path: Path) -> None:
    preset, sweep = tmp_path / "preset.toml", tmp_path / "sweep.toml"
    preset.write_text(f'[model]\nbackbone = "cnn"\noptions = {{ widths = {ENDLESS} }}\n')
    sweep.write_text(
        f'preset = "digits"\n[search]\nsampler = "grid"\n'
        f"[parameters]\nmodel.options.widths = {{ values = [{ENDLESS}] }}\n"
    )
    with pytest.raises(UserError, match="not valid TOML: a whole number of 20000 bits"):
        load_experiment(preset)
    with pytest.raises(UserError, match="not valid TOML: a whole number of 20000 bits"):
        load_sweep(sweep)


def test_on_the_command_line_they_are_text() -> None:
    with pytest.raises(UserError, match=r"model\.options\.widths .*should be a valid list, got"):
        load_experiment("digits", [f"model.options.widths={ENDLESS}"])
