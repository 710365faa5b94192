"""Processes of their own that a command leaves behind."""

from pathlib import Path

import pytest

from cnn_tui.background import spawn


def test_no_module_of_the_current_folder_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "typer.py").write_text("open('taken', 'w')")
    spawn(["presets"], tmp_path / "log", data_dir=tmp_path, device="cpu").wait()
    assert "presets" in (tmp_path / "log").read_text()
    assert not (tmp_path / "taken").exists()
