"""One writer for a run, whatever becomes of it; and requests to it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cnn_core
from cnn_core.errors import UserError
from cnn_core.runs.directory import create_run
from cnn_core.runs.index import run_rows
from cnn_core.runs.lock import RunLock, RunTakenError, is_live
from cnn_core.runs.reader import fold_events, read_summary
from cnn_core.runs.requests import Request, send_request, take_requests
from cnn_core.runs.writer import RunWriter
from cnn_core.training.events import Notice, Preparing, RunFinished

# Writes without end, so that a kill may hit it anywhere.
WRITER = """
import pathlib, sys
from cnn_core.runs.writer import RunWriter
from cnn_core.training.events import Notice, Preparing
with RunWriter(pathlib.Path(sys.argv[1])) as writer:
    writer.write(Preparing(what="x"))
    print("ready", flush=True)
    while True:
        writer.write(Notice(level="info", text="x" * 10_000))
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return create_run(tmp_path, "digits", 'name = "digits"\n', {})


@pytest.fixture
def writer(run: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that writes the run."""
    command = [sys.executable, "-c", WRITER, str(run)]
    environment = os.environ | {"PYTHONPATH": str(Path(cnn_core.__path__[0]).parent)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        yield child
        child.kill()


def test_a_second_writer_is_told_who_writes(run: Path, writer: "subprocess.Popen[str]") -> None:
    assert is_live(run)
    assert read_summary(run)["status"] == "running"
    with pytest.raises(UserError, match=rf"process {writer.pid} on {os.uname().nodename}"):
        RunWriter(run).__enter__()
    assert is_live(run)


def test_a_killed_writer_leaves_a_run_that_can_go_on(
    run: Path, writer: "subprocess.Popen[str]"
) -> None:
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert not is_live(run)
    assert read_summary(run)["status"] == "interrupted"
    with RunWriter(run) as second:
        second.write(Preparing(what="y"))
        assert read_summary(run)["status"] == "running"
    lines = (run / "events.jsonl").read_bytes().splitlines()
    assert all(json.loads(line) for line in lines)
    assert fold_events(run).status == "running"


def test_one_process_cannot_write_a_run_twice(run: Path) -> None:
    with RunLock(run), pytest.raises(UserError, match=f"process {os.getpid()}"):
        RunLock(run).__enter__()
    assert not is_live(run)


def test_a_run_that_ends_while_it_is_looked_at(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The summary still said running, the lock is free: neither may be mistaken for a crash."""
    with RunWriter(run) as writer:
        writer.write(Preparing(what="x"))

        def end_and_probe(run_dir: Path) -> bool:
            writer.write(RunFinished(status="finished"))
            return False

        monkeypatch.setattr("cnn_core.runs.reader.is_live", end_and_probe)
        assert read_summary(run)["status"] == "finished"
        writer.write(Preparing(what="x"))
        assert run_rows(run.parent)[0]["status"] == "finished"


def test_a_tidy_end_leaves_no_heartbeat(run: Path) -> None:
    assert not is_live(run)
    with RunLock(run):
        assert is_live(run)
        record = json.loads((run / "heartbeat.json").read_text())
        assert (record["host"], record["pid"]) == (os.uname().nodename, os.getpid())
    assert not is_live(run)
    assert not (run / "heartbeat.json").exists()
    with RunLock(run):
        assert is_live(run)


def test_the_heartbeat_beats(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnn_core.runs.lock.BEAT_S", 0.01)
    with RunLock(run):
        os.utime(run / "heartbeat.json", (1, 1))
        deadline = time.monotonic() + 10
        while (run / "heartbeat.json").stat().st_mtime == 1:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_probes_disturb_neither_writers_nor_each_other(run: Path) -> None:
    """Four threads probe without rest while the lock is taken again and again."""
    (run / "lock").touch()
    ended = threading.Event()
    wrong: list[bool] = []

    def probe() -> None:
        while not ended.is_set():
            wrong.append(is_live(run))

    threads = [threading.Thread(target=probe) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    ended.set()
    for thread in threads:
        thread.join()
    assert wrong
    assert not any(wrong)
    ended.clear()
    threads = [threading.Thread(target=probe) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            with RunLock(run):
                assert is_live(run)
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def test_another_machine_is_judged_by_its_heartbeat(run: Path) -> None:
    heartbeat = run / "heartbeat.json"
    heartbeat.write_text('{"host": "elsewhere", "pid": 7, "time": 0}')
    assert is_live(run)
    with pytest.raises(UserError, match="process 7 on elsewhere is writing it, seen 0 s ago"):
        RunLock(run).__enter__()
    assert is_live(run)
    old = time.time() - 61
    os.utime(heartbeat, (old, old))
    assert not is_live(run)
    with RunLock(run):
        assert is_live(run)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"host": "x", "pid": "y"}', "\0"])
def test_a_damaged_heartbeat_is_none(run: Path, content: str) -> None:
    (run / "heartbeat.json").write_text(content)
    assert not is_live(run)
    with RunLock(run):
        assert is_live(run)


def test_a_run_that_is_gone_cannot_be_locked(tmp_path: Path) -> None:
    assert not is_live(tmp_path / "nothing")
    with pytest.raises(UserError, match="not a run"):
        RunWriter(tmp_path / "nothing").__enter__()
    assert list(tmp_path.iterdir()) == []


def test_requests_are_taken_once_in_order(run: Path) -> None:
    with RunLock(run):
        for kind in ("pause", "unpause", "checkpoint", "stop"):
            send_request(run, kind)
        send_request(run, "set_lr", 0.5)
        assert take_requests(run) == [
            *(Request("pause"), Request("unpause"), Request("checkpoint"), Request("stop")),
            Request("set_lr", 0.5),
        ]
        assert take_requests(run) == []


def test_impossible_requests_are_refused(run: Path) -> None:
    with pytest.raises(UserError, match="not running"):
        send_request(run, "stop")
    with RunLock(run):
        with pytest.raises(UserError, match="did you mean 'stop'"):
            send_request(run, "stopp")
        with pytest.raises(UserError, match="takes no value"):
            send_request(run, "stop", 1.0)
        for lr in (None, 0.0, -1.0, float("nan"), float("inf")):
            with pytest.raises(UserError, match="needs a learning rate"):
                send_request(run, "set_lr", lr)
        assert take_requests(run) == []


def test_stale_requests_do_not_reach_the_next_writer(run: Path) -> None:
    with RunLock(run):
        send_request(run, "stop")
    with RunWriter(run):
        assert take_requests(run) == []
        send_request(run, "pause")
        assert take_requests(run) == [Request("pause")]


@settings(max_examples=60)
@given(
    content=st.binary(max_size=60)
    | st.fixed_dictionaries(
        {"kind": st.sampled_from(["stop", "set_lr"]) | st.text() | st.integers()},
        optional={"value": st.none() | st.floats() | st.text() | st.lists(st.none())},
    ).map(lambda record: json.dumps(record).encode())
)
def test_unreadable_requests_are_dropped_with_a_note(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = tmp_path_factory.mktemp("run")
    (run / "control").mkdir()
    (run / "control" / "1.json").write_bytes(content)
    (run / "control" / "2.json").write_bytes(b'{"kind": "stop", "value": null}')
    taken = take_requests(run)
    assert taken[-1] == Request("stop")
    assert take_requests(run) == []
    log = run / "log.txt"
    assert len(taken) == 2 or "1.json ignored" in log.read_text()


def test_a_session_knows_what_the_one_before_wrote(run: Path) -> None:
    with RunWriter(run) as writer:
        writer.write(Preparing(what="x"))
    with RunWriter(run) as writer:
        writer.write(Notice(level="info", text="y"))
        assert read_summary(run)["status"] == "running"


@pytest.mark.parametrize("rival", ["writes", "has ended"])
def test_who_was_suspended_writes_no_more_once_another_machine_took_over(
    run: Path, rival: str
) -> None:
    """Where locks are kept to one machine, only the heartbeat told the other one to wait."""
    with RunWriter(run) as writer:
        writer.write(Preparing(what="x"))
        written = (run / "events.jsonl").read_bytes()
        (run / "heartbeat.json").unlink()
        if rival == "writes":
            (run / "heartbeat.json").write_text('{"host": "elsewhere", "pid": 7, "time": 0}')
        with pytest.raises(RunTakenError, match=r"has taken it over .* nothing more is written"):
            writer.write(Preparing(what="y"))
        assert (run / "events.jsonl").read_bytes() == written
    assert (run / "heartbeat.json").exists() == (rival == "writes")


def test_a_writer_killed_after_its_last_event_has_ended_all_the_same(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RunWriter(run) as writer, monkeypatch.context() as patch:
        writer.write(Preparing(what="x"))
        patch.setattr(RunWriter, "_save_summary", lambda *_, **__: None)
        writer.write(RunFinished(status="finished"))
    assert json.loads((run / "summary.json").read_bytes())["status"] == "running"
    assert read_summary(run)["status"] == "finished"
    assert run_rows(run.parent)[0]["status"] == "finished"
