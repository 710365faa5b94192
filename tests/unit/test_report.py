"""Reports of runs, as pages and as Markdown."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from inspect_support import make_images, trained_run
from markdown_it import MarkdownIt
from PIL import Image
from prepare_support import finish

from cnn_core.errors import UserError
from cnn_core.report.write import report
from cnn_core.runs.labels import set_labels

HOSTILE = (
    "<script>document.title='gone'<",
    "\"'><img src=x onerror=document.title='gone'>",
    "a&amp;b|c [link](http:) `x`",
)
NAME = "</title><script>document.title='gone'</script> # *x* \u202eevil\x1b[2J"
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with data, cache and two runs with hostile names."""
    folder = tmp_path_factory.mktemp("report")
    # A slash can't stand in a file's name.
    make_images(folder / "data" / "images", HOSTILE)
    for part in ("train", "val", "test"):
        for label in (folder / "data" / "images" / part).iterdir():
            for place, path in enumerate(sorted(label.iterdir())[:2]):
                path.rename(path.with_name(f"{place} <b>&\u202e.jpg"))
    trained_run(folder, notes=NAME)
    trained_run(folder, optim={"lr": 0.01}, tags=["<i>"])
    write(folder, "one.html")
    write(folder, "both.html", runs_of(folder))
    write(folder, "one.md")
    return folder


@pytest.fixture
def folder(stored: Path, tmp_path: Path) -> Path:
    return shutil.copytree(stored, tmp_path / "copy")


def runs_of(folder: Path) -> list[Path]:
    return sorted(
        (folder / "runs").glob("2*"), key=lambda run: "0.01" in (run / "config.toml").read_text()
    )


def write(folder: Path, name: str, runs: list[Path] | None = None, part: str = "test") -> Path:
    out = folder / name
    finish(
        report(
            runs or runs_of(folder)[:1],
            out,
            part=part,  # type: ignore[arg-type]
            data_dir=folder / "data",
            cache_dir=folder / "cache",
            device="cpu",
            written=0.0,
        )
    )
    return out


class Page(HTMLParser):
    """What a browser would make of a page: elements, attributes, text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_page_has_all_of_a_run(stored: Path) -> None:
    page = Page(stored / "one.html")
    for title in ("Results", "Settings other than the defaults", "Curves", "Test", "Confusion",
                  "Calibration", "Most confident mistakes", "Least certain images", "Data",
                  "Network", "Environment", "How to repeat it"):  # fmt: skip
        assert title in page.text
    assert "missing" not in [value for name, value in page.attributes if name == "class"]
    assert page.tags.count("svg") == 3 + 2 + 2  # curves, samples of two, confusion, calibration
    assert page.tags.count("img") > 12
    assert len(page.ids) == len(set(page.ids))


def test_a_page_fetches_nothing_and_has_no_script(stored: Path) -> None:
    page = Page(stored / "both.html")
    assert "script" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    for name, value in page.attributes:
        if name in ("src", "href", "xlink:href"):
            assert value.startswith(("data:image/", "#")), value
        assert "url(" not in value or re.fullmatch(r"url\(#[\w-]+\)", value), value
    links = {value for name, value in page.attributes if name.endswith("href")}
    assert {link[1:] for link in links if link.startswith("#")} <= set(page.ids)
    assert any(
        value.startswith("default-src 'none'; img-src data:;") for _, value in page.attributes
    )


def test_names_are_shown_literally_on_a_page(stored: Path) -> None:
    raw = (stored / "one.html").read_text(encoding="utf-8")
    page = Page(stored / "one.html")
    for name in (*HOSTILE, r"# *x* \u202eevil\x1b[2J", r"<b>&\u202e.jpg"):
        assert name in page.text + " ".join(value for _, value in page.attributes)
    assert not set("\u202e\x1b") & set(raw)


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_no_name_runs_in_a_browser(folder: Path) -> None:
    run_dir = runs_of(folder)[0]
    set_labels(run_dir, name=NAME)
    out = write(folder, "one.html")
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
         f"--user-data-dir={folder / 'chromium'}", f"file://{out}"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "<title>&lt;/title&gt;&lt;script&gt;document.title=" in done.stdout
    assert "<title>gone" not in done.stdout
    assert "<script" not in done.stdout


def test_runs_stand_side_by_side(stored: Path) -> None:
    page = Page(stored / "both.html")
    assert "2 runs compared" in page.text
    assert "optim.lr" in page.text
    assert "Validation loss" in page.text
    for letter in "ab":
        assert f"run-{letter}-confusion" in page.ids


@pytest.mark.parametrize("name", ["one.html", "one.md"])
def test_the_same_runs_give_the_same_bytes(stored: Path, folder: Path, name: str) -> None:
    shutil.rmtree(folder / "one_files")
    assert write(folder, name).read_bytes() == (stored / name).read_bytes()
    for picture in (folder / "one_files").glob("*"):
        assert picture.read_bytes() == (stored / "one_files" / picture.name).read_bytes()
    assert b"1970-01-01 00:00:00 UTC" in (stored / name).read_bytes()


def inline(tokens: list) -> Iterator:  # type: ignore[type-arg]
    for token in tokens:
        yield token
        yield from inline(token.children or [])


def test_markdown_has_the_same_and_shows_names_literally(stored: Path) -> None:
    text = (stored / "one.md").read_text(encoding="utf-8")
    tokens = list(inline(MarkdownIt("commonmark").enable("table").parse(text)))
    shown = "".join(token.content for token in tokens if token.type == "text")
    for name in (*HOSTILE, r"# *x* \u202eevil\x1b[2J"):
        assert name in shown
    written = {token.content for token in tokens if token.type in ("html_inline", "html_block")}
    assert {tag for item in written for tag in re.findall(r"<(\w+)", item)} <= {
        "br", "details", "summary"
    }  # fmt: skip
    assert not [token for token in tokens if token.type == "link_open"]
    files = [token.attrs["src"] for token in tokens if token.type == "image"]
    assert len(files) > 12
    assert {f"one_files/{path.name}" for path in (stored / "one_files").iterdir()} == set(files)
    for file in files:
        with Image.open(stored / file) as picture:
            picture.verify()


def test_only_a_report_s_own_pictures_are_replaced(folder: Path) -> None:
    (folder / "one_files" / "999-old.png").touch()
    write(folder, "one.md")
    assert not (folder / "one_files" / "999-old.png").exists()
    assert not list(folder.glob(".*"))
    (folder / "one_files" / "mine.txt").touch()
    with pytest.raises(UserError, match=r"one_files would be replaced .* holds mine\.txt"):
        write(folder, "one.md")
    assert (folder / "one_files" / "mine.txt").exists()


def missing_of(path: Path) -> list[str]:
    return re.findall(r'<p class="missing">(.*)</p>', path.read_text(encoding="utf-8"))


def test_without_data_the_words_stay(folder: Path) -> None:
    shutil.rmtree(folder / "data")
    out = write(folder, "one.html")
    told = missing_of(out)
    assert len(told) == 3  # the split, the pictures of two sections
    assert all("not found" in text for text in told)
    assert HOSTILE[0] in Page(out).text


def test_without_predictions_and_checkpoint_it_is_told(folder: Path) -> None:
    for name in ("predictions", "checkpoints"):
        shutil.rmtree(runs_of(folder)[0] / name)
    told = missing_of(write(folder, "one.html"))
    assert any("no such checkpoint" in text for text in told)


@pytest.mark.parametrize("name", ["one.html", "one.md"])
def test_a_run_that_has_only_begun(folder: Path, name: str) -> None:
    run_dir = runs_of(folder)[0]
    for path in run_dir.iterdir():
        if path.name != "config.toml":
            path.unlink() if path.is_file() else shutil.rmtree(path)
    text = write(folder, name).read_text()
    assert "no epoch has ended yet" in text
    assert "its number of classes is not known" in text
    assert "the run is queued" in text
    assert "environment.json" in text


def test_validation_images_can_be_asked_for(folder: Path) -> None:
    shutil.rmtree(folder / "data" / "images" / "test")
    page = Page(write(folder, "one.html", part="val"))
    assert "judged" in page.ids
    assert "Validation" in page.text


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("one.pdf", r"one\.pdf: expected a name that ends in \.html or \.md"),
        ("none/one.html", "there is no folder"),
        ("runs.html", "this is a folder"),
    ],
)
def test_a_place_that_cannot_be_is_told(folder: Path, name: str, message: str) -> None:
    (folder / "runs.html").mkdir()
    with pytest.raises(UserError, match=message):
        write(folder, name)


def test_what_is_damaged_is_told(folder: Path) -> None:
    run_dir = runs_of(folder)[0]
    config = run_dir / "config.toml"
    config.write_text("extra = 1\nother = 2\n" + config.read_text())
    (run_dir / "environment.json").write_text('{"versions": [], "command": 3}')
    (run_dir / "checkpoints" / "best.pt").write_bytes(b"no checkpoint")
    (run_dir / "predictions" / "test.npz").write_bytes(b"no predictions")
    for name in ("one.html", "one.md"):
        text = write(folder, name).read_text()
        for told in ("2 mistakes", "extra", "not a checkpoint", "no file of predictions"):
            assert told in text
        assert r"\n" not in text
