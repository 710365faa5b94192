"""reproduce: the rows of a published table, trained again."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnn_core.locations import cache_dir, expanded
from cnn_tui import completion
from cnn_tui.options import (
    DataDir,
    Device,
    Json,
    Quiet,
    RunsDir,
    Settings,
    Verbose,
    places,
    set_loudness,
)
from cnn_tui.output import (
    complain,
    is_quiet,
    narrate,
    narrate_beginning,
    narrate_details,
    print_json,
    print_table,
    working,
)

if TYPE_CHECKING:
    from cnn_core.studies.drive import Reproduction
    from cnn_core.studies.study_config import Settings as Changes
    from cnn_core.studies.study_config import Study

STUDIES = "studies"


def reproduce(
    settings: Settings,
    runs_dir: RunsDir,
    data_dir: DataDir,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="STUDY",
            autocompletion=completion.studies,
            help="A study file or the name of a shipped one.",
            show_default=False,
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="ROW", help="Train and show only this row; may be repeated."
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            "--budget", metavar="MINUTES", min=0, help="Stop after so long; 0 only writes tables."
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", metavar="N", min=1, max=1000, help="Trainings of each arm."),
    ] = None,
    reduced: Annotated[
        bool,
        typer.Option("--reduced", help="As the study says for machines without a GPU."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FOLDER", help="Where to write; default: RUNS/studies/STUDY."
        ),
    ] = None,
    device: Device = "auto",
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Train the rows of a published table again, and write ours beside what it reports.

    Runs that are there serve; Ctrl-C or the end of the budget stops the one in training with a
    checkpoint, and the same command goes on. Without STUDY those that come with the program are
    listed.
    """
    set_loudness(quiet=quiet, verbose=verbose)
    if name is None:
        _list_shipped(as_json=as_json)
        return
    from cnn_core.preset_files import overrides_of
    from cnn_core.studies.study_files import find_study, load_study
    from cnn_tui.ending import ending_of_study
    from cnn_tui.notifying import notifier

    path = find_study(name)
    study = load_study(path)
    changes = overrides_of(settings)
    telling = notifier()
    with working("loading torch"):
        from cnn_core.studies.drive import Reproduction
        from cnn_core.studies.earlier import read_earlier
        from cnn_core.studies.plan import check_rows, jobs_of, plan
        from cnn_core.studies.results import collect
        from cnn_core.studies.tables import study_notes, study_table
        from cnn_core.studies.write import write_study
        from cnn_tui.headless import EXIT_CODES, MISTAKE

        check_rows(study, only or ())
        arms = plan(study, path.parent, reduced=reduced, seeds=seeds, settings=changes)
    folder = expanded(str(out)) if out else runs_dir / STUDIES / _folder(study, reduced, changes)
    earlier = read_earlier(folder)
    work = Reproduction(
        runs_dir,
        jobs_of(arms, only or ()),
        data_dir=data_dir,
        cache_dir=cache_dir(),
        device=device,
        elsewhere=earlier.trainings.keys(),
        budget_s=None if budget is None else 60 * budget,
    )
    if budget == 0:
        work.look()
    narrate_details(places(runs_dir, data_dir))
    try:
        signalled = budget != 0 and _train(work)
    except KeyboardInterrupt:
        narrate("aborted; the same command goes on from the last checkpoint")
        raise typer.Exit(EXIT_CODES["stopped"]) from None
    document = collect(study, arms, runs_dir, work.why_not, earlier)
    files = write_study(document, folder)
    if only:  # the files hold what is there of the other rows too
        document["rows"] = [row for row in document["rows"] if row["id"] in only]
    if as_json:
        print_json(document)
    else:
        table = study_table(document)
        right = [table.columns[place] for place in table.right]
        print_table(table.columns, table.rows, right=right, fold=["what", "arm", "changed"])
        for note in study_notes(document):
            narrate(note)
    narrate(f"wrote {len(files)} files to {folder}")
    left = work.left()
    if left and not signalled and not work.is_impossible:
        narrate(f"{left} trainings are left: the same command goes on")
    if work.has_trained:
        with telling:
            telling.ended(ending_of_study(study.name, folder, work, left))
    if signalled:
        raise typer.Exit(EXIT_CODES["stopped"])
    if work.is_impossible:
        raise typer.Exit(MISTAKE)
    raise typer.Exit(1 if work.failed else 0)


def _train(work: "Reproduction") -> bool:
    """Train and tell; return whether a signal ended it."""
    from cnn_core.studies.drive import JobBegan, JobEnded
    from cnn_tui.headless import shown, stopping_on_signals
    from cnn_tui.run_display import Errors, LiveProgress, PlainLines

    with stopping_on_signals(work) as signalled, ExitStack() as shows:
        display: Errors | LiveProgress | PlainLines = PlainLines()
        for told in work.work():
            match told:
                case JobBegan(job, run_dir, place):
                    seed = f", training {job.seed + 1}" if job.seed else ""
                    narrate(f"{place} of {work.count}: {job.arm.name}{seed} ({run_dir.name})")
                    if is_quiet():
                        display = Errors()
                    elif sys.stderr.isatty():
                        display = shows.enter_context(LiveProgress())
                    else:
                        display = PlainLines()
                case JobEnded(job, status, error):
                    shows.close()
                    if error:
                        complain(f"{job.arm.name}: {status}: {error}")
                    else:
                        narrate(f"{job.arm.name}: {status}")
                case event:
                    shown(event, display)
    return signalled.is_set()


def _folder(study: "Study", reduced: bool, changes: "Changes") -> str:
    """Return where tables lie that must not be taken for others of the study."""
    parts = [study.name, *(["reduced"] if reduced else []), *(["changed"] if changes else [])]
    return "-".join(parts)


def _list_shipped(*, as_json: bool) -> None:
    from cnn_core.studies.study_files import load_study, shipped_studies

    found = {path: load_study(path) for path in shipped_studies().values()}
    rows = [
        {
            "name": study.name,
            "title": study.title,
            "rows": [row.id for row in study.rows],
            "path": str(path),
        }
        for path, study in found.items()
    ]
    if as_json:
        print_json(rows)
        return
    cells = [[row["name"], str(len(row["rows"])), row["title"]] for row in rows]
    print_table(["name", "rows", "title"], cells, right=["rows"], fold=["title"])
    narrate_beginning(next(iter(found)))
