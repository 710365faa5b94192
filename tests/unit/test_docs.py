"""The documentation says what the code says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


MADE = sorted(path.stem.removesuffix("_reference") for path in ROOT.glob("docs/*_reference.py"))


@pytest.mark.parametrize("page", MADE)
def test_pages_made_by_scripts_are_up_to_date(page: str):
    made = subprocess.run(
        [sys.executable, f"docs/{page}_reference.py"],
        cwd=ROOT,
        env={"PYTHONPATH": "core:tui"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout == (ROOT / "docs" / f"{page}.md").read_text()


PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.svg"))


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_pictures_are_small_and_fetch_nothing(path: Path):
    svg = path.read_text()
    assert len(svg.encode()) < 150_000
    assert "url(" not in svg
    assert "@font-face" not in svg
    assert re.findall(r"https?:[^\"]*", svg) == ["http://www.w3.org/2000/svg"]
