"""The wheel and the sdist hold what they must, built here as ``make dist`` does."""

import tarfile
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import hatchling.build
import pytest
import tomli

ROOT = Path(__file__).parents[2]


def files_in(*folders: str) -> Iterator[Path]:
    for folder in folders:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


@pytest.fixture
def _in_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # as PEP 517 has it


@pytest.mark.usefixtures("_in_the_root")
def test_the_wheel_holds_the_code_its_data_and_the_licence(tmp_path: Path):
    project = tomli.loads((ROOT / "pyproject.toml").read_text())["project"]
    with zipfile.ZipFile(tmp_path / hatchling.build.build_wheel(str(tmp_path))) as wheel:
        about = f"cnn_tui-{project['version']}.dist-info"
        of_dist = {name for name in wheel.namelist() if name.startswith(about)}
        code = set(wheel.namelist()) - of_dist
        metadata = message_from_bytes(wheel.read(f"{about}/METADATA"))
        commands = wheel.read(f"{about}/entry_points.txt").decode()
    presets = {f"cnn_core/{path.relative_to(ROOT)}" for path in files_in("presets")}
    packages = {str(Path(*path.relative_to(ROOT).parts[1:])) for path in files_in("core", "tui")}
    assert code == packages | presets
    assert {"cnn_tui/app.tcss", "cnn_core/presets/digits.toml", "cnn_core/py.typed"} <= code
    assert f"{about}/licenses/LICENSE" in of_dist
    assert metadata["License-Expression"] == "MIT"
    assert set(metadata.get_all("Provides-Extra", ())) == {*project["optional-dependencies"]}
    assert "cnn-tui = cnn_tui.cli:main" in commands


@pytest.mark.usefixtures("_in_the_root")
def test_the_sdist_holds_what_its_tests_read(tmp_path: Path):
    with tarfile.open(tmp_path / hatchling.build.build_sdist(str(tmp_path))) as archive:
        held = {str(Path(*Path(name).parts[1:])) for name in archive.getnames()}
    folders = ("core", "tui", "presets", "tests", "benchmarks", "docs")
    needed = {str(path.relative_to(ROOT)) for path in files_in(*folders)}
    needed |= {path.name for pattern in ("*.md", ".pre-commit-*") for path in ROOT.glob(pattern)}
    needed |= {"LICENSE", "Makefile", "pyproject.toml"}
    assert held - {"PKG-INFO", ".gitignore"} == needed
