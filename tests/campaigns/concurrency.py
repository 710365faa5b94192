"""Many processes at once in one folder of runs, one cache, one queue and one sweep."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from cli_support import Cli, environment
from kept import check_nothing_left, check_readable
from tally import Campaign
from zygote import Forked, Zygote

from cnn_core.preset_files import load_experiment
from cnn_core.runs.directory import list_runs
from cnn_core.runs.index import INDEX
from cnn_core.runs.queue import Queue
from cnn_core.runs.reader import read_summary
from cnn_core.runs.session import new_run

ALSO = ("cnn_core.runs.session", "cnn_tui.cli", "cnn_tui.headless")
TINY = ("--set", "train.epochs=1", "--set", "data.limit=100")
LONG = ("train.epochs=100000", "data.limit=400")
SWEEP = """
name = "rates"
preset = "digits"
[set]
"train.epochs" = 1
"data.limit" = 100
[search]
sampler = "grid"
[parameters]
"optim.lr" = {values = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06]}
"""
# One of many that make runs with the very same second and name, of which there are few ids.
MAKER = """
import pathlib, secrets, sys, time
from cnn_core.runs.directory import create_run
secrets.token_hex = lambda _: f"{secrets.randbelow(int(sys.argv[3])):04x}"
time.strftime = lambda *_: "20260101-000000"
for _ in range(int(sys.argv[2])):
    print(create_run(pathlib.Path(sys.argv[1]), "same", 'name = "same"\\n', {}).name)
"""
LISTER = """
import pathlib, sys
from cnn_core.runs.directory import create_run
from cnn_core.runs.index import run_rows
from cnn_core.runs.writer import RunWriter
from cnn_core.training.events import RunFinished
runs = pathlib.Path(sys.argv[1])
for _ in range(int(sys.argv[2])):
    with RunWriter(create_run(runs, "x", 'name = "x"\\n', {})) as writer:
        writer.write(RunFinished(status="finished"))
    (runs / ".index.json").unlink(missing_ok=True)
    assert all(row["error"] is None for row in run_rows(runs))
"""
DELETER = """
import pathlib, sys
from cnn_core.errors import UserError
from cnn_core.runs.removal import delete_run
try:
    delete_run(pathlib.Path(sys.argv[1]))
except UserError as error:
    sys.exit(f"error: {error}")
"""


def communicate(processes: Sequence[Forked]) -> list[tuple[int, str]]:
    """Return exit codes and what was written to stderr; nobody shows a traceback."""
    ends = []
    for process in processes:
        output, errors = process.communicate()
        assert "Traceback" not in output + errors, errors
        ends.append((process.wait(), errors))
    return ends


def start(cli: Cli, *arguments: str | Path) -> Forked:
    """Start a command."""
    process = cli.start(*arguments)
    assert isinstance(process, Forked)
    return process


def scripts(cli: Cli, program: str, count: int, *arguments: object) -> list[str]:
    """Run a program many times at once; return what each has written."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    children = [
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=cli.env,
        )
        for _ in range(count)
    ]
    written = []
    for child in children:
        output, errors = child.communicate()
        assert child.returncode == 0, errors
        written.append(output)
    return written


def many_start(cli: Cli) -> None:
    """20 commands train runs in one folder, and share the cache."""
    ends = communicate([start(cli, "run", "digits", *TINY, "--name", "one") for _ in range(20)])
    assert [code for code, _ in ends] == [0] * 20, ends
    assert len(cli.run_dirs()) == 20
    assert {read_summary(run_dir)["status"] for run_dir in cli.run_dirs()} == {"finished"}
    check_nothing_left(cli)


def many_make(cli: Cli) -> None:
    """20 processes make 10 runs each in the same second, under 256 possible ids."""
    made = "".join(scripts(cli, MAKER, 20, cli.runs, 10, 256)).split()
    assert len(set(made)) == len(made) == 200
    assert {path.name for path in list_runs(cli.runs)} == set(made)
    assert len(list(cli.runs.iterdir())) == 200


def many_list(cli: Cli) -> None:
    """10 processes make runs, list all of them and write the index at once."""
    scripts(cli, LISTER, 10, cli.runs, 10)
    assert len(cli.json("runs")) == 100
    assert isinstance(json.loads((cli.runs / INDEX).read_bytes()), dict)
    check_nothing_left(cli)


def two_resume(cli: Cli) -> None:
    """Of several that go on with one run, one does; the others say so."""
    run_dir = new_run(cli.runs, load_experiment("digits", LONG))
    processes = [start(cli, "resume", run_dir) for _ in range(3)]
    cli.wait_for(lambda: sum(process.poll() is not None for process in processes) == 2)
    refused = communicate([process for process in processes if process.poll() is not None])
    (winner,) = [process for process in processes if process.poll() is None]
    for code, errors in refused:
        assert code == 2, errors
        assert f"process {winner.pid} on " in errors or "another process" in errors, errors
    winner.send_signal(signal.SIGTERM)
    assert communicate([winner])[0][0] == 130
    assert len(cli.events(run_dir, "run_started")) == 1


def delete_written(cli: Cli) -> None:
    """A run that is being trained is not deleted; one that waits is, and nobody misses it."""
    run_dir = new_run(cli.runs, load_experiment("digits", LONG))
    process = start(cli, "resume", run_dir)
    cli.wait_for(lambda: cli.events(run_dir, "epoch_finished"))
    command = [sys.executable, "-c", DELETER]
    refused = subprocess.run(
        [*command, str(run_dir)], capture_output=True, text=True, env=cli.env, check=False
    )
    assert refused.returncode == 1
    assert f"process {process.pid} on " in refused.stderr
    process.send_signal(signal.SIGTERM)
    communicate([process])
    assert read_summary(run_dir)["status"] == "stopped"
    shutil.rmtree(run_dir)
    settings = ["train.epochs=1", "data.limit=100"]
    first, second = (new_run(cli.runs, load_experiment("digits", settings)) for _ in range(2))
    for queued in (first, second):
        Queue(cli.runs).add(queued.name)
    subprocess.run([*command, str(first)], env=cli.env, check=True)
    assert communicate([start(cli, "queue", "--train")]) is not None
    assert read_summary(second)["status"] == "finished"
    assert cli.run_dirs() == [second]


def two_builders(cli: Cli, *, kill: bool) -> None:
    """Two trainings need one cache: one makes it, the other waits; killed, the other makes it."""
    preset = cli.folder / "images.toml"
    preset.write_text(
        'name = "images"\n[data]\ndataset = "folder"\nimage_size = 96\n[model]\nbackbone = "cnn"\n'
        "options = {widths = [4]}\n[train]\nepochs = 1\n"
    )
    cache = cli.folder / "cache"

    def begun() -> Forked:
        process = start(cli, "run", preset, "--set", "data.limit=1500", "--set", "seed=1")
        cli.wait_for(lambda: list(cache.glob("*.part")))
        return process

    first = begun()
    if kill:
        first.send_signal(signal.SIGSTOP)  # until the other one waits
        while not list(cache.glob("*.part")):  # it was done just before
            first.kill()
            first.wait()
            shutil.rmtree(cache)
            shutil.rmtree(cli.runs)
            first = begun()
            first.send_signal(signal.SIGSTOP)
    second = start(cli, "run", preset, "--set", "data.limit=1500", "--set", "seed=2")
    if kill:
        cli.wait_for(
            lambda: any(
                event["what"].startswith("waiting for another process")
                for path in cli.run_dirs()
                for event in cli.events(path, "preparing")
            )
        )
        first.kill()
    (code, errors), (other_code, other_errors) = communicate([first, second])
    assert code == (-9 if kill else 0), errors
    assert other_code == 0, other_errors
    assert len(list(cache.glob("*/pixels.npy"))) == 1
    decoded = [
        path
        for path in cli.run_dirs()
        if any("decoding images" in event["what"] for event in cli.events(path, "preparing"))
    ]
    # One that was stopped as it began may not have told of it.
    assert len(decoded) in ((1, 2) if kill else (1,)), decoded
    check_nothing_left(cli)


def two_queues(cli: Cli) -> None:
    """One command at a time trains a queue."""
    ids = []
    for _ in range(3):
        ids.append(new_run(cli.runs, load_experiment("digits", LONG[1:])).name)
        Queue(cli.runs).add(ids[-1])
    processes = [start(cli, "queue", "--train") for _ in range(3)]
    ends = communicate(processes)
    assert sorted(code for code, _ in ends) in ([0, 2, 2], [0, 0, 2], [0, 0, 0]), ends
    for code, errors in ends:
        assert code == 0 or "another process trains the queue" in errors
    assert {read_summary(cli.runs / run_id)["status"] for run_id in ids} == {"finished"}
    assert all(len(cli.events(cli.runs / run_id, "run_started")) == 1 for run_id in ids)
    check_nothing_left(cli)


def two_sweeps(cli: Cli) -> None:
    """Two commands begin one sweep, and four workers share its trials."""
    (cli.folder / "rates.toml").write_text(SWEEP)
    makers = [
        start(cli, "sweep", "rates.toml", "--workers", "1", "--trials", "6") for _ in range(2)
    ]
    cli.wait_for(lambda: (cli.runs / "sweeps/rates/sweep.toml").exists())
    workers = [start(cli, "sweep", "rates", "--worker") for _ in range(4)]
    ends = communicate([*workers, *makers])
    assert [code for code, _ in ends] == [0] * 6, ends
    check_readable(cli)
    document = cli.json("trials", "rates")
    assert document["counts"] == {"finished": 6}
    runs = [trial["run"] for trial in document["trials"]]
    assert len(set(runs)) == len(runs) == len(cli.run_dirs())
    assert all(len(cli.events(run_dir, "run_started")) == 1 for run_dir in cli.run_dirs())


CASES = {
    "20 commands start runs in one folder": many_start,
    "20 processes make runs in the same second, of the same name": many_make,
    "10 processes make and list runs and write the index": many_list,
    "3 commands resume one run": two_resume,
    "a run is deleted while it is trained, and while it waits": delete_written,
    "2 trainings need the same cache": lambda cli: two_builders(cli, kill=False),
    "the builder of a cache is killed while another waits": lambda cli: two_builders(
        cli, kill=True
    ),
    "3 commands train one queue": two_queues,
    "2 commands and 4 workers share a sweep": two_sweeps,
}


def main() -> None:
    """Do all of it, ``--cases`` times."""
    with Campaign("concurrency", __doc__ or "", cases=3) as campaign:
        zygote = Zygote(environment(campaign.folder), ALSO)
        for fault, case in CASES.items():
            for number in range(campaign.cases):
                cli = Cli(campaign.folder / f"{len(campaign.rows)}-{number}", zygote)
                if "cache" in fault:
                    cli.make_images(cli.data / "folder", ["a", "b", "c"], 600)
                with campaign.case(fault, str(number)):
                    case(cli)
                cli.end()
                shutil.rmtree(cli.folder)


if __name__ == "__main__":
    main()
