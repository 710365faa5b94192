"""new, check, schema: what helps who writes presets in an editor."""

import json

import pytest
import tomli
from cli_support import PROGRAM, ROOT
from pseudo_terminal import PseudoTerminal
from typer.main import get_command

from cnn_core.errors import UserError
from cnn_core.preset_files import load_experiment
from cnn_core.schema import schema_of
from cnn_tui.cli import app
from cnn_tui.commands.writing import new

GOOD = '[data]\ndataset = "digits"\n\n[model]\nbackbone = "cnn"\n'
BAD = GOOD.replace("cnn", "cn") + "\n[train]\nepoch = 3\n"
STUDY = """\
title = "two rows"
reduced = { "train.epochs" = 0 }

[[rows]]
id = "A"
what = "first"

[[rows.arms]]
preset = "digts"

[[rows]]
id = "B"
what = "second"

[[rows.arms]]
preset = "digits"
set = { "train.epoch" = 3 }

[[rows.arms]]
preset = "own.toml"

[[rows.arms]]
layers = { backbone = "alexnt", classes = 2, image_size = 224 }
"""


def test_all_files_are_checked_at_once(cli):
    (cli.folder / "own.toml").write_text(GOOD)
    (cli.folder / "bad.toml").write_text(BAD)
    (cli.folder / "broken.toml").write_text('name = "x"\na = \n')
    (cli.folder / "sweep.toml").write_text('preset = "own.toml"\n[parameters]\noptim.lr.low = 1\n')
    (cli.folder / "project.toml").write_text('[project]\nname = "x"\n')
    names = ("own.toml", "bad.toml", "broken.toml", "sweep.toml", "project.toml", "gone.toml", ".")
    done = cli("check", *names, rc=2)
    assert done.stdout == "own.toml: preset, no mistakes\n"
    assert done.stderr.splitlines() == [
        "error: bad.toml: 2 mistakes",
        "  model.backbone (line 5): unknown backbone 'cn'; did you mean 'cnn'?",
        "  train.epoch (line 8): unknown key; did you mean 'epochs'?",
        "error: broken.toml: not valid TOML: Invalid value (at line 2, column 5)",
        "error: sweep.toml: 2 mistakes",
        '  parameters.optim.lr.type (line 3): needed by a range: type = "float", low, high; or '
        "give values",
        '  parameters.optim.lr.high (line 3): needed by a range: type = "float", low, high; or '
        "give values",
        "error: project.toml: neither a preset ([data], [model]) nor a sweep (preset, "
        "[parameters]) nor a study (title, [[rows]])",
        "error: gone.toml: cannot be read: No such file or directory",
        "error: .: a folder; check its files: *.toml",
    ]


def test_a_study_is_checked_with_all_of_its_presets(cli):
    (cli.folder / "own.toml").write_text(GOOD)
    (cli.folder / "study.toml").write_text(STUDY)
    assert cli("check", "study.toml", rc=2).stderr.splitlines() == [
        "error: study.toml: 4 mistakes",
        "  reduced.train.epochs (line 2): 0: should be greater than or equal to 1",
        "  rows[0].arms[0].preset (line 9): no preset 'digts': neither a file nor a shipped one; "
        "did you mean 'digits'?",
        "  rows[1].arms[0].set.train.epoch (line 17): unknown key; did you mean 'epochs'?",
        "  rows[1].arms[2].layers.backbone (line 23): unknown backbone 'alexnt'; did you mean "
        "'alexnet'?",
    ]


def test_what_is_checked_is_told_to_programs(cli):
    (cli.folder / "own.toml").write_text(GOOD)
    (cli.folder / "bad.toml").write_text(BAD)
    documents = json.loads(cli("check", "own.toml", "bad.toml", "--json", rc=2).stdout)
    assert documents[0] == {"file": "own.toml", "kind": "preset", "ok": True, "mistakes": []}
    assert not documents[1]["ok"]
    assert documents[1]["mistakes"][1] == {
        "line": 8,
        "key": "train.epoch",
        "value": "",
        "message": "unknown key; did you mean 'epochs'?",
    }


def test_all_shipped_files_are_right(cli):
    files = sorted((ROOT / "presets").glob("**/*.toml"))
    kinds = [document["kind"] for document in cli.json("check", *files)]
    assert set(kinds) == {"preset", "sweep", "study"}


def test_the_hook_runs_a_command_that_there_is():
    (hook,) = [
        dict(part.split(": ", 1) for part in block.splitlines() if ": " in part)
        for block in (ROOT / ".pre-commit-hooks.yaml").read_text().split("- ")[1:]
    ]
    assert hook["id"] == "cnn-tui-check"
    program, *command = hook["  entry"].split()
    scripts = tomli.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert program in scripts
    assert set(command) <= get_command(app).commands.keys()


def test_the_schema_is_printed(cli):
    assert json.loads(cli("schema", "study").stdout) == schema_of("study")
    assert "did you mean 'sweep'?" in cli("schema", "swep", rc=2).stderr


def ask(cli, *arguments):
    return PseudoTerminal(
        [*PROGRAM, "new", *arguments], folder=cli.folder, env=cli.env, zygote=cli.zygote
    )


def test_a_preset_is_written_from_a_few_answers(cli):
    cli.make_images(cli.folder / "pets", ["cat", "dog"], 4)
    with ask(cli, "my pets.toml", "--set", "data.limit=9") as terminal:
        for question, answer in (
            ("data [digits]:", "pet"),
            ("neither a data set nor a folder", "pets"),
            ("8 images of 2 classes", "resnet18"),
            ("training [all]:", "heads"),
            ("did you mean 'head'?", "head"),
            ("augmentation [none]:", ""),
            ("epochs [10]:", b"\xff"),
            ("'\\udcff' is no whole number from 1", "3"),
        ):
            terminal.wait_for(lambda shown=question: shown in terminal.text())
            terminal.type((answer if isinstance(answer, bytes) else answer.encode()) + b"\r")
        assert terminal.exit_code() == 0
        assert "cnn-tui split 'my pets.toml' && cnn-tui run 'my pets.toml'" in terminal.text()
    made = load_experiment(cli.folder / "my pets.toml")
    assert made.name == "my pets"
    assert (made.data.dataset, made.data.root) == ("folder", str(cli.folder / "pets"))
    assert (made.data.image_size, made.data.resize, made.data.limit) == (224, 256, 9)
    assert (made.model.backbone, made.model.weights) == ("resnet18", "imagenet")
    assert (made.freeze.policy, made.data.normalize) == ("backbone", "imagenet")
    assert (made.augment.policy, made.train.epochs) == ("none", 3)


def test_enter_takes_all_defaults_and_what_is_set_is_not_asked(cli):
    with ask(cli, "d.toml", "--set", "model.backbone=mlp", "--set", "train.epochs=2") as terminal:
        for question in ("data [digits]:", "augmentation [none]:"):
            terminal.wait_for(lambda shown=question: shown in terminal.text())
            terminal.type("\r")
        assert terminal.exit_code() == 0
        assert "backbone [" not in terminal.text()
    made = load_experiment(cli.folder / "d.toml")
    assert (made.data.dataset, made.model.backbone, made.train.epochs) == ("digits", "mlp", 2)


@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["Ctrl-C", "Ctrl-D"])
def test_leaving_the_questions_leaves_nothing_behind(cli, key):
    before = sorted(cli.folder.iterdir())
    with ask(cli, "d.toml") as terminal:
        terminal.wait_for(lambda: "data [digits]:" in terminal.text())
        terminal.type("\r")
        terminal.wait_for(lambda: "backbone [cnn]:" in terminal.text())
        terminal.type(key)
        assert terminal.exit_code() == 130
        assert "nothing was written" in terminal.text()
    assert sorted(cli.folder.iterdir()) == before


def test_a_preset_or_a_run_is_written_without_questions(stored, tmp_path):
    file = tmp_path / "from.toml"
    done = stored("new", file, "--from", "vgg16", "--set", "train.epochs=3")
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == f"  cnn-tui split {file} && cnn-tui run {file}"
    assert load_experiment(file) == load_experiment("vgg16", ["train.epochs=3"])
    again = tmp_path / "again.toml"
    stored("new", again, "--from", "last")
    (run,) = [path for path in stored.run_dirs() if "-second-" in path.name]
    assert load_experiment(again) == load_experiment(run / "config.toml")
    assert "image_size = " not in again.read_text()
    assert "lr = 0.001\n" in again.read_text()


def test_without_a_terminal_the_data_set_is_enough(cli):
    cli("new", "d.toml", "--set", "data.dataset=digits")
    assert load_experiment(cli.folder / "d.toml").model.backbone == "cnn"
    done = cli("new", "e.toml", rc=2)
    assert done.stderr.startswith("error: no terminal to ask on: give --from PRESET|RUN, or at ")
    assert not (cli.folder / "e.toml").exists()


@pytest.mark.parametrize(
    ("file", "source", "settings", "told"),
    [
        ("mine.toml", "digits", [], "there is such a file already"),
        ("link.toml", "digits", [], "there is such a file already"),
        ("e", "digits", [], "expected the path of a file that ends in .toml"),
        ("no/e.toml", "digits", [], "there is no folder no"),
        ("e.toml", "digts", [], "did you mean 'digits'?\n  no run 'digts'"),
        ("e.toml", "digits", ["train.epoch=0"], "train.epoch (--set): unknown key; did you mean"),
        ("e.toml", None, ["data.dataset=digits", "optim.lr=0"], "optim.lr (--set): 0: should be"),
        ("e.toml", None, ["data.dataset=digits", "name.x=0"], "'name' is a value"),
    ],
)
def test_what_can_not_be_written_is_told_and_nothing_written(
    tmp_path, monkeypatch, file, source, settings, told
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text("mine")
    (tmp_path / "link.toml").symlink_to("nowhere")
    with pytest.raises(UserError) as caught:
        new(file, settings, tmp_path / "runs", tmp_path / "data", source)
    assert told in str(caught.value)
    assert (tmp_path / "mine.toml").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"mine.toml", "link.toml"}
