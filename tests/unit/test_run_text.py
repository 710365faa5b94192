"""What the page of a run says, without a screen: figures, time left, classes, log, panes."""

import dataclasses
import time
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from app_support import STEPS, Folder, epoch_finished, started, steps

from cnn_core.errors import printable
from cnn_core.runs.series import RunSeries, XAxis
from cnn_core.training.events import (
    CheckpointSaved,
    ClassesValidated,
    Event,
    Notice,
    RunFinished,
    StepsDone,
)
from cnn_tui.panes import PANES, layout_for, shown_panes
from cnn_tui.run_card import card
from cnn_tui.run_curves import best_mark, run_curves
from cnn_tui.run_feed import RunFeed
from cnn_tui.run_text import (
    brief_progress,
    class_lines,
    header,
    log_lines,
    position,
    progress,
)
from cnn_tui.run_watch import RunWatch


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def watched(run_dir: Path) -> RunWatch:
    watch = RunWatch(run_dir)
    assert watch.poll()
    return watch


def fed(folder: Folder, *events: Event) -> RunFeed:
    """Return the feed of a run that is live while it is read."""
    run_dir = folder.new()
    with folder.writing(run_dir) as writer:
        for event in events:
            writer.write(event)
        feed = RunFeed(run_dir)
        feed.poll()
    return feed


# Ten steps of 8 images an epoch; 1,000 images/s are 8 ms a step, and an epoch took 2 s.
def test_the_time_left_is_by_speed_first_and_by_whole_epochs_then(folder: Folder) -> None:
    assert fed(folder, started(5)).eta_s() is None
    assert fed(folder, started(5), steps(1, 4, 1.0)).eta_s() == pytest.approx(46 * 0.008)
    one = (started(5), steps(1, 4, 1.0), epoch_finished(1, 0.5))
    assert fed(folder, *one).eta_s() == pytest.approx(4 * 2.0)
    assert fed(folder, *one, steps(2, 5, 1.0)).eta_s() == pytest.approx(3.5 * 2.0)
    # Epochs too short for any report of steps
    short = (started(5), epoch_finished(1, 0.5), epoch_finished(2, 0.5))
    assert fed(folder, *short).eta_s() == pytest.approx(3 * 2.0)


def test_there_is_no_time_left_without_a_speed_or_a_training(folder: Folder) -> None:
    stuck = dataclasses.replace(steps(1, 4, 1.0), images_per_s=0.0)
    assert fed(folder, started(5), stuck).eta_s() is None
    end = RunFinished(status="stopped")
    assert fed(folder, started(5), steps(1, 4, 1.0), end).eta_s() is None


def test_the_position_of_a_resumed_run_is_where_it_goes_on(folder: Folder) -> None:
    before = (started(5), epoch_finished(1, 0.5), epoch_finished(2, 0.5), steps(3, 7, 1.0))
    again = dataclasses.replace(started(5), resumed_epoch=2, resumed_step=7)
    feed = fed(folder, *before, again)
    assert position(feed, feed.document) == (2, 7)
    feed = fed(folder, *before, again, epoch_finished(3, 0.6))
    assert position(feed, feed.document) == (3, 0)


def test_elapsed_time_runs_on_only_while_the_run_does(folder: Folder) -> None:
    now = time.time()
    assert fed(folder, started(5)).elapsed_s(now + 60) == pytest.approx(60, abs=5)
    ended = fed(folder, started(5), RunFinished(status="stopped"))
    assert ended.elapsed_s(now + 60) < 5


def test_progress_tells_of_bars_while_it_trains_and_of_results_after(folder: Folder) -> None:
    run_dir = folder.new()
    with folder.writing(run_dir) as writer:
        for event in (started(4), epoch_finished(1, 0.5), steps(2, 5, 1.0)):
            writer.write(event)
        watch = watched(run_dir)
        text = progress(watch, 44, time.time()).plain
        assert "2/4" in text
        assert f"5/{STEPS}" in text
        assert "left    5 s" in text  # 2.5 epochs of 2 s
        assert "1,000 images/s" in text
        assert "2/4" in brief_progress(watch, 80).plain
    folder.write(run_dir, RunFinished(status="stopped"))
    text = progress(watched(run_dir), 44, time.time()).plain
    assert "1 of 4" in text
    assert "val 50.00%  loss 2.1000" in text


def test_no_line_of_progress_is_wider_than_its_room(folder: Folder) -> None:
    run_dir = folder.finished()
    with folder.writing(run_dir) as writer:
        writer.write(dataclasses.replace(started(3000), resumed_epoch=3, resumed_step=0))
        for width in (46, 60, 120):
            lines = progress(watched(run_dir), width, time.time()).split("\n")
            assert max(line.cell_length for line in lines) <= width


def test_the_header_holds_setting_tags_and_status_literally(folder: Folder) -> None:
    run_dir = folder.new("x", tags=("[/] \x1b[31m",))
    text = header(watched(run_dir)).plain
    assert text.startswith("○ queued")
    assert "digits · cnn · freeze none" in text
    assert "\\x1b[31m" in text


def test_classes_are_listed_with_the_worst_first() -> None:
    series = RunSeries()
    series.fold(0.0, started(2, ("fine", "[/]", "none", "bad")))
    assert class_lines(series, 40) == []
    series.fold(1.0, epoch_finished(1, 0.5))
    series.fold(1.0, ClassesValidated(epoch=1, images=(10, 10, 0, 20), correct=(9, 5, 0, 1)))
    lines = [line.plain for line in class_lines(series, 40)]
    assert [line.split()[0] for line in lines] == ["bad", "[/]", "fine", "none"]
    assert "1/20" in lines[0]
    assert "5.0%" in lines[0]
    assert "0/0" in lines[3]
    assert "–" in lines[3]


@pytest.mark.parametrize("width", [10, 30, 44, 100])
def test_lines_of_classes_align_whatever_their_names(width: int) -> None:
    names = ("日本語" * 9, "a" * 90, "\u202e\x1b[31m", "")
    series = RunSeries()
    series.fold(0.0, started(2, names))
    series.fold(1.0, ClassesValidated(epoch=1, images=(7,) * 4, correct=(1, 2, 3, 4)))
    lines = class_lines(series, width)
    assert len({line.cell_length for line in lines}) == 1
    assert not any(line.plain != printable(line.plain) for line in lines)


def test_the_log_leaves_out_what_the_charts_show_and_dates_the_days() -> None:
    day_s = 86400.0
    events: list[tuple[float, Event]] = [
        (0.0, started(20)),
        (1.0, CheckpointSaved(name="last", epoch=2, step=0)),
        (2.0, CheckpointSaved(name="last", epoch=2, step=7)),
        (day_s, Notice(level="warning", text="[/] \x1b[31m\nsecond")),
        (day_s + 1, epoch_finished(3, 0.5)),
    ]
    lines, day = log_lines(events, 20, "")
    texts = [line.plain for line in lines]
    assert sum(text == time.strftime("%Y-%m-%d", time.localtime(0)) for text in texts) == 1
    assert day == time.strftime("%Y-%m-%d", time.localtime(day_s))
    assert texts[-1].endswith("epoch  3/20 train 0.6667  51.00% val 0.7000  50.00% best")
    assert sum("checkpoint" in text for text in texts) == 1
    assert any("warning: [/] \\x1b[31m" in text for text in texts)
    assert log_lines([(day_s + 2, epoch_finished(4, 0.5))], 20, day)[0][0].plain[:4] != day[:4]


def test_steps_fade_behind_the_means_once_there_is_a_line_of_them() -> None:
    series = RunSeries()
    assert run_curves(series, "epoch")["loss"] == []
    series.fold(0.0, started(3))
    series.fold(1.0, steps(1, 5, 1.0))
    (only,) = run_curves(series, "epoch")["loss"]
    assert (only.label, only.faded) == ("steps", False)
    for number in (1, 2):
        series.fold(1.0 + number, epoch_finished(number, 0.5, best=number == 1))
    curves = run_curves(series, "epoch")
    assert [(curve.label, curve.faded) for curve in curves["loss"]] == [
        ("steps", True),
        ("train", False),
        ("val", False),
    ]
    np.testing.assert_allclose(curves["accuracy"][1].y, [50, 50])
    assert best_mark(series, "epoch") == [(1.0, "best")]
    assert best_mark(series, "step") == [(float(STEPS), "best")]


def test_without_validation_there_is_no_curve_of_it() -> None:
    series = RunSeries()
    series.fold(0.0, started(3))
    unknown = dataclasses.replace(epoch_finished(1, 0.5), val_loss=None, val_acc=None)
    series.fold(1.0, unknown)
    assert [curve.label for curve in run_curves(series, "time")["accuracy"]] == ["train"]


def test_a_waiting_run_tells_its_place(folder: Folder) -> None:
    watch = watched(folder.new())
    assert "not started" in str(card(watch).text)  # type: ignore[union-attr]
    watch.place = (2, 3)
    assert "Number 2 of 3 in the queue" in str(card(watch).text)  # type: ignore[union-attr]


def test_the_card_of_a_result_has_both_weights(folder: Folder) -> None:
    shown = card(watched(folder.finished()))
    assert shown is not None
    assert shown.colour == "success"
    assert "Test accuracy 70.00% (best weights, epoch 3)" in shown.text.plain


def test_who_holds_a_run_without_a_word_starts_it_and_later_ends_it(folder: Folder) -> None:
    run_dir = folder.new()
    with folder.writing(run_dir) as writer:
        watch = watched(run_dir)
        assert watch.starting
        writer.write(started(3))
        watch.poll()
        assert (watch.starting, watch.live) == (False, True)
        writer.write(RunFinished(status="stopped"))
        watch.poll()
        assert (watch.starting, watch.live, watch.status) == (False, False, "stopped")
    deadline = time.monotonic() + 10
    while watch.held:
        assert time.monotonic() < deadline
        watch.poll()
    with folder.writing(run_dir):
        while not watch.starting:
            assert time.monotonic() < deadline
            watch.poll()


def test_nothing_is_new_where_nothing_was_written(folder: Folder) -> None:
    watch = watched(folder.finished())
    assert not any(watch.poll() for _ in range(3))


def test_labels_are_those_of_the_configuration_now(folder: Folder) -> None:
    from cnn_core.runs.labels import set_labels

    run_dir = folder.finished()
    watch = watched(run_dir)
    set_labels(run_dir, name="other", tags=["new"])
    deadline = time.monotonic() + 10
    while watch.document and watch.document["name"] != "other":
        assert time.monotonic() < deadline
        watch.poll()
    assert watch.document is not None
    assert watch.document["tags"] == ["new"]


@pytest.mark.parametrize(
    ("size", "layout"),
    [
        ((80, 24), "single"),
        ((80, 50), "tall"),
        ((120, 24), "single"),
        ((120, 40), "medium"),
        ((200, 60), "wide"),
    ],
)
def test_the_layout_suits_the_window(size: tuple[int, int], layout: str) -> None:
    assert layout_for(*size) == layout


def test_panes_are_hidden_and_brought_in_for_each_layout_on_its_own() -> None:
    everything = list(PANES)
    assert shown_panes("wide", [], None) == everything
    assert shown_panes("medium", [], None) == [pane for pane in everything if pane != "rate"]
    toggled = ["medium:rate", "wide:log"]
    assert shown_panes("medium", toggled, None) == everything
    assert shown_panes("wide", toggled, None) == everything[:-1]
    assert shown_panes("single", [], None) == ["loss"]
    assert shown_panes("wide", toggled, "log") == ["log"]


def test_a_run_of_ten_thousand_steps_is_folded_whole(folder: Folder) -> None:
    per_epoch = 40

    def step(number: int) -> StepsDone:
        epoch, done = divmod(number, per_epoch)
        return dataclasses.replace(
            steps(epoch + 1, done + 1, 1.0), steps_per_epoch=per_epoch, global_step=number + 1
        )

    feed = fed(folder, started(300), *(step(number) for number in range(10_000)))
    assert len(run_curves(feed.series, "step")["loss"][0].x) == 10_000
    assert len(feed.log) == 1


def test_steps_are_not_joined_across_epochs_that_told_of_none() -> None:
    series = RunSeries()
    for second, (epoch, step) in enumerate([(1, 5), (2, 5), (100, 5), (100, 6)]):
        series.fold(float(second), steps(epoch, step, 1.0))
    for axis in get_args(XAxis):
        (curve,) = run_curves(series, axis)["loss"]
        assert np.isnan(curve.y).tolist() == [False, False, True, False, False]
        assert (np.diff(curve.x) > 0).all()
