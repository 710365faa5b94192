"""presets, datasets, backbones: what there is to choose from."""

import fnmatch
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cnn_tui import completion
from cnn_tui.options import DataDir, Json
from cnn_tui.output import narrate, print_json, print_table, stderr

if TYPE_CHECKING:
    from cnn_core.backbones.catalog import Backbone

# Models of timm are built for their figures: some tenths of a second for each.
_MOST_BUILT = 40


def presets(as_json: Json = False) -> None:
    """List the presets that come with the program."""
    from cnn_core.preset_files import load_experiment
    from cnn_core.shipped import shipped_presets

    rows = []
    for name, path in shipped_presets().items():
        experiment = load_experiment(path)
        rows.append(
            {
                "name": name,
                "dataset": experiment.data.dataset,
                "backbone": experiment.model.backbone,
                "epochs": experiment.train.epochs,
                "notes": experiment.notes,
                "path": str(path),
            }
        )
    rows.sort(key=itemgetter("dataset", "name"))
    if as_json:
        print_json(rows)
        return
    columns = ["name", "epochs", "notes"]
    cells: list[list[Any]] = []
    for dataset, group in groupby(rows, key=itemgetter("dataset")):
        cells += [["", "", ""], [Text(dataset, "bold"), "", ""]]
        cells += [[row[key] for key in columns] for row in group]
    print_table(columns, cells, right=["epochs"], fold=["notes"])
    narrate("to begin your own with one:", command="cnn-tui new FILE.toml --from NAME")


def datasets(
    data_dir: DataDir,
    download: Annotated[
        str | None,
        typer.Option(
            "--download",
            metavar="NAME",
            autocompletion=completion.downloads,
            help="Fetch a data set's official files.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the data sets, or download one."""
    from cnn_core.datasets.catalog import DATASETS, state_of

    if download is not None:
        _download(download, data_dir)
        return
    rows = []
    for name in DATASETS.names():
        dataset = DATASETS[name]
        # The images of `folder` are wherever data.root says.
        state, why = (None, "") if name == "folder" else state_of(name, data_dir)
        rows.append(
            {
                "name": name,
                "classes": dataset.classes,
                "image_size": dataset.native_size,
                "state": state,
                "why": why,
                "downloads": dataset.download is not None,
                "help": dataset.help,
            }
        )
    if as_json:
        print_json(rows)
        return
    columns = ["name", "state", "classes", "image_size", "help"]
    print_table(
        ["name", "state", "classes", "size", "what it is"],
        [[row[key] for key in columns] for row in rows],
        right=["classes", "size"],
        fold=["what it is"],
    )
    narrate(f"looked for in {data_dir}")
    for row in rows:
        if row["state"] in ("missing", "unusable"):
            narrate(f"{row['name']}: {row['why']}")


def backbones(
    pattern: Annotated[
        str | None,
        typer.Argument(
            metavar="[PATTERN]",
            autocompletion=completion.backbones,
            help="Only names like this: resnet, vgg*, timm:convnext*. Without one, all but timm's.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the backbones: parameters, image size, stages, and where their weights are."""
    from cnn_core.backbones.catalog import BACKBONES
    from cnn_core.backbones.timm_names import PREFIX

    names = _matching_backbones(pattern)
    named_only = len(names) > _MOST_BUILT and names[0].startswith(PREFIX)
    describe = _named_row if named_only else _backbone_row
    rows = [describe(BACKBONES[name]) for name in names]
    if as_json:
        print_json(rows)
    else:
        _print_backbones(rows)
    if named_only:
        narrate(
            f"{len(names)} models, their names alone: a narrower pattern, of at most "
            f"{_MOST_BUILT} models, tells the rest (cnn-tui backbones '{PREFIX}convnext_t*')"
        )
    elif pattern is None and not as_json:
        narrate(f"besides these: {_timm_offer()}")


def _print_backbones(rows: list[dict[str, Any]]) -> None:
    print_table(
        ["name", "parameters", "size", "smallest", "imagenet", "top-1", "what it is"],
        [
            [
                row["name"],
                None if row["parameters"] is None else f"{row['parameters']:,}",
                row["image_size"],
                row["min_size"],
                row["weights"].get("imagenet"),
                None if row["top1"] is None else f"{row['top1']:.3f}",
                row["help"],
            ]
            for row in rows
        ],
        right=["parameters", "size", "smallest", "top-1"],
        fold=["what it is"],
    )


def _named_row(backbone: "Backbone") -> dict[str, Any]:
    """Return what is known without building the network, None for all else."""
    return {
        "name": backbone.name,
        "parameters": None,
        "image_size": None,
        "min_size": None,
        "stages": None,
        "weights": {},
        "normalize": None,
        "top1": None,
        "options": sorted(backbone.options.model_fields),
        "extra": backbone.extra,
        "help": backbone.help,
    }


def _backbone_row(backbone: "Backbone") -> dict[str, Any]:
    facts = backbone.facts()
    weights = backbone.weights.get("imagenet")
    return {
        "name": backbone.name,
        "parameters": facts.parameters,
        "image_size": facts.image_size,
        "min_size": facts.min_size,
        "stages": list(facts.stages),
        "weights": {name: known.place() for name, known in backbone.weights.items()},
        "normalize": weights and weights.normalize(),
        "top1": weights and weights.top1,
        "options": sorted(backbone.options.model_fields),
        "extra": backbone.extra,
        "help": backbone.help,
    }


def _matching_backbones(pattern: str | None) -> list[str]:
    """Return the names like the pattern; a pattern without wildcards is a part of a name."""
    from cnn_core.backbones.catalog import BACKBONES
    from cnn_core.backbones.timm_names import PREFIX, timm_names
    from cnn_core.errors import UserError, did_you_mean

    if pattern is None:
        return BACKBONES.names()
    timm = pattern.startswith(PREFIX)
    known = [f"{PREFIX}{name}" for name in timm_names()] if timm else BACKBONES.names()
    if pattern in known:
        return [pattern]
    wanted = pattern if any(sign in pattern for sign in "*?[") else f"*{pattern}*"
    found = fnmatch.filter(known, wanted)
    if not found:
        raise UserError(f"no backbone is like {pattern!r}{did_you_mean(pattern, known)}")
    return found


def _timm_offer() -> str:
    from cnn_core.backbones.timm_names import timm_names

    if count := len(timm_names()):
        return f"{count} models of timm as timm:NAME (cnn-tui backbones 'timm:convnext*')"
    return "the models of timm as timm:NAME, with pip install 'cnn-tui[timm]'"


def _download(name: str, data_dir: Path) -> None:
    from rich.progress import DownloadColumn, Progress, TransferSpeedColumn

    from cnn_core.datasets.catalog import DATASETS
    from cnn_core.errors import UserError

    dataset = DATASETS[name]
    if dataset.download is None:
        raise UserError(f"{name} cannot be downloaded by cnn-tui: {dataset.how_to_get}")
    with Progress(
        *Progress.get_default_columns(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=stderr(),
        refresh_per_second=4,
    ) as progress:
        task = progress.add_task(name, total=None)
        for item in dataset.download(data_dir):
            progress.update(
                task, description=item.what, completed=item.done, total=item.total or None
            )
    narrate(f"{name} is in {data_dir}")
