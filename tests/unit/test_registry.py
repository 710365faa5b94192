"""Names, their doubles and their near misses."""

import pytest

from cnn_core.errors import UserError
from cnn_core.registry import Registry


def test_a_name_is_taken_once_and_a_miss_names_the_nearest() -> None:
    registry: Registry[int] = Registry("number", ())
    registry.add("one", 1)
    registry.add("three", 3)
    with pytest.raises(ValueError, match="number 'one' is registered twice"):
        registry.add("one", 2)
    assert registry["one"] == 1
    assert registry.names() == ["one", "three"]
    assert registry.miss("one") is None
    with pytest.raises(UserError, match="unknown number 'thre'; did you mean 'three'"):
        registry["thre"]


def test_providers_are_imported_at_the_first_look_up_only() -> None:
    registry: Registry[int] = Registry("number", ("no_such_module",))
    registry.add("one", 1)
    with pytest.raises(ModuleNotFoundError):
        registry.names()
