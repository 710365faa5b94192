"""From the command line into the app, and out of it again."""

import os
from multiprocessing import resource_tracker
from pathlib import Path

from cnn_core.errors import UserError, printable
from cnn_core.locations import cache_dir
from cnn_tui.app import CnnTuiApp
from cnn_tui.output import complain, narrate
from cnn_tui.settings import State, read_config, settings_dir
from cnn_tui.terminal import STOPPED, guarded, over_ssh
from cnn_tui.widgets.graphics import detect_graphics
from cnn_tui.workplace import Workplace

_FPS, _FPS_OVER_SSH = 4.0, 1.0


def run_app(runs_dir: Path, data_dir: Path, device: str, *, first: Path | None = None) -> int:
    """Show the app until the user leaves it; return the exit code.

    ``first`` is a run to train and show at once. If the terminal goes away meanwhile, this
    returns when the training has ended. Raises UserError for a mistake in the user's settings.
    """
    config = read_config(settings_dir())
    if config.keys:
        from cnn_tui.keymap import check_keymap  # imports every page

        try:
            check_keymap(config.keys)
        except UserError as error:
            raise UserError(f"{printable(settings_dir() / 'config.toml')}: {error}") from error
    if config.graphics != "cells":
        detect_graphics(force=config.graphics == "always")
    # Processes can't be spawned from a running app unless this was started before it.
    resource_tracker.ensure_running()
    app = CnnTuiApp(
        Workplace(runs_dir.absolute(), data_dir.absolute(), cache_dir().absolute(), device),
        config,
        State.read(settings_dir()),
        first=first,
        chart_fps=config.chart_fps or (_FPS_OVER_SSH if over_ssh() else _FPS),
    )
    try:
        with app.slot.notifier, guarded(app, on_stop=lambda: app.slot.close(stop=True)):
            farewell = app.run()
            if app.slot.busy:  # only if the app could not ask: it failed, or nobody is there
                stopping = app.return_code == STOPPED
                goes_on = "the training goes on; Ctrl-C stops it with a checkpoint"
                narrate("stopping this step with a checkpoint" if stopping else goes_on)
            app.slot.join()
    except KeyboardInterrupt:
        run = app.slot.current.name if app.slot.current else "last"
        narrate("aborted; to go on from the last checkpoint:", command=f"cnn-tui resume {run}")
        os._exit(STOPPED)  # any other way out waits for the thread that trains
    for failure in app.slot.take_errors():  # of the last moment, which no page has shown
        complain(f"error: {failure}")
    if farewell:
        narrate(farewell)
    return app.return_code or 0
