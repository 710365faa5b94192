"""The launchers by name."""

from pathlib import Path

from cnn_core.errors import UserError, did_you_mean, printable
from cnn_core.launch.jobs import Launcher, LaunchOptions
from cnn_core.launch.local import LocalLauncher, default_slots
from cnn_core.launch.option_checks import check_options

LAUNCHERS = ("local", "ray", "slurm")


def make_launcher(
    name: str, *, workers: int | None, device: str, options: LaunchOptions, folder: Path
) -> Launcher:
    """Return a launcher for ``workers`` jobs at once; as many as suit this machine if None.

    ``options`` are those of the launcher; ``folder`` takes its own files. Raises UserError for an
    unknown name or option, or where the launcher's packages are missing.
    """
    match name:
        case "local":
            check_options(name, options, {})
            return LocalLauncher(workers or default_slots(), device)
        case "ray":
            from cnn_core.launch.ray_cluster import RayLauncher

            return RayLauncher(workers, device, options)
        case "slurm":
            from cnn_core.launch.slurm import SlurmLauncher

            return SlurmLauncher(workers, device, options, folder)
        case _:
            raise UserError(f"unknown launcher '{printable(name)}'{did_you_mean(name, LAUNCHERS)}")
