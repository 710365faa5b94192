"""presets, datasets, backbones: what there is to choose from."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cnn_tui.options import DataDir, Json
from cnn_tui.output import narrate, print_json, print_table, stderr


def presets(as_json: Json = False) -> None:
    """List the presets that come with the program."""
    from cnn_core.preset_files import load_experiment, shipped_presets

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
    if as_json:
        print_json(rows)
        return
    columns = ["name", "dataset", "backbone", "epochs", "notes"]
    print_table(
        columns,
        [[row[key] for key in columns] for row in rows],
        right=["epochs"],
        fold=["notes"],
    )


def datasets(
    data_dir: DataDir,
    download: Annotated[
        str | None,
        typer.Option("--download", metavar="NAME", help="Fetch a data set's official files."),
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


def backbones(as_json: Json = False) -> None:
    """List the backbones."""
    from cnn_core.backbones.catalog import BACKBONES

    rows: list[dict[str, Any]] = []
    for name in BACKBONES.names():
        backbone = BACKBONES[name]
        rows.append(
            {
                "name": name,
                "image_size": backbone.image_size,
                "min_size": backbone.min_size,
                "weights": list(backbone.weights),
                "options": sorted(backbone.options.model_fields),
                "help": backbone.help,
            }
        )
    if as_json:
        print_json(rows)
        return
    print_table(
        ["name", "size", "smallest", "weights", "options", "what it is"],
        [
            [
                row["name"],
                row["image_size"],
                row["min_size"],
                ", ".join(row["weights"]) or None,
                ", ".join(row["options"]) or None,
                row["help"],
            ]
            for row in rows
        ],
        right=["size", "smallest"],
        fold=["what it is", "options"],
    )


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
