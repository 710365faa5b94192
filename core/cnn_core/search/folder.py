"""A sweep's folder in the folder of runs: ``sweeps/<name>/``."""

import contextlib
import dataclasses
import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tomli_w

from cnn_core.errors import UserError, did_you_mean, printable
from cnn_core.file_lock import FileLock
from cnn_core.files import write_atomically, write_text_atomically
from cnn_core.preset_files import read_table
from cnn_core.regular_files import read_regular
from cnn_core.runs.encoding import json_bytes
from cnn_core.search.begun import SWEEP, SWEEPS, sweep_names
from cnn_core.search.sweep_config import Sweep
from cnn_core.search.sweep_files import find_sweep_file, load_sweep, to_sweep_toml

PRESET, STOP = "preset.toml", "stop.json"
_PLACE = "place"
# Taking a trial needs milliseconds, but a hundred workers may begin at once; a process that was
# suspended in the middle of it is told of.
_PATIENCE_S = 300.0
# What may change in a sweep that has begun: how far it goes, where, and what is said of it.
_MAY_CHANGE = ("trials", "launch", "notes")


@dataclasses.dataclass(frozen=True, slots=True)
class SweepFolder:
    """A sweep on the disk, beside the runs of its trials; processes of any machine share it."""

    path: Path
    sweep: Sweep
    base: dict[str, Any]
    """The preset of its trials, before the sweep's own values."""
    place: str
    """Tells this folder's trials from those of other folders in the same study."""

    @property
    def runs_dir(self) -> Path:
        """Where the runs of the trials are made."""
        return self.path.parents[1]

    @property
    def log(self) -> Path:
        """The file that takes what workers print."""
        return self.path / "log.txt"

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Keep all other processes from taking trials meanwhile; goes with this process."""
        lock = FileLock(self.path / ".lock")
        if not lock.acquire(_PATIENCE_S):
            raise UserError(
                f"sweep {self.sweep.name}: another process has been taking a trial for "
                f"{_PATIENCE_S:.0f} s ({printable(self.path)})"
            )
        try:
            yield
        finally:
            lock.release()

    def request_stop(self, why: str | None = None) -> None:
        """Ask all that train this sweep's trials to stop with checkpoints.

        ``why`` is told to the user. Whoever starts later is not meant.
        """
        request = {"token": secrets.token_hex(8), "why": why}
        write_atomically(self.path / STOP, lambda file: file.write(json_bytes(request)))

    def stop_request(self) -> tuple[str, str | None] | None:
        """Return the token of the last request to stop, and its reason; None without one."""
        try:
            request = json.loads(read_regular(self.path / STOP))
            return str(request["token"]), request["why"]
        except (OSError, ValueError, TypeError, KeyError):
            return None


def open_sweep(runs_dir: Path, name: str) -> SweepFolder:
    """Return a sweep that was begun; UserError with the nearest name if there is none."""
    folder = runs_dir / SWEEPS / name
    if name not in (names := sweep_names(runs_dir)):
        raise UserError(
            f"no sweep '{printable(name)}' in {printable(runs_dir)}{did_you_mean(name, names)}"
        )
    sweep, _ = load_sweep(folder / SWEEP)
    try:
        place = read_regular(folder / _PLACE).decode(errors="replace")
    except OSError as error:
        raise UserError(f"{printable(folder / _PLACE)}: {error.strerror}") from error
    return SweepFolder(folder, sweep, read_table(folder / PRESET), place)


def begin_sweep(
    runs_dir: Path,
    reference: str,
    *,
    trials: int | None = None,
    launch: dict[str, Any],
    check: Callable[[Sweep, dict[str, Any]], object] = lambda _sweep, _base: None,
) -> SweepFolder:
    """Return the folder of a sweep: made from a file, or there already by its name or file.

    ``trials`` and keys of ``launch`` change what it says, and are kept. ``check`` may refuse the
    sweep and its preset before anything is written. Raises UserError where the file asks for
    something else than the sweep of that name that has begun.
    """
    if reference in sweep_names(runs_dir):
        begun = open_sweep(runs_dir, reference)
        check(begun.sweep, begun.base)
        return _kept(begun, _with(begun.sweep, trials, launch))
    sweep, base = load_sweep(find_sweep_file(reference))
    check(sweep, base)
    if sweep.name in sweep_names(runs_dir):
        begun = open_sweep(runs_dir, sweep.name)
        _check_same(begun, sweep, base)
        return _kept(begun, _with(sweep, trials, launch))
    sweep = _with(sweep, trials, launch)
    folder = runs_dir / SWEEPS / sweep.name
    made = SweepFolder(folder, sweep, base, secrets.token_hex(8))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with made.changing():
            if sweep.name not in sweep_names(runs_dir):
                write_text_atomically(folder / _PLACE, made.place)
                write_text_atomically(folder / PRESET, tomli_w.dumps(base))
                write_text_atomically(folder / SWEEP, _stored(sweep))  # last: now it is there
                return made
    except OSError as error:
        raise UserError(
            f"sweep {sweep.name}: can't be made in {printable(runs_dir)}: {error.strerror}"
        ) from error
    return begin_sweep(
        runs_dir, reference, trials=trials, launch=launch
    )  # another process has just made it


def _stored(sweep: Sweep) -> str:
    return to_sweep_toml(sweep.model_copy(update={"preset": PRESET}))


def _with(sweep: Sweep, trials: int | None, launch: dict[str, Any]) -> Sweep:
    changed = {"launch": sweep.launch.model_copy(update=launch)}
    return sweep.model_copy(update=changed if trials is None else changed | {"trials": trials})


def _kept(begun: SweepFolder, sweep: Sweep) -> SweepFolder:
    """Return the folder with what may change, changed."""
    sweep = sweep.model_copy(update={"preset": PRESET})
    if sweep != begun.sweep:
        write_text_atomically(begun.path / SWEEP, _stored(sweep))
    return dataclasses.replace(begun, sweep=sweep)


def _check_same(begun: SweepFolder, sweep: Sweep, base: dict[str, Any]) -> None:
    before, now = (one.model_dump(exclude={"preset", *_MAY_CHANGE}) for one in (begun.sweep, sweep))
    changed = [key if key == "name" else f"[{key}]" for key in now if before[key] != now[key]]
    if base != begun.base:
        changed.append("the preset")
    if changed:
        raise UserError(
            f"sweep {sweep.name!r} has begun with other values: {', '.join(changed)}; "
            f"give this one another name, or remove {printable(begun.path)}"
        )
