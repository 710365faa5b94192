"""Runs that wait: their order, who may start them, and files that others changed or broke."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import cnn_core
from cnn_core.errors import UserError
from cnn_core.runs.directory import create_run
from cnn_core.runs.lock import RunLock
from cnn_core.runs.queue import QUEUE, Queue
from cnn_core.runs.removal import delete_run
from cnn_core.runs.session import new_run, train_run
from cnn_core.runs.writer import RunWriter
from cnn_core.training.control import Control
from cnn_core.training.events import EndStatus, Preparing, RunFinished

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(cnn_core.__path__[0]).parent)}


def make(runs: Path, status: EndStatus | None = None) -> str:
    run = create_run(runs, "x", 'name = "x"\n', {})
    if status:
        with RunWriter(run) as writer:
            writer.write(RunFinished(status=status))
    return run.name


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def ids(runs: Path) -> list[str]:
    """Five runs, made in no order of their names."""
    return [make(runs) for _ in range(5)]


@pytest.fixture
def queue(runs: Path, ids: list[str]) -> Queue:
    """A queue in which all but the last of the runs wait."""
    queue = Queue(runs)
    for run_id in ids[:4]:
        queue.add(run_id)
    return queue


def test_first_come_first_served(queue: Queue, runs: Path, ids: list[str]) -> None:
    assert queue.ids() == Queue(runs).ids() == ids[:4]
    queue.add(ids[0])  # it keeps its place
    assert queue.ids() == ids[:4]
    assert [queue.take() for _ in range(5)] == [*ids[:4], None]
    assert queue.ids() == Queue(runs).ids() == []


def test_nothing_waits_in_a_folder_without_a_queue(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "nothing")
    assert queue.ids() == []
    assert queue.take() is None
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    ("place", "by", "order"),
    [
        (0, 1, "1023"),
        (3, -1, "0132"),
        (1, 2, "0231"),
        (0, 99, "1230"),
        (2, -99, "2013"),
        (0, -1, "0123"),
        (1, 0, "0123"),
    ],
)
def test_moving_stops_at_the_ends(queue: Queue, ids, place: int, by: int, order: str) -> None:
    queue.move(ids[place], by)
    assert queue.ids() == [ids[int(number)] for number in order]


def test_removing(queue: Queue, ids: list[str]) -> None:
    queue.remove(ids[1])
    assert queue.ids() == [ids[0], ids[2], ids[3]]
    queue.discard(ids[1])
    queue.discard(ids[0])
    assert queue.ids() == ids[2:4]


def test_unknown_runs_are_refused_with_the_nearest(queue: Queue, runs: Path, ids) -> None:
    wrong = ids[0][:-1] + ("0" if ids[0][-1] != "0" else "1")
    for act in (queue.add, queue.remove, lambda run_id: queue.move(run_id, 1)):
        with pytest.raises(UserError, match=f"{wrong}.*did you mean"):
            act(wrong)
    with pytest.raises(UserError, match=r"no run '\.\./x\\x1b' in"):
        queue.add("../x\x1b")
    for act in (queue.remove, lambda run_id: queue.move(run_id, 1)):
        with pytest.raises(UserError, match=f"{ids[4]}' does not wait"):
            act(ids[4])
    assert queue.ids() == ids[:4]


@pytest.mark.parametrize("status", ["stopped", "failed", "finished", "diverged"])
def test_only_runs_that_can_be_started_wait(queue: Queue, runs: Path, status, ids) -> None:
    other = make(runs, status)
    if status in ("stopped", "failed"):
        queue.add(other)
        assert queue.ids() == [*ids[:4], other]
    else:
        with pytest.raises(UserError, match=f"{other} is {status}: only a run that is queued"):
            queue.add(other)
        assert queue.ids() == ids[:4]


def test_runs_that_are_gone_or_done_wait_no_more(queue: Queue, runs: Path, ids) -> None:
    delete_run(runs / ids[0])
    with RunWriter(runs / ids[2]) as writer:
        writer.write(RunFinished(status="finished"))
    assert queue.ids() == [ids[1], ids[3]]
    assert queue.take() == ids[1]
    assert json.loads((runs / QUEUE).read_text()) == [ids[3]]


def test_a_run_in_training_does_not_wait_and_an_interrupted_one_does(queue, runs, ids) -> None:
    with RunWriter(runs / ids[0]) as writer:
        writer.write(Preparing(what="x"))
        assert queue.ids() == ids[1:4]
        with pytest.raises(UserError, match="is running"):
            queue.add(ids[0])
    assert queue.ids() == ids[:4]


def test_a_run_that_somebody_just_began_is_not_taken(queue: Queue, runs: Path, ids) -> None:
    with RunLock(runs / ids[0]):  # its summary still says queued
        assert queue.take() == ids[1]
    assert queue.ids() == ids[2:4]


def test_a_run_that_is_started_by_hand_waits_no_more(lab) -> None:
    runs = lab.folder / "runs"
    run_dir = new_run(runs, lab.experiment())
    queue = Queue(runs)
    queue.add(run_dir.name)
    control = Control()
    control.request("stop")
    places = {"data_dir": lab.data_dir, "cache_dir": lab.cache_dir}
    *_, end = train_run(run_dir, control, **places, device="cpu")
    assert end.status == "stopped"
    assert queue.ids() == []


@pytest.mark.parametrize("damage", [b"", b"{", b"{}", b"[1]", b'["../x"]', b"[" * 99999, b"\xff"])
def test_a_damaged_list_is_empty_and_kept_aside(queue: Queue, runs: Path, ids, damage) -> None:
    (runs / QUEUE).write_bytes(damage)
    assert queue.ids() == Queue(runs).ids() == []
    assert queue.take() is None
    queue.add(ids[4])
    assert queue.ids() == [ids[4]]
    (aside,) = runs.glob(".queue.damaged-*")
    assert aside.read_bytes() == damage


def test_a_list_written_twice_by_hand_counts_once(queue: Queue, runs: Path, ids) -> None:
    (runs / QUEUE).write_text(json.dumps([ids[1], ids[0], ids[1]]))
    assert queue.ids() == [ids[1], ids[0]]


def test_a_folder_that_cannot_be_written_is_told(queue: Queue, ids, monkeypatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("tempfile.mkstemp", refuse)
        with pytest.raises(UserError, match=r"queue in .*: Permission denied"):
            queue.take()
    assert queue.ids() == ids[:4]


def test_looking_reads_no_file_that_is_as_it_was(queue: Queue, ids, monkeypatch) -> None:
    assert queue.ids() == ids[:4]

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a file is opened")

    monkeypatch.setattr(Path, "open", refuse)
    assert queue.ids() == ids[:4]


def test_threads_and_processes_take_each_run_once(runs: Path) -> None:
    ids = [make(runs) for _ in range(24)]
    queue = Queue(runs)
    program = (
        "import sys, pathlib\n"
        "from cnn_core.runs.queue import Queue\n"
        "queue = Queue(pathlib.Path(sys.argv[1]))\n"
        "ids = sys.argv[2:]\n"
        "for run_id in ids:\n    queue.add(run_id)\n"
        "print(queue.take(), queue.take())\n"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(runs), *ids[start::4]],
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )
        for start in (0, 1)
    ]
    taken: list[str | None] = []

    def work(mine: list[str]) -> None:
        for run_id in mine:
            queue.add(run_id)
        taken.extend((queue.take(), queue.take()))

    threads = [threading.Thread(target=work, args=(ids[start::4],)) for start in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for child in children:
        taken += child.communicate(timeout=60)[0].split()
    assert len(taken) == 8
    assert sorted([*map(str, taken), *queue.ids()]) == sorted(ids)


def test_one_holder_at_a_time(queue: Queue, runs: Path) -> None:
    hold = queue.try_hold()
    assert hold is not None
    assert Queue(runs).try_hold() is None
    assert queue.try_hold() is None
    hold.release()
    again = Queue(runs).try_hold()
    assert again is not None
    again.release()


def test_the_right_to_start_goes_with_its_process(queue: Queue, runs: Path) -> None:
    program = (
        "import sys, pathlib, time\n"
        "from cnn_core.runs.queue import Queue\n"
        "hold = Queue(pathlib.Path(sys.argv[1])).try_hold()\n"
        "print(hold is not None, flush=True)\n"
        "time.sleep(1000)\n"
    )
    command = [sys.executable, "-c", program, str(runs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "True\n"
        assert queue.try_hold() is None
        child.send_signal(signal.SIGKILL)
        child.wait()
    hold = queue.try_hold()
    assert hold is not None
    hold.release()


def test_looking_at_a_queue_imports_nothing_heavy(queue: Queue, runs: Path, ids) -> None:
    program = (
        "import sys, pathlib\n"
        "from cnn_core.runs.queue import Queue\n"
        "print(*Queue(pathlib.Path(sys.argv[1])).ids())\n"
        "print({'torch', 'pydantic', 'numpy', 'textual'} & set(sys.modules))\n"
    )
    output = subprocess.check_output(
        [sys.executable, "-c", program, str(runs)], env=ENVIRONMENT, text=True
    )
    assert output.splitlines() == [" ".join(ids[:4]), "set()"]


def test_what_a_killed_holder_had_taken_and_not_begun_waits_again(queue, runs, ids) -> None:
    first = queue.try_hold()
    assert [queue.take() for _ in range(3)] == ids[:3]
    with RunWriter(runs / ids[1]) as writer:
        writer.write(Preparing(what="x"))
    first._lock.release()  # as the end of its process would

    hold = Queue(runs).try_hold()
    assert queue.ids() == [ids[0], ids[2], ids[3]]  # the begun one can be resumed, as ever
    assert queue.take() == ids[0]
    hold.release()  # in order: what it took is not given back
    queue.try_hold().release()
    assert queue.ids() == ids[2:4]


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"../x": 0}', b"\xff"])
def test_a_damaged_note_of_what_was_taken_is_none(queue, runs, ids, damage) -> None:
    (runs / ".queue.taken").write_bytes(damage)
    queue.try_hold().release()
    assert queue.ids() == ids[:4]
    assert not (runs / ".queue.taken").exists()
