"""cnn-tui queue: runs that wait, trained one after another."""

import json
import signal

import pytest

TINY = ("--set", "train.epochs=1", "--set", "data.limit=100")
DIVERGING = (*TINY, "--set", "optim.lr=1e20", "--set", "optim.schedule=constant")


def queued(cli, *settings: str) -> str:
    """Let a run wait and return its id."""
    return cli("run", "digits", "--queue", *settings).stdout.strip()


def waiting(cli) -> list[str]:
    return [row["id"] for row in cli.json("queue")]


def status(cli, run_id: str) -> str:
    return cli.json("show", run_id)["status"]


def test_runs_wait_and_are_trained_in_turn_though_one_fails(cli):
    first = queued(cli, *TINY, "--name", "first")
    second = queued(cli, *DIVERGING, "--name", "second")
    third = queued(cli, *TINY, "--name", "third")
    assert [path.name for path in cli.run_dirs()] == sorted([first, second, third])
    assert waiting(cli) == [first, second, third]
    table = [line.split() for line in cli("queue").stdout.splitlines()]
    assert table[0] == ["#", "run", "status", "epoch", "dataset", "backbone"]
    assert [row[:4] for row in table[1:]] == [
        ["1", first, "queued", "0/1"],
        ["2", second, "queued", "0/1"],
        ["3", third, "queued", "0/1"],
    ]

    done = cli("queue", "--train", rc=1)
    told = [line for line in done.stderr.splitlines() if line.startswith("training ")]
    assert told == [
        f"training {first}; 2 runs wait after it",
        f"training {second}; 1 run waits after it",
        f"training {third}; 0 runs wait after it",
    ]
    assert "diverged" in done.stderr
    assert done.stdout.count("test accuracy") == 2
    assert [status(cli, run) for run in (first, second, third)] == [
        "finished",
        "diverged",
        "finished",
    ]
    assert waiting(cli) == []
    assert "no run waits; cnn-tui run PRESET --queue adds one" in cli("queue").stderr
    assert cli("queue", "--train").stderr == "no run waits\n"


@pytest.mark.long
def test_ctrl_c_stops_the_one_in_training_and_the_others_wait(cli, slow):
    endless = (*slow[2:], "--set", "train.epochs=100000")
    first, second = queued(cli, *endless), queued(cli, *endless)
    process = cli.start("queue", "--train", "--headless")
    cli.wait_for(lambda: cli.events(cli.runs / first, "epoch_finished"))
    assert waiting(cli) == [second]
    refused = cli("queue", "--train", rc=2)
    assert "another process trains the queue" in refused.stderr
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert "1 run waits still" in err
    assert [status(cli, run) for run in (first, second)] == ["stopped", "queued"]
    assert (cli.runs / first / "checkpoints/last.pt").is_file()
    assert waiting(cli) == [second]


@pytest.mark.long
def test_a_run_stopped_by_request_makes_way_for_the_next(cli, slow):
    first = queued(cli, *slow[2:], "--set", "train.epochs=100000")
    second = queued(cli, *TINY)
    process = cli.start("queue", "--train")
    cli.wait_for(lambda: cli.events(cli.runs / first, "epoch_finished"))
    cli("stop", first)
    _, err = process.communicate()
    assert process.returncode == 0, err
    assert [status(cli, run) for run in (first, second)] == ["stopped", "finished"]
    assert waiting(cli) == []


def test_in_the_background(cli):
    runs = [queued(cli, *TINY), queued(cli, *TINY)]
    done = cli("queue", "--train", "--detach")
    assert "in the background" in done.stderr
    assert done.stdout == ""
    cli.wait_for(lambda: all(status(cli, run) == "finished" for run in runs))
    assert waiting(cli) == []


def test_a_run_that_cannot_begin_does_not_keep_the_next_from_its_turn(cli):
    first, second = queued(cli, *TINY), queued(cli, *TINY)
    (cli.runs / first / "config.toml").write_text("name = ")
    done = cli("queue", "--train", rc=1)
    assert "not valid TOML" in done.stderr
    assert status(cli, second) == "finished"
    assert waiting(cli) == []


def test_options_that_contradict_each_other(cli):
    for arguments, told in [
        (("queue", "--detach"), "give it with --train"),
        (("queue", "--train", "--json"), "does not go with --train"),
        (("run", "digits", "--queue", "--detach"), "without --detach and --json"),
        (("run", "digits", "--queue", "--json"), "without --detach and --json"),
    ]:
        assert told in cli(*arguments, rc=2).stderr
    assert not cli.runs.exists()


def test_a_run_that_a_killed_process_had_taken_is_trained(cli):
    run = queued(cli, *TINY)
    (cli.runs / ".queue.json").unlink()
    (cli.runs / ".queue.taken").write_text(json.dumps({run: 0}))
    cli("queue", "--train")
    assert status(cli, run) == "finished"
    assert "no run waits" in cli("queue", "--train").stderr
    assert not (cli.runs / ".queue.taken").exists()
