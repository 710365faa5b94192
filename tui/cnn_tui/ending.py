"""How a training, a sweep or a study has ended: in words, as variables, as a document."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnn_core.errors import printable
from cnn_core.quantities import percent
from cnn_core.runs.reader import read_summary

if TYPE_CHECKING:
    from cnn_core.search.folder import SweepFolder
    from cnn_core.search.results import SweepResults
    from cnn_core.studies.drive import Reproduction


@dataclass(frozen=True, slots=True)
class Ending:
    """What has ended, a run, a sweep or a study, and how."""

    id: str
    name: str
    status: str
    folder: Path
    best: dict[str, Any]
    test: dict[str, Any] | None
    error: str | None
    told: str
    """The result in words."""

    def environment(self) -> dict[str, str]:
        """Return what the command finds in its environment; empty where it is not known."""
        known = {
            "RUN": self.id,
            "NAME": self.name,
            "STATUS": self.status,
            "RUN_DIR": self.folder.absolute(),
            "BEST_EPOCH": self.best.get("epoch"),
            "BEST_VAL_ACC": self.best.get("val_acc"),
            "TEST_ACC": (self.test or {}).get("acc"),
            "ERROR": self.error,
        }
        # A variable holds no NUL, and the command may print it on a terminal.
        return {
            f"CNN_TUI_{key}": "" if value is None else printable(value)
            for key, value in known.items()
        }

    def message(self) -> dict[str, Any]:
        """Return the document for a webhook; ``text`` is what Slack and Mattermost show."""
        text = f"{_quoted(self.name)}: {self.status}"
        text += f", {self.told}" if self.told else ""
        text += f": {_quoted(self.error)}" if self.error else ""
        return {
            "text": text,
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "best": self.best,
            "test": self.test,
            "error": self.error,
        }


def ending_of(run_dir: Path) -> Ending:
    """Return how a run has ended; UserError if its files can't be read."""
    summary = read_summary(run_dir)
    accuracy = percent(summary["test"]["acc"])
    return Ending(
        id=summary["id"],
        name=summary["name"],
        status=summary["status"],
        folder=run_dir,
        best=summary["best"],
        test=summary["test"],
        error=summary["error"],
        told=f"test accuracy {accuracy}" if accuracy else "",
    )


def ending_of_sweep(
    folder: "SweepFolder", results: "SweepResults", status: str, error: str | None
) -> Ending:
    """Return how a sweep has ended; its best trial is the run that ``best`` names."""
    metric, best = folder.sweep.search.metric, results.best
    told = f"{results.ended} of {results.wanted} trials have ended"
    found: dict[str, Any] = {"metric": metric, "value": None, "run": None}
    if best is not None:
        found = {"metric": metric, "value": best.value, "run": best.run}
        told += f", {metric} {best.value:.4f} at best"
    return Ending(
        id=folder.sweep.name,
        name=folder.sweep.name,
        status=status,
        folder=folder.path,
        best=found,
        test=best.row["test"] if best is not None and best.row else None,
        error=error,
        told=told,
    )


def ending_of_study(name: str, folder: Path, work: "Reproduction", left: int) -> Ending:
    """Return how the work at a study has ended, with ``left`` of its trainings still to be done."""
    status = "failed" if work.failed else "stopped" if left else "finished"
    return Ending(
        id=name,
        name=name,
        status=status,
        folder=folder,
        best={},
        test=None,
        error=None,
        told=f"{work.count - left} of {work.count} trainings have ended",
    )


def _quoted(text: str) -> str:
    """Return other people's text as code, in which a chat finds no link, markup or mention."""
    plain = printable(text).replace("`", "'")
    for sign, code in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        plain = plain.replace(sign, code)
    return f"`{plain}`"
