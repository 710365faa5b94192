"""From an experiment to a run; torch is loaded inside, so call these off the event loop."""

from pathlib import Path

from cnn_core.config import Experiment
from cnn_tui.workplace import Workplace


def check(experiment: Experiment, workplace: Workplace, *, elsewhere: bool = False) -> None:
    """Raise the UserError that training would end with; nothing is written.

    ``elsewhere``: on another machine, whose devices are not known here.
    """
    from cnn_core.runs.session import check_startable

    check_startable(experiment, workplace.data_dir, None if elsewhere else workplace.device)


def make_run(experiment: Experiment, workplace: Workplace) -> Path:
    """Return the folder of a new run, queued; UserError where it can't be made."""
    from cnn_core.runs.session import new_run

    return new_run(workplace.runs_dir, experiment)
