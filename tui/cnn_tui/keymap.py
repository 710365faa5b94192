"""The keys that a user sets for actions: whether there are such actions and such keys."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping

from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import KEY_NAME_REPLACEMENTS, Keys, _normalize_key_list, key_to_character

from cnn_core.errors import UserError, did_you_mean, printable
from cnn_tui import screens, widgets
from cnn_tui.app import CnnTuiApp

_MODIFIERS = {"ctrl", "shift", "alt", "meta", "super", "hyper"}
_NAMED = {key.value for key in Keys if key.value[0] != "<"}.union(KEY_NAME_REPLACEMENTS.values())


def check_keymap(keymap: Mapping[str, str]) -> None:
    """Raise UserError for the id of no action, for no key, and for a key of two actions.

    Imports every page, which takes a moment: to be called where somebody set keys.
    """
    places = [_keys_by_id(node) for node in _nodes()]
    known = {action for place in places for action in place}
    for action, keys in keymap.items():
        if action not in known:
            raise UserError(
                f"[keys]: no action {printable(action)!r}{did_you_mean(action, known)} "
                "(F1 shows the ids)"
            )
        for key in _split(keys):
            if not _is_key(key):
                raise UserError(
                    f"[keys]: {action} = {printable(keys)!r}: {printable(key)!r} is no key; "
                    "expected such as n, ctrl+n, f5, pagedown or slash, with commas between them"
                )
    for place in places:
        _check_clashes(keymap, place)


def _check_clashes(keymap: Mapping[str, str], place: Mapping[str, str]) -> None:
    """Raise UserError if a key set for one action belongs to another one in the same place."""
    taken: dict[str, list[str]] = {}
    for action, default in place.items():
        for key in set(_split(_normalize_key_list(keymap.get(action, default)))):
            taken.setdefault(key, []).append(action)
    for key, actions in taken.items():
        if len(actions) > 1 and (chosen := [one for one in actions if one in keymap]):
            other = next(one for one in actions if one != chosen[0])
            raise UserError(
                f"[keys]: {chosen[0]} = {keymap[chosen[0]]!r}: {printable(key)} is the key of "
                f"{other} as well; set another key for one of them"
            )


def _nodes() -> Iterator[type[DOMNode]]:
    """Yield the app, its pages, dialogs and widgets."""
    for package in (screens, widgets):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    waiting: list[type[DOMNode]] = [DOMNode]
    while waiting:
        node = waiting.pop()
        waiting += node.__subclasses__()
        if node.__module__.startswith("cnn_tui."):
            yield node


def _keys_by_id(node: type[DOMNode]) -> dict[str, str]:
    """Return the keys of all actions that have an id, where the node has the focus."""
    found: dict[str, str] = {}
    for base in (CnnTuiApp, *reversed(node.__mro__)):
        for binding in base.__dict__.get("BINDINGS", ()):
            if isinstance(binding, Binding) and binding.id:
                found[binding.id] = binding.key
    return found


def _split(keys: str) -> list[str]:
    return [key.strip() for key in keys.split(",")]


def _is_key(key: str) -> bool:
    *modifiers, last = key.split("+")
    if not set(modifiers) <= _MODIFIERS:
        return False
    if len(last) == 1:
        return last.isprintable() and last != " "
    return last in _NAMED or key_to_character(last) is not None
