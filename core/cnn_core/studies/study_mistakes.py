"""What is wrong with a study: of the file itself, and what its settings make wrong in presets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cnn_core.backbones.catalog import backbone_mistakes
from cnn_core.errors import UserError
from cnn_core.preset_mistakes import Mistake, model_mistakes
from cnn_core.search.sweep_files import setting_mistakes
from cnn_core.studies.plan import points
from cnn_core.studies.study_config import Arm, Study


def study_mistakes(path: Path, table: dict[str, Any]) -> list[Mistake]:
    """Return all that is wrong with the table of the study file ``path``, each thing once."""
    named = {"name": path.stem} | table
    if found := model_mistakes(Study, named):
        return found
    study = Study.model_validate(named)
    shared = {key: f"reduced.{key}" for key in study.reduced}
    told: dict[tuple[str, str], Mistake] = {}
    for number, row in enumerate(study.rows):
        place = f"rows[{number}]"
        places = shared | {key: f"{place}.reduced.{key}" for key in row.reduced}
        for position, arm in enumerate(row.arms):
            reduced = study.reduced | row.reduced | arm.reduced
            for mistake in _arm_mistakes(
                arm, path.parent, f"{place}.arms[{position}]", reduced, places
            ):
                told.setdefault((mistake.key, mistake.message), mistake)
    return [*told.values()]


def _arm_mistakes(
    arm: Arm, folder: Path, place: str, reduced: dict[str, Any], places: dict[str, str]
) -> Iterator[Mistake]:
    """Yield what is wrong with an arm, with its preset as it is set, and as it is reduced."""
    if arm.layers is not None:
        for key, message in backbone_mistakes(arm.layers.model_dump()):
            yield Mistake(f"{place}.layers.{key}", message)
        return
    source = f"{place}.{'preset' if arm.sweep is None else 'sweep'}"
    places = places | {key: f"{place}.reduced.{key}" for key in arm.reduced}
    try:
        found = [*points(arm, folder)]
    except UserError as error:
        yield Mistake(source, "; ".join(line.strip() for line in str(error).splitlines()))
        return
    own = {key: f"{place}.set.{key}" for key in arm.set}
    for _, _, base, point in found:
        for settings, homes in (
            (point | arm.set, own),
            (point | arm.set | reduced, own | places),
        ):
            for owner, mistake in setting_mistakes(base, settings):
                if owner in homes:
                    yield Mistake(homes[owner], mistake.message, mistake.value)
                else:
                    yield Mistake(source, f"{mistake.key}: {mistake.message}", mistake.value)
