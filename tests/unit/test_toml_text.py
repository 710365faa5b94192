"""Whole numbers that TOML has not: in hexadecimal they may be of any length."""

from pathlib import Path

import pytest

from cnn_core import toml_text
from cnn_core.errors import UserError
from cnn_core.preset_files import load_experiment
from cnn_core.search.sweep_files import load_sweep

ENDLESS = f"0x{'f' * 5000}"


def test_numbers_that_cannot_be_printed_are_no_toml() -> None:
    with pytest.raises(ValueError, match="a whole number of 20000 bits, where TOML ends at 64"):
        toml_text.parse(f"a = [0, {{c = {ENDLESS}}}]")


def test_all_others_are_told_with_their_key() -> None:
    assert toml_text.parse(f"a = {10**99}") == {"a": 10**99}
    with pytest.raises(UserError, match=r"train\.epochs .*should be less than"):
        load_experiment("digits", [f"train.epochs=0x{'f' * 2000}"])


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
