"""The questions that a first preset is made from, asked line by line on a terminal."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from cnn_core.errors import UserError, did_you_mean, printable
from cnn_tui.output import narrate, working

Value = TypeVar("Value")

NO_ANSWER = 130
"""The exit code of a command whose questions were left by Ctrl-C or Ctrl-D."""


def can_ask() -> bool:
    """Return whether somebody reads questions and can answer them."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def answers(told: Mapping[str, Any], data_dir: Path) -> dict[str, Any]:
    """Return what is told, by dotted key of a preset, and what is answered of the rest.

    Raises KeyboardInterrupt or EOFError where the answer is Ctrl-C or Ctrl-D, and UserError where
    a name that was told is unknown.
    """
    from cnn_core.suggestions import (
        TRAININGS,
        has_weights,
        keys_of,
        suggested_backbone,
        suggested_epochs,
        suggested_policy,
        suggested_training,
    )

    made = dict(told)
    narrate("Enter takes what stands in brackets; Ctrl-C leaves, and nothing is written.")
    if "data.dataset" not in made:
        made |= _ask_data(data_dir)
    if "model.backbone" not in made:
        narrate("\nThe network; `cnn-tui backbones` lists all, timm's too.")
        made["model.backbone"] = _ask("backbone", suggested_backbone(made), _backbone)
    if not {"model.weights", "freeze.policy"} & made.keys() and has_weights(made):
        narrate("\nWhat trains?")
        training = _choose("training", suggested_training(made), TRAININGS)
        made = keys_of(training) | made
    if not {"augment.policy", "augment.transforms"} & made.keys():
        narrate("\nRandom changes of the training images:")
        made["augment.policy"] = _choose("augmentation", suggested_policy(made), _policies())
    if "train.epochs" not in made:
        narrate("\nHow often are all training images seen?")
        made["train.epochs"] = _ask("epochs", str(suggested_epochs(made)), _epochs)
    return made


def _ask_data(data_dir: Path) -> dict[str, Any]:
    """Ask for the data set or a folder of images; tell where what was named is not there."""
    from cnn_core.datasets.catalog import DATASETS, state_of

    with working("looking for data sets"):
        states = {name: state_of(name, data_dir) for name in DATASETS.names() if name != "folder"}
    narrate(
        "\nThe data: a data set, or the path of a folder with a folder of images for each class."
    )
    for name, (state, _) in states.items():
        about = DATASETS[name].help if state == "here" else f"({state})"
        narrate(f"  {name:<12} {about}")
    made = _ask("data", "digits", _data)
    state, why = states.get(made["data.dataset"], ("here", ""))
    if state != "here":
        narrate(f"{made['data.dataset']} is {state}: {why}")
    return made


def _data(answer: str) -> dict[str, Any]:
    """Return the keys that a data set's name, or a folder's path, stands for."""
    from cnn_core.datasets.catalog import DATASETS
    from cnn_core.locations import expanded

    known = [name for name in DATASETS.names() if name != "folder"]
    if answer in known:
        return {"data.dataset": answer}
    root = expanded(answer).absolute()
    if not root.is_dir():
        raise UserError(
            f"'{printable(answer)}' is neither a data set nor a folder{did_you_mean(answer, known)}"
        )
    index = DATASETS["folder"].read(root)
    narrate(f"{len(index):,} images of {len(index.classes)} classes")
    return {"data.dataset": "folder", "data.root": str(root)}


def _backbone(answer: str) -> str:
    from cnn_core.backbones.catalog import BACKBONES

    if why := BACKBONES.miss(answer):
        raise UserError(printable(why))
    return answer


def _policies() -> dict[str, str]:
    from cnn_core.augment.catalog import POLICIES

    return {
        name: ", then ".join(table["name"] for table in tables) for name, tables in POLICIES.items()
    }


def _epochs(answer: str) -> int:
    try:
        epochs = int(answer)
    except ValueError:
        epochs = 0
    if not 1 <= epochs < 2**31:
        raise UserError(f"'{printable(answer)}' is no whole number from 1")
    return epochs


def _choose(what: str, default: Value, choices: Mapping[Value, str]) -> Value:
    """Ask for one of a few names, which are listed with what they mean."""
    names = {str(name): name for name in choices}
    width = max(map(len, names))
    for name, about in choices.items():
        narrate(f"  {name:<{width}} {about}".rstrip())

    def read(answer: str) -> Value:
        if answer not in names:
            raise UserError(f"unknown '{printable(answer)}'{did_you_mean(answer, names)}")
        return names[answer]

    return _ask(what, str(default), read)


def _ask(what: str, default: str, read: Callable[[str], Value]) -> Value:
    """Ask until ``read`` takes the answer; no answer is the default.

    The question goes to stderr, as all narration does.
    """
    while True:
        sys.stderr.write(f"{what} [{default}]: ")
        sys.stderr.flush()
        line = sys.stdin.buffer.readline()
        if not line:
            raise EOFError
        try:
            return read(os.fsdecode(line).strip() or default)  # a path need not be UTF-8
        except (UserError, OSError) as error:
            narrate(f"  {error}")
