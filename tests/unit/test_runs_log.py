"""The event log: torn and damaged lines, and following it while it grows."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_core.runs.directory import create_run
from cnn_core.runs.follower import EventFollower
from cnn_core.runs.reader import read_events, read_summary
from cnn_core.runs.writer import RunWriter
from cnn_core.training.events import (
    EpochFinished,
    Notice,
    Paused,
    RunStarted,
    Unpaused,
    encode,
)

CONFIG = 'name = "digits"\n'
STARTED = RunStarted(
    device="cpu",
    threads=1,
    precision="fp32",
    batch_size=8,
    epochs=3,
    steps_per_epoch=10,
    params_total=100,
    params_trainable=40,
    train=80,
    val=20,
    test=10,
    classes=("zero", "one"),
    dataset_fingerprint="f",
)
EPOCH = EpochFinished(
    epoch=1,
    train_loss=1.0,
    train_acc=0.25,
    val_loss=2.0,
    val_acc=None,
    lr=0.1,
    seconds=2.0,
    images_per_s=40.0,
    best=True,
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return create_run(tmp_path, "digits", CONFIG, {})


def test_a_line_torn_at_any_byte(run: Path) -> None:
    whole = (encode(STARTED, 1.0) + "\n").encode()
    last = (encode(Notice(level="warning", text="größer 𝄞"), 2.0) + "\n").encode()
    log = run / "events.jsonl"
    for cut in range(len(last) + 1):
        log.write_bytes(whole + last[:cut])
        events = read_events(run)
        kept = 2 if cut == len(last) else 1
        assert len(list(events)) == kept
        assert events.damaged == 0
        assert len(EventFollower(run).poll()) == kept
        if cut in (0, 1, len(last) // 2, len(last) - 1, len(last)):  # each takes the lock
            with RunWriter(run) as writer:
                writer.write(Paused())
            assert log.read_bytes().startswith(whole + (last if kept == 2 else b"") + b'{"event"')
            assert len(list(read_events(run))) == kept + 1


def test_damaged_middle_lines_are_skipped_and_counted(run: Path) -> None:
    lines = [encode(STARTED, 1.0).encode(), b"\xff\x00", b"", b"[" * 100_000, b"{}"]
    lines += [encode(EPOCH, 2.0).encode()]
    (run / "events.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    events = read_events(run)
    assert [type(event) for _, event in events] == [RunStarted, EpochFinished]
    assert events.damaged == 4
    (run / "summary.json").unlink()
    assert read_summary(run)["epoch"] == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
KEYS = [*EpochFinished.__dataclass_fields__, *RunStarted.__dataclass_fields__, "status", "name"]
NAMES = ["epoch_finished", "run_started", "run_finished", "test_evaluated", "steps_done", "nope"]
RECORDS = st.tuples(
    st.sampled_from(NAMES) | JSON, JSON, st.dictionaries(st.sampled_from(KEYS), JSON)
).map(lambda parts: json.dumps({"event": parts[0], "time": parts[1], **parts[2]}).encode())


VALID = json.loads(encode(EPOCH, 1.0)) | json.loads(encode(STARTED, 1.0))
NEARLY = st.tuples(st.sampled_from(NAMES), st.sampled_from(KEYS), JSON).map(
    lambda parts: json.dumps({**VALID, "event": parts[0], parts[1]: parts[2]}).encode()
)


@settings(max_examples=80)
@given(lines=st.lists(st.binary(max_size=40) | RECORDS | NEARLY, max_size=6))
def test_no_line_whatever_breaks_a_reader(
    lines: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = tmp_path_factory.mktemp("run")
    (run / "config.toml").write_text(CONFIG)
    (run / "events.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    events = read_events(run)
    count = len(list(events))
    assert count + events.damaged == b"\n".join(lines).count(b"\n") + 1
    summary = read_summary(run)
    assert summary["name"] == "digits"
    json.dumps(summary)


def test_the_follower_gives_each_event_once(run: Path) -> None:
    follower = EventFollower(run)
    assert follower.poll() == []
    with RunWriter(run) as writer:
        writer.write(STARTED)
        writer.write(Paused())
        assert [event for _, event in follower.poll()] == [STARTED, Paused()]
        assert follower.poll() == []
        writer.write(Unpaused())
        assert [event for _, event in follower.poll()] == [Unpaused()]
    line = (encode(Paused(), 3.0) + "\n").encode()
    with (run / "events.jsonl").open("ab", buffering=0) as file:
        for byte in line[:-1]:
            file.write(bytes([byte]))
            assert follower.poll() == []
        file.write(b"\n")
    assert follower.poll() == [(3.0, Paused())]
    assert (follower.restarts, follower.damaged) == (0, 0)


def test_the_follower_survives_a_shorter_or_new_log(run: Path) -> None:
    log = run / "events.jsonl"
    line = (encode(Paused(), 3.0) + "\n").encode()
    log.write_bytes(line * 3)
    follower = EventFollower(run)
    assert len(follower.poll()) == 3
    log.write_bytes(line)
    assert len(follower.poll()) == 1
    assert follower.restarts == 1
    (run / "new").write_bytes(line)
    (run / "new").replace(log)
    assert len(follower.poll()) == 1
    assert follower.restarts == 2


def test_the_follower_keeps_its_place_when_a_torn_line_is_cut(run: Path) -> None:
    line = (encode(STARTED, 3.0) + "\n").encode()
    (run / "events.jsonl").write_bytes(line + line[:40])
    follower = EventFollower(run)
    assert len(follower.poll()) == 1
    with RunWriter(run) as writer:
        assert follower.poll() == []
        writer.write(Paused())
    assert [event for _, event in follower.poll()] == [Paused()]
    assert follower.restarts == 0
