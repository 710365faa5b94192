"""Write docs/commands.md from the command line: ``make pages``."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from cnn_tui.cli import app
from cnn_tui.examples import EXAMPLES
from cnn_tui.help_text import labelled

HEAD = """\
# Commands

<!-- Made by docs/commands_reference.py from the command line; edit the help texts there. -->

What `cnn-tui COMMAND --help` prints. Options may stand anywhere after the command. Where a RUN is
asked for, its id, the unique start of one, the name in it, its path, or `last` will do; a PRESET is
a file or the name of a shipped one (`cnn-tui presets`). Results go to stdout, all else to stderr.
Exit codes: 0 finished, 1 failed or diverged, 2 your mistake, 130 stopped on request.
"""


def reference() -> str:
    """Return the whole page."""
    group: Any = typer.main.get_command(app)
    panels: dict[str, list[Any]] = {}
    for command in group.commands.values():
        panels.setdefault(command.rich_help_panel, []).append(command)
    lines = [HEAD, "## cnn-tui\n", *_described(group, "cnn-tui")]
    for panel, commands in panels.items():
        lines.append(f"\n## {panel}\n")
        for command in commands:
            lines += [f"### {command.name}\n", *_described(command, f"cnn-tui {command.name}")]
            lines += ["", *_examples(command.name), ""]
    return "\n".join(lines).rstrip() + "\n"


def _described(command: Any, call: str) -> Iterator[str]:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and not one.hidden]
    words = [call, *map(_argument, arguments), *(["[OPTION]..."] if options else [])]
    yield f"`{' '.join(words)}`\n"
    yield f"{command.help}\n"
    rows = [(_argument(one), one) for one in arguments] + [(_option(one), one) for one in options]
    if rows:
        yield "| option | meaning | default |\n|---|---|---|"
        for name, parameter in rows:
            cells = (f"`{name}`", parameter.help or "", _default(parameter))
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _examples(name: str) -> Iterator[str]:
    for what, line in EXAMPLES[name]:
        yield f"{labelled(what)}\n\n    {line}\n"


def _argument(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    name += "..." if argument.nargs == -1 else ""
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _option(option: Any) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    return names if option.is_flag else f"{names} {option.metavar or option.name.upper()}"


def _default(parameter: Any) -> str:
    if isinstance(parameter.show_default, str):
        return parameter.show_default
    if parameter.required:
        return "required"
    default = parameter.default
    shown = isinstance(default, str | int | float | Path) and not isinstance(default, bool)
    return f"`{default}`" if shown and parameter.show_default else ""


if __name__ == "__main__":
    sys.stdout.write(reference())
