"""What a campaign tried and what became of it: the rows of docs/reliability.md.

A campaign is a script that does harm many times, at random but repeatably, and checks after each
time that nothing is lost. It prints its rows, tells every case that failed, and ends with 1 where
one did. ``--record`` keeps the rows, from which the page is made.
"""

import argparse
import json
import os
import platform
import random
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

RESULTS = Path(__file__).parent / "results"


@dataclass
class Row:
    """One fault: how often it was tried, how often all was as promised, what else happened."""

    fault: str
    tried: int = 0
    survived: int = 0
    details: dict[str, Any] = field(default_factory=dict)


class Campaign:
    """Context manager that counts cases; ``cases``, ``random`` and ``folder`` are the campaign's.

    Its options are ``--cases``, ``--seed``, ``--record``, and those in ``extra`` with their
    defaults, to be read from ``options``.
    """

    def __init__(self, name: str, about: str, *, cases: int, **extra: Any) -> None:
        parser = argparse.ArgumentParser(description=about.splitlines()[0])
        parser.add_argument("--cases", type=int, default=cases, metavar="N")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument(
            "--record", nargs="?", const=name, metavar="NAME", help="keep the rows for the page"
        )
        for option, default in extra.items():
            flag = f"--{option.replace('_', '-')}"
            if isinstance(default, bool):
                parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=default)
            else:
                parser.add_argument(flag, type=type(default), default=default)
        self.options = parser.parse_args()
        self.name, self.cases = name, self.options.cases
        self.random = random.Random(self.options.seed)
        self.rows: dict[str, Row] = {}
        self.lost: list[str] = []

    def __enter__(self) -> Self:
        self._temporary = tempfile.TemporaryDirectory(prefix=f"{self.name}-")
        self.folder = Path(self._temporary.name)
        self._began = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: object, __: TracebackType | None
    ) -> None:
        self._temporary.cleanup()
        if kind is not None:
            return
        for row in self.rows.values():
            print(row.fault, f"{row.survived} of {row.tried}", row.details or "", sep=" | ")
        for told in self.lost:
            print("LOST", told, sep=" | ")
        if self.options.record:
            RESULTS.mkdir(exist_ok=True)
            document = json.dumps(self._document(), indent=2, ensure_ascii=False)
            (RESULTS / f"{self.options.record}.json").write_text(f"{document}\n", encoding="utf-8")
        sys.exit(1 if self.lost else 0)

    def row(self, fault: str) -> Row:
        """Return the row of a fault, such as "SIGKILL while a checkpoint is written"."""
        return self.rows.setdefault(fault, Row(fault))

    @contextmanager
    def case(self, fault: str, what: str) -> Iterator[None]:
        """Count a case, which is lost where the block fails an assertion or waits in vain."""
        row = self.row(fault)
        row.tried += 1
        try:
            yield
        except (AssertionError, TimeoutError) as error:
            self.lost.append(f"{fault} | {what} | {error!r}")
            print(self.lost[-1], file=sys.stderr, flush=True)
        else:
            row.survived += 1

    def _document(self) -> dict[str, Any]:
        known = ("--record", self.options.record)
        arguments = [argument for argument in sys.argv[1:] if argument not in known]
        return {
            "command": shlex.join(["python", f"tests/campaigns/{self.name}.py", *arguments]),
            "date": datetime.now(UTC).date().isoformat(),
            "minutes": round((time.monotonic() - self._began) / 60, 1),
            "machine": f"{os.cpu_count()} cores, {platform.system()}, Python "
            f"{platform.python_version()}, torch {version('torch')}",
            "rows": [asdict(row) for row in self.rows.values()],
            "lost": self.lost,
        }
