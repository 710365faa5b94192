"""runs, show, compare: what is stored, as text and for programs."""

import csv
import io

import pytest

SHOWN = {
    "": {
        *("id", "name", "status", "error", "epoch", "epochs", "best", "last", "test", "params"),
        *("split", "timing", "device", "config", "history"),
    },
    "best": {"epoch", "val_acc", "val_loss"},
    "test": {"acc", "top5", "loss", "checkpoint"},
    "params": {"total", "trainable"},
    "split": {"train", "val", "test", "classes"},
    "timing": {"total_s", "train_s", "images_per_s"},
}
EPOCH = {
    *("epoch", "train_loss", "train_acc", "val_loss", "val_acc", "lr", "seconds", "images_per_s"),
}


def test_show_json_has_the_promised_fields(stored):
    shown = stored.json("show", "last")
    for section, keys in SHOWN.items():
        assert (shown[section] if section else shown).keys() >= keys, section
    assert [set(epoch) for epoch in shown["history"]] == [EPOCH, EPOCH]
    assert [epoch["epoch"] for epoch in shown["history"]] == [1, 2]
    assert shown["name"] == "second"
    assert shown["best"]["val_acc"] == max(epoch["val_acc"] for epoch in shown["history"])
    assert 0 <= shown["test"]["acc"] <= shown["test"]["top5"] <= 1
    split = shown["split"]
    assert split["train"] + split["val"] + split["test"] == 1797


def test_show_starts_with_what_matters_and_fits_80_columns(stored):
    first = stored.run_dirs()[0]
    lines = stored("show", first.name).stdout.splitlines()
    assert lines[0].split() == ["id", first.name]
    assert lines[1].split() == ["status", "finished"]
    assert any(line.split() == ["tags", "one"] for line in lines)
    assert any(line.split() == ["optim.nesterov", "true"] for line in lines)
    assert any(line.startswith("    1 ") for line in lines)
    assert lines == [line.rstrip() for line in lines]


def test_runs_are_listed_newest_first(stored):
    first, second = (path.name for path in stored.run_dirs())
    lines = stored("runs").stdout.splitlines()
    assert lines[0].split()[:2] == ["run", "status"]
    assert [line.split()[0] for line in lines[1:]] == [second, first]
    assert all("finished" in line for line in lines[1:])
    assert [row["id"] for row in stored.json("runs")] == [second, first]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--sort", "name"], ["first", "second"]),
        (["--sort", "-name"], ["second", "first"]),
        (["--sort", "optim.lr"], ["second", "first"]),
        (["--filter", 'name == "first"'], ["first"]),
        (["--filter", '"one" in tags'], ["first"]),
        (["--filter", "optim.lr < 0.01 and best.val_acc >= 0"], ["second"]),
        (["--filter", 'status == "failed"'], []),
    ],
)
def test_runs_can_be_filtered_and_sorted(stored, options, names):
    assert [row["name"] for row in stored.json("runs", *options)] == names


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--filter", 'statu == "x"'], "did you mean 'status'?"),
        (["--filter", "name =="], "invalid syntax at its end"),
        (["--filter", "__import__('os')"], "can't use"),
        (["--sort", "nme"], "did you mean 'name'?"),
    ],
)
def test_a_mistaken_filter_is_told(stored, options, told):
    assert told in stored("runs", *options, rc=2).stderr


def test_no_runs_are_no_mistake(cli):
    done = cli("runs")
    assert done.stdout == ""
    assert "cnn-tui run digits makes one" in done.stderr
    assert cli.json("runs") == []


def test_no_match_is_told(stored):
    done = stored("runs", "--filter", "epoch > 99")
    assert (done.stdout, done.stderr) == ("", "no run matches\n")


def test_compare_shows_the_settings_that_differ(stored):
    first, second = (path.name for path in stored.run_dirs())
    lines = stored("compare", first, second).stdout.splitlines()
    assert lines[:2] == [f"#1  {first}", f"#2  {second}"]
    assert ["optim.lr", "0.03", "0.001"] in [line.split() for line in lines]
    assert not [line for line in lines if line.startswith("train.")]
    accuracies = [stored.json("show", one)["test"]["acc"] for one in (first, second)]
    best = f"{100 * max(accuracies):.2f}% *"
    assert any(line.startswith("test accuracy") and best in line for line in lines)


def test_compare_for_programs(stored):
    first, second = (path.name for path in stored.run_dirs())
    document = stored.json("compare", first, "last")
    assert [run["id"] for run in document["runs"]] == [first, second]
    assert document["settings"] == {"optim.lr": [0.03, 0.001]}
    rows = list(csv.DictReader(io.StringIO(stored("compare", first, "last", "--csv").stdout)))
    assert [row["id"] for row in rows] == [first, second]
    assert [row["optim.lr"] for row in rows] == ["0.03", "0.001"]
    assert "give one of" in stored("compare", first, "last", "--csv", "--json", rc=2).stderr


def test_compare_for_papers(stored):
    ids = [path.name for path in stored.run_dirs()]
    markdown = stored("compare", *ids, "--markdown").stdout.splitlines()
    assert markdown[0].startswith("| run | optim.lr | val acc (%) |")
    assert len(markdown) == 4
    latex = stored("compare", *ids, "--latex").stdout
    assert latex.startswith("\\begin{tabular}{llrrrrrr}\n\\toprule\nrun & optim.lr & val acc")


def test_one_run_is_nothing_to_compare(stored):
    assert "two runs or more" in stored("compare", "last", rc=2).stderr
