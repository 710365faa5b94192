"""One of several processes that a launcher such as torchrun has started to train one run."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from cnn_core.errors import CnnTuiError, printable
from cnn_core.training.joining import Launched, joined, own_device
from cnn_tui.output import narrate

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

    from cnn_core.training.ranks import Ranks
    from cnn_tui.notify import Notifier


def train_together(
    place: Launched,
    begin: Callable[[str], Path],
    telling: "Notifier",
    *,
    data_dir: Path,
    device: str,
    as_json: bool,
) -> NoReturn:
    """Train a run with the other processes of the launch, and exit with its code.

    The first process makes or finds its folder by ``begin(device)``, shows it, and tells what is
    wrong. Started anew by the launcher, they go on with it.
    """
    import cnn_core.runs.session  # noqa: F401  (before the signals mean a checkpoint)
    from cnn_core.training.device import resolve_device
    from cnn_core.training.ranks import PeerFailedError, PeersLostError

    own = own_device(device, place)
    try:
        with telling, joined(place, resolve_device(own)) as (ranks, store):
            code = _train(place, ranks, store, begin, telling, data_dir, own, as_json=as_json)
    except (PeerFailedError, PeersLostError) as error:
        if place.rank == 0:
            raise
        raise typer.Exit(error.exit_code) from None
    raise typer.Exit(code)


def _train(
    place: Launched,
    ranks: "Ranks",
    store: "Store",
    begin: Callable[[str], Path],
    telling: "Notifier",
    data_dir: Path,
    device: str,
    *,
    as_json: bool,
) -> int:
    """Train and return the exit code."""
    from cnn_core.runs.launch_record import EndedError, run_of_launch
    from cnn_core.training.control import Control
    from cnn_core.training.ranks import PeersLostError
    from cnn_tui import headless

    run_dir, status = None, None
    if ranks.first:
        try:
            run_dir = run_of_launch(store, place.restarts, lambda: begin(device))
        except EndedError as ended:
            narrate(str(ended))
            status = ended.status
    run_dir, status = ranks.from_first((run_dir, status))
    if status is not None:
        return headless.EXIT_CODES[status]
    assert run_dir is not None
    control = Control()
    try:
        with headless.stopping_on_signals(control, ranks):
            finished = headless.train(
                run_dir,
                control,
                notifier=telling,
                data_dir=data_dir,
                device=device,
                as_json=as_json,
                ranks=ranks,
            )
    except KeyboardInterrupt:
        if ranks.first:
            headless.narrate_abortion(run_dir)
        return headless.EXIT_CODES["stopped"]
    except PeersLostError as error:
        raise CnnTuiError(f"{error}; cnn-tui resume {printable(run_dir.name)} goes on") from error
    if ranks.first and not as_json:
        headless.show_result(run_dir, finished)
    return headless.exit_code(finished)
