"""Types of the options of transforms."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from cnn_core.config import Positive


def _in_order(pair: list[float]) -> list[float]:
    if pair[0] > pair[1]:
        raise PydanticCustomError("order", "should be two numbers, the lower one first")
    return pair


Probability = Annotated[float, Field(ge=0, le=1)]
Degrees = Annotated[float, Field(ge=0, le=180)]
_Pair = (Field(min_length=2, max_length=2), AfterValidator(_in_order))
PositivePair = Annotated[list[Positive], *_Pair]
"""Two numbers above 0, the lower one first."""
SharePair = Annotated[list[Annotated[float, Field(gt=0, le=1)]], *_Pair]
"""Two numbers above 0 and up to 1, the lower one first."""
