"""What is wrong with the options of a launcher, told before anything is launched."""

from collections.abc import Mapping

from cnn_core.errors import UserError, did_you_mean, printable
from cnn_core.launch.jobs import LaunchOptions

_WORDS = {
    str: "a text",
    int: "a whole number of 0 or more",
    float: "a number of 0 or more",
    bool: "true or false",
    list: 'a list such as ["one", "two"]',
}


def check_options(launcher: str, options: LaunchOptions, known: Mapping[str, type]) -> None:
    """Raise UserError for an option that is not ``known``, or is not of the type it has there."""
    for name, value in options.items():
        if name not in known:
            near = did_you_mean(name, known) if known else ": it has none"
            raise UserError(f"the {launcher} launcher has no option '{printable(name)}'{near}")
        expected = known[name]
        kinds = (int, float) if expected is float else (expected,)
        wrong = type(value) not in kinds or (not isinstance(value, str | list) and value < 0)
        if expected is not object and wrong:
            raise UserError(
                f"option {name} of the {launcher} launcher: {printable(repr(value))}, "
                f"expected {_WORDS[expected]}"
            )
