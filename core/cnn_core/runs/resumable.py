"""Whether a run can go on, told before torch is loaded."""

from pathlib import Path

from cnn_core.errors import UserError
from cnn_core.runs.reader import read_summary
from cnn_core.runs.writer import catch_up_summary


def check_resumable(run_dir: Path) -> None:
    """Raise UserError where a run has ended in a way that going on cannot change."""
    status = read_summary(run_dir)["status"]
    if status == "finished":
        catch_up_summary(run_dir)
        raise UserError(f"{run_dir.name} is finished: nothing to resume; `cnn-tui show` has it")
    if status == "diverged":
        raise UserError(
            f"{run_dir.name} diverged and would again: start anew with a lower learning rate, "
            f"cnn-tui run {run_dir / 'config.toml'} --set optim.lr=…"
        )
