"""The options of a backbone or a transform: read strictly, with every mistake named."""

import reprlib
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cnn_core.errors import UserError, did_you_mean

Model = TypeVar("Model", bound=BaseModel)


def read_options(model: type[Model], table: Mapping[str, Any], where: str) -> Model:
    """Return the options in ``table``; raise UserError naming each mistake below ``where``."""
    if mistakes := option_mistakes(model, table):
        raise UserError("; ".join(f"{where}.{key}: {message}" for key, message in mistakes))
    return model.model_validate(table)


def option_mistakes(model: type[BaseModel], table: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return ``(key path, message)`` for each mistake in ``table``, such as ``widths[0]``."""
    try:
        model.model_validate(table)
    except ValidationError as error:
        details = error.errors(include_url=False)
        return [(_path(one["loc"]), _message(one, model)) for one in details]
    return []


def _path(location: tuple[int | str, ...]) -> str:
    return "".join(
        f"[{step}]" if isinstance(step, int) else f".{step!s}" for step in location
    ).removeprefix(".")


def _message(error: ErrorDetails, model: type[BaseModel]) -> str:
    if error["type"] == "extra_forbidden":
        if not model.model_fields:
            return "unknown option; there are none"
        return f"unknown option{did_you_mean(str(error['loc'][-1]), model.model_fields)}"
    expected = error["msg"].replace("Input should", "should")
    return f"{expected[0].lower()}{expected[1:]}, got {reprlib.repr(error['input'])}"
