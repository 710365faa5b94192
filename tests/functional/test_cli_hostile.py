"""Class and file names are other people's data: shown literally, and never obeyed."""

import pytest

NAMES = ["[bold red]x", "[link=a]", "\x1b[31mred", "new\nline", "ünï çödé", "a b", "-rf", "x\udcff"]
PRESET = """\
name = "[/]\\u001b[2J"

[data]
dataset = "folder"
root = "hostile"
image_size = 8

[model]
backbone = "cnn"
options = { widths = [8] }

[train]
epochs = 1
"""


@pytest.fixture
def hostile(cli):
    cli.make_images(cli.data / "hostile", NAMES, 6)
    (cli.folder / "hostile.toml").write_text(PRESET)
    return cli


def assert_harmless(done) -> None:
    assert not set("\x1b\r\x9b") & set(done.stdout + done.stderr)


def test_hostile_class_names_are_split_trained_and_shown(hostile):
    text = hostile("split", "hostile.toml")
    assert_harmless(text)
    for shown in ("[bold red]x", "[link=a]", r"\x1b[31mred", r"new\nline", "ünï çödé", r"x\udcff"):
        assert f" {shown} " in text.stdout
    rows = hostile.json("split", "hostile.toml")["rows"]
    assert {row["name"] for row in rows} == set(NAMES)

    trained = hostile("run", "hostile.toml", "--tag", "[red]\x1b[0m")
    assert_harmless(trained)
    shown = hostile("show", "last")
    assert_harmless(shown)
    assert r"[/]\x1b[2J" in shown.stdout
    assert r"[red]\x1b[0m" in shown.stdout or r"[red]\u001b[0m" in shown.stdout
    assert_harmless(hostile("runs"))
    assert hostile.json("show", "last")["name"] == "[/]\x1b[2J"


def test_hostile_file_names_are_told_harmlessly(hostile):
    (hostile.data / "hostile" / "a b" / "\x1b[2J[b]\n.png").write_bytes(b"no image")
    done = hostile("run", "hostile.toml", rc=2)
    assert_harmless(done)
    assert hostile.json("show", "last")["status"] == "failed"
    assert r"a b/\x1b[2J[b]\n.png" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "\x1b[31m"),
        ("show", "\x1b[31m\n"),
        ("run", "digits", "--set", "\x1b[31m=1"),
        ("run", "digits", "--set", "optim.lr=\x1b[31m"),
        ("run", "digits", "--set", "data.dataset=\x1b[31m"),
        ("run", "digits", "--set", "model.options.\x1b=1"),
        ("run", "digits", "--set", "augment.policy=\x1b"),
        ("runs", "--sort", "\x1b"),
        ("summary", "--backbone", "\x1b"),
        ("datasets", "--download", "\x1b"),
    ],
    ids=repr,
)
def test_hostile_arguments_are_told_harmlessly(cli, arguments):
    assert_harmless(cli(*arguments, rc=2) if arguments[0] != "runs" else cli(*arguments))
