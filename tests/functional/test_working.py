"""Slow work of a command: its progress on a terminal, its remarks anywhere."""

from collections.abc import Generator

import pytest
from pseudo_terminal import PseudoTerminal

from cnn_core.errors import UserError
from cnn_core.progress import Progress, Remark
from cnn_tui.working import finish

PROGRAM = """\
import pathlib, time
from cnn_core.progress import Progress, Remark
from cnn_tui.working import finish

def work():
    yield Progress("[b]counting\\x1b[2J", 3, 9)
    yield Remark("an [i]odd[/i] thing", warning=True)
    while not pathlib.Path("seen").exists():
        time.sleep(0.01)
    return 5

print("result", finish(work()))
"""


def test_progress_is_shown_on_a_terminal_and_taken_away(cli):
    with PseudoTerminal(["-c", PROGRAM], folder=cli.folder, env=cli.env) as terminal:
        terminal.wait_for(lambda: "3/9" in terminal.text())
        assert "[b]counting\\x1b[2J" in terminal.text()
        (cli.folder / "seen").touch()
        assert terminal.exit_code() == 0
        lines = [line for line in terminal.text().splitlines() if line.strip()]
        assert [line.rstrip() for line in lines] == [
            "warning: an [i]odd[/i] thing",
            "result 5",
        ]
        assert terminal.left


def test_elsewhere_remarks_alone_are_told(capsys: pytest.CaptureFixture[str]):
    def work() -> Generator[Progress | Remark, None, list[int]]:
        yield Progress("counting", 0, 0)
        yield Remark("it costs a lot")
        yield Progress("counting", 1, 1)
        return [1]

    assert finish(work()) == [1]
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "it costs a lot\n")


def test_what_goes_wrong_in_the_work_passes_on():
    def work() -> Generator[Progress | Remark, None, None]:
        yield Progress("counting", 0, 1)
        raise UserError("no")

    with pytest.raises(UserError, match="no"):
        finish(work())
