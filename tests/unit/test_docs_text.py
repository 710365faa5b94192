"""What the pages say to go to and to type is there: links, anchors, commands, extras; the site."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import tomli
import typer
from markdown_it import MarkdownIt
from markdown_it.token import Token

from cnn_tui.cli import app

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results"
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
    *(path for path in sorted(ROOT.glob("docs/**/*.md")) if not path.is_relative_to(RESULTS)),
]
GROUP = typer.main.get_command(app)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@cache
def tokens(page: Path) -> list[Token]:
    """Return the page's tokens in their order, what is inside a line after it."""
    blocks = MarkdownIt("commonmark").enable("table").parse(page.read_text())
    return [token for block in blocks for token in (block, *(block.children or ()))]


# --- links ---------------------------------------------------------------------------------------


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors that forges give to the headings of a page."""
    found: list[str] = []
    for before, token in zip(tokens(page), tokens(page)[1:], strict=False):
        if before.type == "heading_open":
            words = "".join(child.content for child in token.children or ())
            found.append(re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-"))
    return {
        f"{slug}-{found[:place].count(slug)}" if slug in found[:place] else slug
        for place, slug in enumerate(found)
    }


def links(page: Path) -> list[str]:
    found = [token.attrGet("href") or token.attrGet("src") for token in tokens(page)]
    return [str(target) for target in found if target and not str(target).startswith("https:")]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_link_of_a_page_is_dead(page: Path):
    for target in links(page):
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.is_file(), target
        assert not anchor or anchor in anchors(there), target


def test_anchors_are_those_of_forges(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text("# `a` & B's _c_\n\n## x\n\n## x\n\n    # no heading\n")
    assert anchors(page) == {"a--bs-c", "x", "x-1"}


def test_the_front_page_leads_to_all_others():
    front = ROOT / "docs" / "index.md"
    linked = {(front.parent / target).resolve() for target in links(front)}
    assert set(PAGES) - linked == {front, ROOT / "README.md"}


# --- commands ------------------------------------------------------------------------------------

# What may stand before a command in a listing.
PROMPTS = (
    (re.compile(r"^.*\btorchrun .*-m cnn_tui "), "cnn-tui "),
    (re.compile(r"^(?:\S+\$ |ssh -t \w+ |srun |exec |(?:[A-Z_]+=\S+ )+)"), ""),
)
# What stands for something in a synopsis: `[--option A|B]`, `[--one | --other]`, `RUN...`, N.
OPTIONAL = re.compile(r"(?<!\S)\[(--[^]|]*(?:\|\w[^]|]*)*|[A-Z]+)(?: \| [^]]*)?\](?:\.\.\.)?(?!\S)")
ONE_OF = re.compile(r"(?<= )(\w+)(?:\|\w+)+(?!\S)")
ELLIPSES = {"…", "..."}


def commands_in(listing: str) -> Iterator[list[str]]:
    """Yield the words of our commands; two spaces set them off from each other and from remarks."""
    for line in re.sub(r"\\\n\s*", "", listing).splitlines():
        for part in re.split(r" {2,}", line.strip()):
            plain = ONE_OF.sub(r"\1", OPTIONAL.sub(r"\1", part))
            for prompt, instead in PROMPTS:
                plain = prompt.sub(instead, plain)
            if "cnn-tui" in plain:
                yield from ours(plain)


def ours(line: str) -> Iterator[list[str]]:
    """Yield the commands of a shell's line that are ours."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if not set(word) <= set("&|;<>"):
            words.append(word)
            continue
        if words[:1] == ["cnn-tui"]:
            yield words
        words = []


def check(words: list[str], *, whole: bool) -> None:
    """Parse a command without running it; where something is left out, only names count."""
    whole = whole and not ELLIPSES & {*words}
    words = ["1" if word == "N" else word.removesuffix("...") for word in words[1:]]
    called = bool(words) and not words[0].startswith("-")
    if called and (words[0].isupper() or words[0].startswith("$") or words[0] in ELLIPSES):
        return  # COMMAND, OPTION
    target = GROUP.commands[words[0]] if called else GROUP
    arguments = words[1:] if called else words
    if whole:
        target.make_context("cnn-tui", arguments)
        return
    known = {option for parameter in target.params for option in parameter.opts} | {"--help"}
    assert {word for word in arguments if word.startswith("--")} <= known


def commands_of(page: Path) -> Iterator[tuple[list[str], bool]]:
    """Yield each command of a page, and whether it stands in a listing rather than in a line."""
    for token in tokens(page):
        listed = token.type in ("code_block", "fence")
        if listed or token.type == "code_inline":
            text = token.content if listed else token.content.replace("\n", " ")
            yield from ((words, listed) for words in commands_in(text))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_of_a_page_can_be_typed(page: Path):
    for words, listed in commands_of(page):
        check(words, whole=listed)


@pytest.mark.parametrize(
    "command",
    [
        "cnn-tui rum digits",
        "cnn-tui run",
        "cnn-tui run digits --hedless",
        "cnn-tui evaluate RUN [--spilt test|val]",
        "cnn-tui export last --format onyx --out x",
        "cnn-tui stop last now",
        "cnn-tui queue --workers four",
    ],
)
def test_what_can_not_be_typed_is_found(command: str):
    (words,) = commands_in(command)
    with pytest.raises(Exception, match=r"rum|Missing|hedless|spilt|onyx|now|integer"):
        check(words, whole=True)


def test_commands_are_found_in_listings():
    listing = (
        "cnn-tui stop last     cnn-tui queue    who waits, and who doesn't\n"
        "cnn-tui split a.toml && cnn-tui runs --filter 'a > 1 | b' > it   # it's\n"
        "X=1 torchrun --nnodes 2 \\\n    -m cnn_tui run vgg16\n"
        "you@server$ cnn-tui serve\n"
        "cnn-tui evaluate RUN [--split test|val] [--csv | --json]\n"
    )
    assert list(commands_in(listing)) == [
        ["cnn-tui", "stop", "last"],
        ["cnn-tui", "queue"],
        ["cnn-tui", "split", "a.toml"],
        ["cnn-tui", "runs", "--filter", "a > 1 | b"],
        ["cnn-tui", "run", "vgg16"],
        ["cnn-tui", "serve"],
        ["cnn-tui", "evaluate", "RUN", "--split", "test", "--csv"],
    ]


# --- extras --------------------------------------------------------------------------------------


def test_the_extras_are_those_of_the_project():
    project = tomli.loads((ROOT / "pyproject.toml").read_text())["project"]
    told = re.findall(
        r"^\| `(\w+)` \|", (ROOT / "docs" / "installing.md").read_text(), re.MULTILINE
    )
    assert sorted(told) == sorted(project["optional-dependencies"])


# --- the site ------------------------------------------------------------------------------------


def test_the_site_is_built_and_fetches_nothing(tmp_path: Path):
    made = subprocess.run(
        [sys.executable, "-m", "sphinx", "-c", "docs", "-q", "-n", "-W", ".", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    pages = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.html")}
    assert {"index.html", "docs/index.html", "docs/howto/images.html", "CHANGELOG.html"} <= pages
    for path in [*tmp_path.rglob("*.html"), *tmp_path.rglob("*.css")]:
        text = path.read_text()
        fetched = re.findall(r"(?:src=|url\(|@import)\s*[\"']?(?:https?:)?//[^\s\"')]+", text)
        fetched += re.findall(r"<link [^>]*href=\"(?:https?:)?//[^>]*>", text)
        assert not fetched, path
        assert not re.search(r"[ (]–[a-z]", text), path  # an option that was made a dash
