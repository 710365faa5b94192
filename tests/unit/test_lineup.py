"""The runs of a comparison: letters, order, what is shown of them, and folders that vanish."""

import shutil
from pathlib import Path

import pytest
from app_support import Folder, epoch_finished, started

from cnn_tui.lineup import Entrant, Lineup
from cnn_tui.lineup_tables import Looks, run_table, setting_table, summary_table

LOOKS = Looks({"success": "#00ff00", "error": "#ff0000"}, dark=True)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "runs")


def lineup_of(*run_dirs: Path) -> Lineup:
    lineup = Lineup()
    for run_dir in run_dirs:
        assert lineup.add(run_dir)
    lineup.poll()
    return lineup


def table(lineup: Lineup, baseline: Entrant | None = None, width: int = 200) -> list[list[str]]:
    columns, rows = run_table(lineup, baseline, LOOKS, width)
    return [[label.plain for _, label in columns], *([c.plain for c in r] for r in rows.values())]


def test_letters_go_on_after_z_and_those_of_removed_runs_are_taken_again(tmp_path: Path) -> None:
    lineup = Lineup()
    for number in range(28):
        lineup.add(tmp_path / str(number))
    letters = [entrant.letter for entrant in lineup.entrants]
    assert letters[:2] + letters[24:] == ["A", "B", "Y", "Z", "AA", "AB"]
    lineup.entrants.pop(1)
    assert not lineup.add(tmp_path / "0")
    assert lineup.add(tmp_path / "new")
    assert lineup.entrants[-1].letter == "B"
    assert lineup.find("AB") is lineup.entrants[-2]
    assert lineup.find("ZZ") is None


def test_sorting_puts_the_best_first_and_the_unknown_last(folder: Folder) -> None:
    low, high = folder.finished("low", accs=(0.2,)), folder.finished("high", accs=(0.9,))
    lineup = lineup_of(low, folder.new("queued"), high)
    assert [one.letter for one in lineup.ordered()] == ["A", "B", "C"]
    lineup.sort_by("best.val_acc")
    assert [one.letter for one in lineup.ordered()] == ["C", "A", "B"]
    lineup.sort_by("best.val_acc")
    assert [one.letter for one in lineup.ordered()] == ["A", "C", "B"]
    lineup.sort_by("name")
    assert [one.letter for one in lineup.ordered()] == ["C", "A", "B"]


def test_a_live_run_is_followed(folder: Folder) -> None:
    run_dir = folder.new("live")
    lineup = lineup_of(run_dir)
    with folder.writing(run_dir) as writer:
        writer.write(started(3))
        assert lineup.poll()
        version = lineup.entrants[0].version
        writer.write(epoch_finished(1, 0.4))
        assert lineup.poll()
        assert not lineup.poll()
        (entrant,) = lineup.compared()
        assert entrant.version > version
        assert entrant.document is not None
        assert entrant.document["status"] == "running"


def test_a_folder_that_vanishes_keeps_what_was_read(folder: Folder) -> None:
    run_dir = folder.finished()
    lineup = lineup_of(run_dir, folder.runs_dir / "never-there")
    shutil.rmtree(run_dir)
    assert lineup.poll()
    assert not lineup.poll()
    gone, never = lineup.entrants
    assert "gone" in gone.error
    assert "gone" in never.error
    assert lineup.compared() == [gone]
    assert [row[3] for row in table(lineup)[1:]] == ["✗ unreadable"] * 2


def test_a_damaged_run_says_why(folder: Folder) -> None:
    run_dir = folder.finished()
    (run_dir / "config.toml").write_text("= no toml")
    lineup = lineup_of(run_dir)
    assert "not valid TOML" in lineup.entrants[0].error
    assert lineup.compared() == []
    table(lineup)


def test_the_best_of_the_shown_runs_has_a_sign(folder: Folder) -> None:
    lineup = lineup_of(folder.finished("a", accs=(0.5,)), folder.finished("b", accs=(0.75,)))
    cells = table(lineup)
    assert [row[4:6] for row in cells[1:]] == [["50.00%", "50.00%"], ["75.00% *", "75.00% *"]]
    lineup.entrants[1].shown = False
    assert not any("*" in cell for row in table(lineup) for cell in row)


def test_differences_from_a_baseline_are_percentage_points(folder: Folder) -> None:
    lineup = lineup_of(
        folder.finished("a", accs=(0.5,)), folder.finished("b", accs=(0.625,)), folder.new("c")
    )
    cells = table(lineup, baseline=lineup.entrants[0])
    assert [row[4] for row in cells[1:]] == ["50.00%", "+12.50 pp *", "–"]


@pytest.mark.parametrize("width", [20, 78, 118, 198])
def test_rows_fit_and_namesakes_are_told_apart(folder: Folder, width: int) -> None:
    runs = [folder.finished("a-rather-long-name-of-a-run-that-is-cut") for _ in range(2)]
    _, rows = run_table(lineup_of(*runs), None, LOOKS, width)
    names = [row[2].plain for row in rows.values()]
    assert [name[-5:] for name in names] == [f"…{run.name[-4:]}" for run in runs]
    cells = table(lineup_of(*runs), None, width)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    if width > 60:
        assert sum(widths) + 2 * len(widths) <= width


def test_hostile_names_are_literal(folder: Folder) -> None:
    lineup = lineup_of(folder.finished("[bold red]x[/]"), folder.finished("\x1b[31m"))
    assert [row[2] for row in table(lineup)[1:]] == ["[bold red]x[/]", "\\x1b[31m"]


def test_settings_that_differ_or_all_of_them(folder: Folder) -> None:
    runs = [folder.finished("a"), folder.finished("b", "optim.lr=0.5")]
    entrants = lineup_of(*runs).compared()
    columns, rows = setting_table(entrants, LOOKS, all_settings=False)
    assert [label.plain for _, label in columns] == ["setting", "A", "B"]
    assert [cell.plain for cell in rows.pop("optim.lr")][2] == "0.5"
    assert rows == {}
    _, everything = setting_table(entrants, LOOKS, all_settings=True)
    assert len(everything) > 20
    assert [one.plain for one in everything["data.dataset"]] == ["data.dataset", "digits", "digits"]


def test_the_summary_counts_runs(folder: Folder) -> None:
    runs = [folder.finished("a", accs=(0.5,)), folder.finished("b", accs=(0.75,))]
    columns, rows = summary_table(lineup_of(*runs).compared())
    assert [key for key, _ in columns][1:] == ["cnn"]
    assert [cell.plain for cell in rows["digits"]] == [
        "digits",
        "val 75.00%  test 75.00%  2 runs",
    ]
    assert summary_table([]) == ([("dataset", columns[0][1])], {})
