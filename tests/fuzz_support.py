"""Odd input for everything that is read, and what must hold for it: a result, or one error told.

Values, documents, texts and damaged folders; ``told`` and ``command`` check what became of them.
"""

import copy
import datetime
import io
import json
import math
import shutil
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple
from unittest import mock

import tomli_w
from hypothesis import strategies as st

from cnn_core.errors import CnnTuiError
from cnn_tui.cli import main

_TEXTS = (
    *("", " ", "\0", "\x1b[31m", "a\nb", "[bold]", "\u202eabc", "ﷺ", "\x9b1m", "x" * 3000, "NaN"),
    *("..", "/", "~", "~nobody", "/dev/null", "-1", "None", "true", "1e400", "{}", "%s", "${HOME}"),
)
_NUMBERS = (
    *(0, -1, 1, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**30, 10**400),
    *(0.0, -0.0, 1e-320, 1e308, -1e308, math.inf, -math.inf, math.nan),
)
_DATES = (datetime.date(1, 1, 1), datetime.datetime(2020, 2, 30 - 1), datetime.time(1))


def texts(*, surrogates: bool = False) -> st.SearchStrategy[str]:
    """Return texts, those that programs stumble over often among them."""
    alphabet = st.characters(exclude_categories=() if surrogates else ("Cs",))
    return st.sampled_from(_TEXTS) | st.text(alphabet, max_size=20)


def values(*, toml: bool = False) -> st.SearchStrategy[Any]:
    """Return what a document may hold: scalars, and short lists and tables of them."""
    scalars = st.sampled_from(_NUMBERS) | st.booleans() | texts(surrogates=not toml)
    scalars |= st.sampled_from(_DATES) if toml else st.none()
    return st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(texts(), inner, max_size=4) | deep(inner)
        ),
        max_leaves=6,
    )


def deep(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return values inside many lists."""

    def nested(value: Any, depth: int) -> Any:
        for _ in range(depth):
            value = [value]
        return value

    return st.builds(nested, inner, st.sampled_from([10, 100]))


@st.composite
def mutated(draw: st.DrawFn, document: Any, *, toml: bool = False) -> Any:
    """Return a document some of whose parts are replaced, removed, renamed or said twice."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        # Half of them near the top, where there are few places and much depends on each.
        depth = draw(st.sampled_from([1, 2, 9, 9]))
        places = [*_places(document, depth)]
        if not places:
            return draw(values(toml=toml))
        holder, key = draw(st.sampled_from(places))
        what = draw(st.sampled_from(["replace", "replace", "replace", "remove", "rename", "twice"]))
        if what == "remove":
            del holder[key]
        elif what == "rename" and isinstance(holder, dict):
            holder[draw(texts())] = holder.pop(key)
        elif what == "twice" and isinstance(holder, list):
            holder.insert(0, copy.deepcopy(holder[key]))
        elif what == "twice":
            others = [other[at] for other, at in places]
            holder[key] = copy.deepcopy(draw(st.sampled_from(others)))
        else:
            holder[key] = draw(values(toml=toml))
    return document


def _places(document: Any, depth: int) -> Iterator[tuple[Any, Any]]:
    """Yield parts of a document as the dict or list that holds them, and their place there."""
    if isinstance(document, dict):
        inside: Sequence[tuple[Any, Any]] = [*document.items()]
    elif isinstance(document, list):
        inside = [*enumerate(document[:20])]
    else:
        return
    for key, value in inside:
        yield document, key
        if depth > 1:
            yield from _places(value, depth - 1)


@st.composite
def garbled(draw: st.DrawFn, content: bytes) -> bytes:
    """Return bytes that were flipped, cut off, cut out, repeated or written over."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(content)))
        length = draw(st.integers(1, 40))
        what = draw(st.sampled_from(["flip", "cut off", "cut out", "repeat", "insert", "zero"]))
        before, piece, after = content[:at], content[at : at + length], content[at + length :]
        content = {
            "flip": before
            + bytes(byte ^ (1 << (length % 8)) for byte in piece[:1])
            + content[at + 1 :],
            "cut off": before,
            "cut out": before + after,
            "repeat": before + piece * 3 + after,
            "insert": before + draw(st.binary(max_size=20)) + content[at:],
            "zero": before + b"\0" * len(piece) + after,
        }[what]
    return content


@dataclass(frozen=True, slots=True)
class Harm:
    """What becomes of one file: other content, or something that is no file."""

    path: str
    kind: Literal["content", "gone", "folder", "link to nothing", "link to itself"]
    content: bytes = b""

    def do(self, folder: Path) -> None:
        """Do it to the file in this folder."""
        path = folder / self.path
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        if not path.parent.is_dir():
            return
        if self.kind == "content":
            path.write_bytes(self.content)
        elif self.kind == "folder":
            path.mkdir()
            (path / "inside").touch()
        elif self.kind == "link to nothing":
            path.symlink_to("nowhere")
        elif self.kind == "link to itself":
            path.symlink_to(path.name)


def harms(files: dict[str, bytes], documents: dict[str, Any]) -> st.SearchStrategy[list[Harm]]:
    """Return what may happen to files of a folder, some of which hold documents.

    ``documents`` gives strategies for their contents by path.
    """

    @st.composite
    def one(draw: st.DrawFn) -> Harm:
        path = draw(st.sampled_from(sorted(files)))
        how = draw(st.sampled_from(["document"] * 3 + ["garbled", "garbled", "other", "kind"]))
        if how == "kind":
            kinds: tuple[Any, ...] = ("gone", "folder", "link to nothing", "link to itself")
            return Harm(path, draw(st.sampled_from(kinds)))
        if how == "document" and path in documents:
            return Harm(path, "content", draw(documents[path]))
        if how == "other":
            return Harm(path, "content", draw(st.sampled_from([b"", *files.values()])))
        return Harm(path, "content", draw(garbled(files[path])))

    return st.lists(one(), min_size=1, max_size=3)


def as_toml(table: Any) -> bytes:
    """Return a table as TOML; what TOML can't hold becomes text that is no TOML, or odd."""
    try:
        return tomli_w.dumps(_writable(table)).encode(errors="surrogateescape")
    except (TypeError, AttributeError, ValueError):
        return repr(table).encode(errors="replace")


def as_json(document: Any) -> bytes:
    """Return a document as JSON, NaN and the infinities as Python writes them."""
    return json.dumps(document).encode()


class _Hexadecimal(int):
    """A number that is written so, the largest with more digits than Python shows in decimal."""

    def __str__(self) -> str:
        return hex(self) if self < 10**400 else "0x" + "f" * 5000


def _writable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _writable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_writable(item) for item in value]
    return _Hexadecimal(value) if type(value) is int and value > 2**64 else value


_LONGEST_MESSAGE = 20_000


class Surface(NamedTuple):
    """Input of one kind: cases, and what must hold for each."""

    cases: st.SearchStrategy[Any]
    check: Callable[[Any], object]
    costs: int = 1
    """How much longer a case takes than one of a surface that only parses."""


def told(call: Callable[[], Any]) -> Any:
    """Return what a call returns, None where it tells the user of a mistake in a clear way."""
    try:
        return call()
    except CnnTuiError as error:
        message = str(error)
        assert message
        assert len(message) < _LONGEST_MESSAGE, f"{len(message)} characters: {message[:200]}"
        assert harmless(message), repr(message)
        return None


def command(*arguments: str | Path) -> str:
    """Run a command in this process; return what it wrote on stdout.

    It ends with the code of a result, a failure or a mistake, and writes no control characters.
    """
    code: object = 0
    # A file of the system: what is narrated is written to its descriptor.
    with (
        io.TextIOWrapper(io.BytesIO(), encoding="utf-8") as stdout,
        tempfile.TemporaryFile() as written,
        io.TextIOWrapper(written, encoding="utf-8") as stderr,
        mock.patch.object(sys, "argv", ["cnn-tui", *map(str, arguments)]),
        mock.patch.object(sys, "stdout", stdout),
        mock.patch.object(sys, "stderr", stderr),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        sys.stderr.flush()
        stdout.seek(0)
        written.seek(0)
        output, errors = stdout.read(), written.read().decode()
    assert code in (0, 1, 2), code
    assert "Traceback" not in output + errors
    assert harmless(output + errors), f"{arguments[0]}: {output + errors!r:.2000}"
    assert code == 0 or errors.strip(), "a failure is told of"
    return output


def harmless(text: str) -> bool:
    """Return whether a terminal shows the text, and obeys nothing of it."""
    return not any(unicodedata.category(char)[0] == "C" for char in text.replace("\n", ""))


@contextmanager
def file_of(name: str, content: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        yield path
