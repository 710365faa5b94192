"""Which sweeps have begun. A shell that completes their names waits for this module."""

from pathlib import Path

SWEEPS, SWEEP = "sweeps", "sweep.toml"


def sweep_names(runs_dir: Path) -> list[str]:
    """Return the names of the sweeps beside the runs, sorted."""
    return sorted(path.parent.name for path in (runs_dir / SWEEPS).glob(f"*/{SWEEP}"))
