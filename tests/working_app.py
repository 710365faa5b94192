"""An app with work in a thread, as the real one trains: started on a terminal by tests.

Files in the folder named by the first argument tell what happens: ``work`` and ``beats`` grow,
``ended`` appears when the interface has ended, ``done`` says how the work ended. The work goes
on until there is a file ``enough``, or until it is asked to stop, unless it is ``deaf``; but not
for ever, in case the tests are killed.
"""

import os
import sys
import threading
import time
from pathlib import Path
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Footer, Static

from cnn_tui.driver import PatientDriver
from cnn_tui.terminal import guarded

FOLDER = Path(sys.argv[1]) if __name__ == "__main__" else Path()
DEAF = "deaf" in sys.argv[2:]
ABORTED = 3
FPS = 40
LINES = 24


class WorkingApp(App[None]):
    """Paints a full screen 40 times a second, until ``f`` freezes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("f", "freeze", "Freeze"),
        Binding("b", "ring", "Ring"),
        Binding("ctrl+z", "suspend_process", "Stop"),
        Binding("k", "count", "Count"),
        Binding("c", "complain", "Complain"),
    ]

    def __init__(self) -> None:
        super().__init__(driver_class=PatientDriver)
        self.beats = self.keys = 0
        self.frozen = False

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(id="picture")
        yield Static(id="keys")
        yield Footer()

    def on_mount(self) -> None:
        self.set_interval(1 / FPS, self.beat)

    def beat(self) -> None:
        self.beats += 1
        grow("beats")
        if not self.frozen:
            self.query_one("#picture", Static).update(picture(self.beats))

    def action_freeze(self) -> None:
        self.frozen = True
        self.query_one("#picture", Static).update("frozen " + picture(self.beats))

    def action_ring(self) -> None:
        self.bell()

    def action_complain(self) -> None:
        os.write(2, b"COMPLAINT\n")  # as a library in C does, whatever sys.stderr is
        grow("complaints")

    def action_count(self) -> None:
        self.keys += 1
        self.query_one("#keys", Static).update(f"{self.keys} keys")


def picture(number: int) -> str:
    """Return lines of text that differ in every cell from those of the number before."""
    return "\n".join(chr(ord("a") + (number + line) % 26) * 70 for line in range(LINES))


def grow(name: str) -> None:
    """Count one more in a file, by its size."""
    with (FOLDER / name).open("ab") as file:
        file.write(b".")


def work(asked: threading.Event) -> None:
    """Count until it is enough."""
    for _ in range(20_000):
        if (FOLDER / "enough").exists() or (asked.is_set() and not DEAF):
            break
        grow("work")
        time.sleep(1 / FPS)
    (FOLDER / "done").write_text("stopped" if asked.is_set() else "finished")


def main() -> None:
    """Run the app beside its work."""
    app, asked = WorkingApp(), threading.Event()
    worker = threading.Thread(target=work, args=(asked,))
    try:
        with guarded(app, on_stop=asked.set):
            worker.start()
            app.run()
            sys.stdout.write("the interface has ended\n")  # to a terminal, or to nobody
            sys.stdout.flush()
            os.write(2, b"and complains no more\n")
            (FOLDER / "ended").touch()
            worker.join()
    except KeyboardInterrupt:
        os._exit(ABORTED)
    sys.exit(app.return_code)


if __name__ == "__main__":
    main()
