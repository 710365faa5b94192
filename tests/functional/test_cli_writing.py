"""check, schema: what helps who writes presets in an editor."""

import json

import pytest
import tomli
from cli_support import ROOT

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


def test_the_hook_runs_a_command_that_there_is(cli):
    (hook,) = [
        dict(part.split(": ", 1) for part in block.splitlines() if ": " in part)
        for block in (ROOT / ".pre-commit-hooks.yaml").read_text().split("- ")[1:]
    ]
    assert hook["id"] == "cnn-tui-check"
    program, *command = hook["  entry"].split()
    scripts = tomli.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert program in scripts
    cli(*command, ROOT / "presets" / "digits.toml")


@pytest.mark.parametrize(("arguments", "key"), [((), "data"), (("study",), "rows")])
def test_the_schema_is_printed(cli, arguments, key):
    document = json.loads(cli("schema", *arguments).stdout)
    assert key in document["properties"]
    assert "did you mean 'sweep'?" in cli("schema", "swep", rc=2).stderr
