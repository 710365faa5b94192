"""Write docs/reliability.md from what the campaigns recorded.

``python docs/reliability_reference.py > docs/reliability.md``
"""

import json
import sys
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "tests" / "campaigns" / "results"

HEAD = """\
# Reliability

<!-- Made by docs/reliability_reference.py from what `tests/campaigns/*.py --record` found. -->

A campaign does harm many times, at random but repeatably (`--seed`), and checks after each time
that nothing is lost. `tried` counts the cases, `survived` those in which all was as promised;
`lost` is the rest. What is promised stands below the tables; smaller versions of the same checks
are in the test suite. Campaigns need `make test` to have made its environment once, and
`PYTHONPATH=core:tui:tests`.
"""

PROMISES = """\
"""


def main() -> None:
    """Write the page to stdout."""
    found = [json.loads(path.read_bytes()) for path in sorted(RESULTS.glob("*.json"))]
    lines = [line for one in found for line in _section(one)]
    sys.stdout.write("\n".join([HEAD, *lines, PROMISES]))


def _section(found: dict[str, Any]) -> list[str]:
    lines = [
        f"`{found['command']}`: {found['minutes']} minutes, {found['date']}, {found['machine']}.",
        "",
        "| fault | tried | survived | lost | besides |",
        "|---|---:|---:|---:|---|",
    ]
    for row in found["rows"]:
        details = ", ".join(f"{key}: {value}" for key, value in row["details"].items())
        lost = row["tried"] - row["survived"]
        lines.append(
            f"| {row['fault']} | {row['tried']} | {row['survived']} | {lost} | {details} |"
        )
    return [*lines, ""]


if __name__ == "__main__":
    main()
