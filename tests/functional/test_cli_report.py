"""The command that writes reports."""

import pytest


def test_two_runs_as_a_page(stored, tmp_path):
    first, second = stored.run_dirs()
    done = stored("report", first.name, "last", second, "--out", tmp_path / "two.html")
    assert done.stdout == ""
    assert "two.html (0." in done.stderr
    page = (tmp_path / "two.html").read_text()
    assert "<title>2 runs compared</title>" in page
    assert 'class="missing"' not in page
    assert [path.name for path in tmp_path.iterdir()] == ["two.html"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["last", "--out", "a.pdf"], "a.pdf: expected a name that ends in .html or .md"),
        (["nothing", "--out", "a.html"], "no run 'nothing'"),
        (["last", "--out", "a.html", "--split", "train"], "--split: unknown 'train'"),
    ],
)
def test_mistakes_are_told_at_once(stored, arguments, told):
    done = stored("report", *arguments, rc=2)
    assert told in " ".join(done.stderr.replace("│", "").split())
    assert not (stored.folder / "a.html").exists()
