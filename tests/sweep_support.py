"""Sweeps made by hand: a study whose trials have ended, without any training."""

from collections.abc import Sequence
from pathlib import Path

from app_support import Folder

from cnn_core.search.folder import SweepFolder, begin_sweep
from cnn_core.search.study import Claim, Outcome, Study

RANDOM = """
preset = "digits"
trials = {trials}
[parameters]
optim.lr = {{ type = "float", low = 1e-3, high = 1.0, log = true }}
optim.weight_decay = {{ type = "float", low = 0.0, high = 0.01 }}
data.split_seed = {{ values = [1, 2, 3] }}
"""
GRID = """
preset = "digits"
[search]
sampler = "grid"
[parameters]
model.dropout = { type = "float", low = 0.1, high = 0.3, step = 0.1 }
seed = { values = [0, 1] }
"""


def begun(folder: Folder, name: str, text: str) -> SweepFolder:
    """Return a sweep of this file, without any trial."""
    file = folder.runs_dir.parent / f"{name}.toml"
    file.write_text(text)
    return begin_sweep(folder.runs_dir, str(file), launch={})


def random_sweep(folder: Folder, name: str = "search", trials: int = 6) -> SweepFolder:
    """Return a random sweep over three keys, without any trial."""
    return begun(folder, name, RANDOM.format(trials=trials))


def claimed(study: Study, run_dir: Path | None = None) -> Claim:
    """Take the next trial, with its run."""
    claim = study.claim()
    assert claim is not None
    if run_dir is not None:
        study.sign(claim, run_dir.name)
    return claim


def add_trials(
    folder: Folder, sweep: SweepFolder, ends: Sequence[tuple[Outcome, float | None]]
) -> list[str]:
    """End a trial with each outcome and value; return their runs."""
    study = Study(sweep)
    runs = []
    for number, (outcome, value) in enumerate(ends, 1):
        run_dir = folder.finished(f"{sweep.sweep.name}-{number:03d}", accs=(0.1, value or 0.2))
        error = "CUDA out of [memory]" if outcome == "failed" else None
        study.settle(claimed(study, run_dir), outcome, value, error)
        runs.append(run_dir.name)
    return runs
