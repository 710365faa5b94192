"""SIGKILL in sweeps: in the workers, which take and tell of trials, and in the command."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kept import check_nothing_left, check_readable

from cnn_core.search.folder import begin_sweep

if TYPE_CHECKING:
    from cli_support import Cli
    from kills import Ground

SWEEP = """
name = "rates"
preset = "{preset}"
[set]
"train.epochs" = 1
[search]
sampler = "grid"
pruner = "median"
keep = 1
[parameters]
"optim.lr" = {{values = [0.01, 0.05, 0.1]}}
"""


def kill_sweeps(ground: "Ground", preset: Path, most: int) -> None:
    """Kill workers, and the command that starts them, at changes of the disk."""
    file = ground.campaign.folder / "rates.toml"
    file.write_text(SWEEP.format(preset=preset))

    def begun() -> "Cli":
        cli = ground.cli()
        begin_sweep(cli.runs, str(file), launch={})
        return cli

    worker = ("sweep", "rates", "--worker")
    alone = begun()
    changes = ground.changes(alone, *worker)
    expected = _trials(alone)
    numbers = ground.aimed(range(1, len(changes) + 1), most)
    for cli, number, code, told in ground.each_doomed(numbers, begun, *worker):
        with ground.campaign.case("SIGKILL in a sweep's worker", f"{number}, {told}"):
            assert code == -9, code
            check_readable(cli)
            cli("trials", "rates")
            cli(*worker)
            _check(cli, expected)

    # Its first changes: later it only looks at what its workers do.
    numbers = ground.aimed(range(1, 25), max(1, most // 5))
    command = ("sweep", file, "--workers", "1")
    for cli, number, code, told in ground.each_doomed(numbers, ground.cli, *command):
        with ground.campaign.case("SIGKILL in a sweep's command", f"{number}, {told}"):
            assert code == -9, code
            check_readable(cli)
            cli("sweeps")
            cli(*command)
            _check(cli, expected)


def _trials(cli: "Cli") -> dict[int, Any]:
    document = cli.json("trials", "rates")
    assert document["counts"] == {"finished": 3}, document["counts"]
    return {trial["trial"]: (trial["params"], trial["value"]) for trial in document["trials"]}


def _check(cli: "Cli", expected: dict[int, Any]) -> None:
    assert _trials(cli) == expected
    runs = {trial["run"] for trial in cli.json("trials", "rates")["trials"]}
    assert runs == {path.name for path in cli.run_dirs()}, "a run is no trial's"
    kept = [path.parent for path in cli.runs.glob("2*/checkpoints") if list(path.glob("last.pt"))]
    assert len(kept) == 1, "not one trial has its checkpoints"
    check_nothing_left(cli)
