"""Help, pipes, streams and imports: the manners of a command-line program."""

import importlib.metadata
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from cnn_tui.cli import app
from cnn_tui.examples import EXAMPLES

COMMANDS = sorted(get_command(app).commands)
QUICK = [[], *([command] for command in COMMANDS)]


def _installed() -> bool:
    try:
        importlib.metadata.version("cnn-tui")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


@pytest.mark.parametrize("command", QUICK, ids=lambda command: " ".join(command) or "cnn-tui")
def test_every_command_has_help_that_fits_80_columns(cli, command):
    done = cli(*command, "--help", fresh=True)
    assert f"Usage: {' '.join(['cnn-tui', *command])} " in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stderr == ""
    if command:
        assert all(f"     {line}\n" in done.stdout for _, line in EXAMPLES[command[0]])


@pytest.mark.parametrize("command", [[], ["run"], ["resume"]], ids=str)
def test_help_is_whole_in_a_narrow_terminal(cli, command):
    cli.env["COLUMNS"] = "40"
    told = cli(*command, "--help").stdout
    lines = [line for line in told.splitlines() if not line.startswith("     cnn-tui ")]
    assert max(map(len, lines)) <= 40
    assert not {"…", "╭"} & set(told)
    assert "..." not in told.replace("[ARGS]...", "")
    known = {"--runs-dir", "--data-dir", "--device", "--help", *([] if command else COMMANDS)}
    assert known <= set(told.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_that_it_takes(name):
    group = get_command(app)
    assert len(EXAMPLES[name]) > 1
    for what, line in EXAMPLES[name]:
        words = shlex.split(line)
        program, command, *arguments = words[: words.index(">")] if ">" in words else words
        assert (program, command) == ("cnn-tui", name), what
        with group.commands[name].make_context(name, arguments):  # or it would raise UsageError
            pass


def test_there_are_no_examples_of_commands_that_are_none():
    assert sorted(EXAMPLES) == COMMANDS


def test_the_version(cli):
    version = cli("--version").stdout
    assert version.startswith("cnn-tui ")
    if _installed():
        assert version.split() == ["cnn-tui", importlib.metadata.version("cnn-tui")]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["runs"],
        ["runs", "--json"],
        ["show", "last"],
        ["presets"],
        ["queue", "--json"],
        ["sweeps", "--json"],
        ["sweeps", "--shipped"],
        ["surface"],
    ],
    ids=" ".join,
)
def test_what_only_looks_imports_no_torch_and_no_app(stored, arguments):
    code = (
        "import sys\n"
        "from cnn_tui.cli import main\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "try:\n    main()\n"
        "finally:\n"
        "    heavy = {'torch', 'torchvision', 'sklearn', 'textual'} & set(sys.modules)\n"
        "    sys.stderr.write(f'heavy: {sorted(heavy)}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        encoding="utf-8",
        env=stored.env,
        cwd=stored.folder,
        check=True,
    )
    assert done.stderr.endswith("heavy: []")
    assert done.stdout


def test_training_without_the_app_imports_none_of_it(cli):
    code = (
        "import sys\n"
        "from cnn_tui.cli import main\n"
        "sys.argv[1:] = ['run', 'digits', '--headless', '--device', 'nonsense']\n"
        "try:\n    main()\n"
        "finally:\n"
        "    import cnn_tui.headless\n"
        "    looked_for = {'torch', 'textual', 'mlflow', 'tensorboard', 'onnx'}\n"
        "    sys.stdout.write(str(looked_for & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", env=cli.env
    )
    assert done.returncode == 2
    assert done.stderr == "error: unknown device 'nonsense'; expected one of: auto, cpu, cuda\n"
    assert not cli.runs.exists()
    assert done.stdout == "{'torch'}"


@pytest.mark.parametrize("arguments", [["runs", "--json"], ["show", "last"], ["--help"]])
def test_a_reader_that_has_had_enough_is_no_error(stored, arguments):
    with stored.start(*arguments) as process:
        process.stdout.close()
        assert process.stderr.read() == ""


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_are_no_crash(stored, closed):
    done = subprocess.run(
        ["sh", "-c", f'"$0" -m cnn_tui runs {closed}', sys.executable],
        capture_output=True,
        encoding="utf-8",
        env=stored.env,
        cwd=stored.folder,
    )
    assert done.returncode == 0
    assert done.stderr == ""


@pytest.mark.long
def test_what_is_narrated_may_be_lost_and_nothing_else(cli):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*(sys.executable, "-m", "cnn_tui", "run", "digits", "--headless"),
             *("--set", "train.epochs=1", "--set", "data.limit=200")],
            stdout=subprocess.PIPE,
            stderr=full,
            encoding="utf-8",
            env=cli.env,
        )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].split() == ["status", "finished"]


def test_a_full_disk_is_told_in_one_line(stored):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "cnn_tui", "runs"],
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=stored.env,
            cwd=stored.folder,
        )
    assert done.returncode == 1
    assert done.stderr == "error: disk full: the output: free space there\n"
