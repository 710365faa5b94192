"""A preset while it is edited: texts of its fields, what is wrong with them, what changed."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cnn_core.config import Augment, Data, Experiment, Freeze, Model, Optim, Section, Train
from cnn_core.datasets.catalog import DATASETS, resolved_image_size
from cnn_core.errors import UserError, printable
from cnn_core.preset_files import find_preset, read_table, resolved
from cnn_core.preset_mistakes import mistakes
from cnn_core.runs.reader import CONFIG, read_config
from cnn_tui.field_text import from_text, to_text, to_toml_line
from cnn_tui.form_fields import FormField, form_fields

S = TypeVar("S", bound=Section)


@dataclass(frozen=True, slots=True)
class Source:
    """What a form starts from: ``reference`` is how the command line names it."""

    label: str
    reference: str
    texts: dict[str, str]
    dropped: tuple[str, ...] = ()
    """Keys that no field has: this version does not know them."""


@dataclass(frozen=True, slots=True)
class Change:
    """A field that differs from the source, both values as TOML on one line."""

    key: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Draft:
    """The sections as they are now, None where one has a mistake."""

    data: Data | None
    model: Model | None
    freeze: Freeze | None
    augment: Augment | None
    optim: Optim | None
    train: Train | None


def read_source(origin: Path | str) -> Source:
    """Return what a form starts from: the folder of a run, a preset's file or shipped name.

    Raises UserError where there is none or it is not TOML; wrong values are left to the form.
    """
    path = Path(origin)
    if (path / CONFIG).is_file():
        return _source(path.name, str(path / CONFIG), read_config(path))
    found = find_preset(str(origin))
    return _source(found.stem, str(origin), read_table(found))


def _source(label: str, reference: str, table: dict[str, Any]) -> Source:
    flat = {
        f"{name}.{inner}" if isinstance(value, dict) else name: item
        for name, value in table.items()
        for inner, item in (value.items() if isinstance(value, dict) else [("", value)])
    }
    fields = form_fields()
    # A run's config has every size; one that is the data set's own goes with the data set.
    if flat.get("data.image_size") in _own_sizes(flat.get("data.dataset")):
        del flat["data.image_size"]
    texts = {key: to_text(field, flat.get(key, field.default)) for key, field in fields.items()}
    return Source(label, reference, texts, tuple(key for key in flat if key not in fields))


def _own_sizes(dataset: Any) -> list[int]:
    if not isinstance(dataset, str) or DATASETS.miss(dataset):
        return []
    return [resolved_image_size(Data(dataset=dataset))]


class Form:
    """Texts of all fields over those of the source; every look-up is of the present state."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._texts = dict(source.texts)
        self._history: list[tuple[Source, dict[str, str]]] = []
        self._typing: str | None = None
        self._look()

    def text(self, key: str) -> str:
        """Return what is entered in a field."""
        return self._texts[key]

    def set(self, key: str, text: str) -> bool:
        """Enter a text; return whether that is another one. Typing on in a field is one change."""
        if text == self._texts[key]:
            return False
        if self._typing != key:
            self._history.append((self.source, dict(self._texts)))
        typed = form_fields()[key].kind not in ("choice", "switch")
        self._typing = key if typed else None
        self._texts[key] = text
        self._look()
        return True

    def settle(self) -> None:
        """End the present change: what is typed next is another one."""
        self._typing = None

    def load(self, source: Source) -> None:
        """Go over to another source; ``undo`` comes back."""
        self._history.append((self.source, self._texts))
        self.source, self._texts, self._typing = source, dict(source.texts), None
        self._look()

    def undo(self) -> bool:
        """Take the last change back; False where there is none."""
        if not self._history:
            return False
        self.source, self._texts = self._history.pop()
        self._typing = None
        self._look()
        return True

    @property
    def mistakes(self) -> dict[str, str]:
        """What is wrong, by the key of the field, in the order of the form."""
        return self._mistakes

    @property
    def changes(self) -> dict[str, Change]:
        """How fields differ from the source, by key."""
        return self._changes

    def is_set(self, key: str) -> bool:
        """Return whether a field has another value than its default."""
        field = form_fields()[key]
        return bool(_value(field, self._texts[key]) != field.default)

    def placeholder(self, key: str) -> str:
        """Return what holds while nothing is entered in a field, as far as that is known."""
        data = self.draft().data
        if data is not None and not DATASETS.miss(data.dataset):
            match key:
                case "data.image_size":
                    return str(resolved_image_size(data))
                case "data.resize":
                    return str(data.image_size or resolved_image_size(data))
                case "data.root":
                    return data.dataset
        return form_fields()[key].placeholder

    def table(self) -> dict[str, Any]:
        """Return the preset as it would stand in a file; what is at its default is left out."""
        table: dict[str, Any] = {}
        for key, field in form_fields().items():
            value = _parsed(field, self._texts[key])
            if value is not None:
                place = table.setdefault(field.section, {}) if field.section else table
                place[field.name] = value
        return table

    def experiment(self) -> Experiment:
        """Return the experiment, complete; UserError that counts the mistakes if there are any."""
        if self._mistakes:
            key, message = next(iter(self._mistakes.items()))
            more = f" (and {len(self._mistakes) - 1} more)" if len(self._mistakes) > 1 else ""
            raise UserError(f"{key}: {message}{more}")
        return resolved(Experiment.model_validate(self.table()))

    def draft(self) -> Draft:
        """Return the sections that are right."""
        return self._draft

    def idle(self) -> dict[str, str]:
        """Return the fields without effect, as the others are, and why."""
        return _idle(self._texts)

    def _look(self) -> None:
        """Find the changes, the mistakes, and the sections that have none."""
        self._changes = {}
        for key, field in form_fields().items():
            values = [_value(field, texts[key]) for texts in (self.source.texts, self._texts)]
            if values[0] != values[1]:
                self._changes[key] = Change(key, *map(to_toml_line, values))
        table = self.table()
        told: dict[str, list[str]] = {}
        for key, field in form_fields().items():
            try:
                from_text(field, self._texts[key])
            except UserError as error:
                told[key] = [str(error)]
        syntax = set(told)
        for mistake in mistakes(table):
            key = ".".join(re.split(r"[.[]", mistake.key)[:2])
            key = key if key in form_fields() else mistake.key.split("[")[0]
            if key not in syntax:
                place = mistake.key.removeprefix(key).removeprefix(".")
                message = f"{place}: {mistake.message}" if place else mistake.message
                told.setdefault(key, []).append(message)
        order = list(form_fields())
        self._mistakes = {
            key: printable("; ".join(told[key])) for key in sorted(told, key=order.index)
        }
        self._draft = Draft(
            data=self._section(Data, "data", table),
            model=self._section(Model, "model", table),
            freeze=self._section(Freeze, "freeze", table),
            augment=self._section(Augment, "augment", table),
            optim=self._section(Optim, "optim", table),
            train=self._section(Train, "train", table),
        )

    def _section(self, model: type[S], name: str, table: dict[str, Any]) -> S | None:
        if any(form_fields()[key].section == name for key in self._mistakes):
            return None
        return model.model_validate(table.get(name, {}))


def _value(field: FormField, text: str) -> Any:
    """Return what the text means, the default included."""
    value = _parsed(field, text)
    return field.default if value is None else value


def _parsed(field: FormField, text: str) -> Any:
    """Return what the text means; what is no TOML stays text, which the models refuse."""
    try:
        return from_text(field, text)
    except UserError:
        return text


def _idle(texts: dict[str, str]) -> dict[str, str]:
    optimizer, schedule = texts["optim.name"], texts["optim.schedule"]
    rules = {
        "head_hidden head_batch_norm": (texts["model.head"] != "mlp", "model", "head = mlp"),
        "unfreeze_at": (texts["freeze.policy"] == "none", "freeze", "a policy other than none"),
        "keep_statistics": (texts["model.weights"] in ("", "none"), "freeze", "weights"),
        "lr_scale": (not texts["freeze.unfreeze_at"].strip(), "freeze", "unfreeze_at"),
        "policy": (bool(texts["augment.transforms"].strip()), "augment", "no transforms"),
        "momentum nesterov": (optimizer != "sgd", "optim", "name = sgd"),
        "step_size gamma": (
            schedule not in ("step", "plateau"),
            "optim",
            "schedule = step or plateau",
        ),
        "warmup_epochs": (schedule == "one_cycle", "optim", "a schedule other than one_cycle"),
    }
    return {
        f"{section}.{name}": f"has an effect with {needs} only"
        for names, (idle, section, needs) in rules.items()
        if idle
        for name in names.split()
    }
