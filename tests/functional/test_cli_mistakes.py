"""Mistakes of the user: one clear message, exit code 2, and nothing written."""

import pytest

FIVE = """\
name = "five"

[data]
dataset = "digts"

[model]
backbone = "cnn"

[augment]
transforms = [{ name = "random_crp" }]

[optim]
learning_rate = 0.1
schedule = "step"

[train]
epochs = 0
"""


def test_all_mistakes_of_a_preset_are_reported_at_once(cli):
    (cli.folder / "five.toml").write_text(FIVE)
    done = cli("run", "five.toml", rc=2)
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "error: five.toml: 5 mistakes",
        "  data.dataset (line 4): unknown data set 'digts'; did you mean 'digits'?",
        "  augment.transforms[0].name (line 10): unknown transform 'random_crp'; "
        "did you mean 'random_crop'?",
        '  optim.step_size (line 12): needed by schedule = "step"',
        "  optim.learning_rate (line 13): unknown key; expected one of: clip_norm, gamma, lr, "
        "momentum, name, nesterov, schedule, step_size, warmup_epochs, weight_decay",
        "  train.epochs (line 17): 0: should be greater than or equal to 1",
    ]
    assert not cli.runs.exists()


def test_mistakes_of_the_command_line_are_marked_so(cli):
    done = cli(
        *("run", "digits", "--name", "", "--set", "train.epochs=two", "--set", "optim.lrr=1"),
        *("--set", "epochs", "--set", "data.momentum=0.5", "--set", "train=3"),
        rc=2,
    )
    told = done.stderr.splitlines()
    assert told[0].endswith("presets/digits.toml: 5 mistakes")
    assert sorted(told[1:]) == [
        "  --set epochs: expected SECTION.KEY=VALUE",
        "  data.momentum (--set): unknown key; it belongs to [optim]",
        "  name (--name): '': string should have at least 1 character",
        "  optim.lrr (--set): unknown key; did you mean 'lr'?",
        "  train (--set): 3: expected a section, [train]",
    ]
    assert not cli.runs.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "digit"], "did you mean 'digits'?"),
        (["run", "."], ". is a folder, expected a preset file; did you mean a.toml?"),
        (["run", "bytes.toml"], "bytes.toml, line 2: expected text in UTF-8"),
        (
            ["run", "broken.toml"],
            "broken.toml: not valid TOML: Invalid value (at line 2, column 5)",
        ),
        (["run", "~no-such-user-here/x"], "neither a file nor a shipped one"),
        (["run", "x" * 5000], "neither a file nor a shipped one"),
        (["run", "digits", "--set", "name=\udcff"], "name (--set): '\\udcff'"),
        (
            ["run", "digits", "--set", "data.root=\udcff"],
            "data.root (--set): ",
        ),
        (
            ["split", "digits", "--set", "data.dataset=folder", "--set", "data.root=~x-y/z"],
            "~x-y/z",
        ),
        (["show", "nope"], "holds no runs"),
        (["compare", "one"], "holds no runs"),
        (["stop", "last"], "holds no runs"),
        (["summary"], "give a preset or --backbone NAME"),
        (["summary", "digits", "--backbone", "cnn"], "one of the two"),
        (["summary", "--backbone", "cnn", "--set", "a=1"], "--set changes a preset"),
        (["summary", "--backbone", "alexnt"], "did you mean 'alexnet'?"),
        (["datasets", "--download", "caltech101"], "cannot be downloaded by cnn-tui"),
        (["split", "caltech101-alexnet-scratch"], "data.caltech.edu"),
        (["rn"], "Did you mean 'run'"),
        (["run", "digits", "--sett", "a=1"], "--set"),
    ],
)
def test_a_mistake_gets_one_clear_message(cli, arguments, told):
    (cli.folder / "a.toml").write_text("")
    (cli.folder / "bytes.toml").write_bytes(b'name = "x"\nnotes = "\xff"\n')
    (cli.folder / "broken.toml").write_text('name = "x"\na = \n')
    done = cli(*arguments, rc=2)
    assert told in done.stderr
    assert done.stdout == ""
    assert not cli.runs.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--set", "model.weights=~x-y/gone.pt"], "~x-y/gone.pt"),
        (["--set", "data.dataset=folder", "--set", "data.root=one"], "only the class 'cat'"),
    ],
)
def test_what_training_would_end_with_is_told_before_a_run_is_made(cli, arguments, told):
    cli.make_images(cli.data / "one", ["cat"], 4)
    done = cli("run", "digits", *arguments, rc=2)
    assert told in done.stderr
    assert done.stdout == ""
    assert not cli.runs.exists()


def test_a_missing_data_set_says_where_it_looked_and_how_to_get_it(cli):
    done = cli("run", "vgg16", rc=2)
    message = " ".join(done.stderr.split())
    assert f"looked for {cli.data}/caltech101" in message
    assert "https://data.caltech.edu/" in message
    assert "--data-dir or CNN_TUI_DATA" in message
    assert not cli.runs.exists()


def test_a_folder_of_images_given_in_another_way_than_expected_is_understood(cli):
    cli.make_images(cli.folder / "mine", ["cat", "dog"], 4)
    told = " ".join(cli("split", "folder-resnet18", "--set", "data.root=mine", rc=2).stderr.split())
    assert told.endswith(f"; did you mean data.root={cli.folder}/mine?")
    told = " ".join(cli("run", "mine", rc=2).stderr.split())
    _, _, command = told.partition("to train on its images: cnn-tui ")
    assert command == f"run folder-resnet18 --set data.root={cli.folder}/mine"
    assert "8" in cli("split", *command.split()[1:]).stdout


def test_many_names_are_left_to_the_command_that_lists_them(cli):
    assert "`cnn-tui presets` lists them" in cli("run", "qqq", rc=2).stderr
