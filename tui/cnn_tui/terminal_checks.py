"""What doctor finds of the terminal: size, colours, pictures, letters, tmux, SSH."""

import locale
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping

from cnn_tui.machine_checks import Check, State

_PATIENCE_S = 2.0


def check_terminal(environ: Mapping[str, str] = os.environ) -> Iterator[Check]:
    """Check the terminal that stdout is, if it is one."""
    if not sys.stdout.isatty():
        yield Check("terminal", "ok", "output is piped")
        return
    yield _size(environ)
    yield colours(environ)
    yield _letters()
    yield _pictures()
    if environ.get("TMUX"):
        yield from tmux(_tmux_options())
    elif environ.get("STY"):
        yield Check(
            "screen",
            "warning",
            "inside GNU screen, which shows 256 colours and no pictures",
            "tmux shows more: tmux new -A -s cnn",
        )


def _size(environ: Mapping[str, str]) -> Check:
    size = shutil.get_terminal_size()
    kind = environ.get("TERM", "")
    over = "over SSH" if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY") else "local"
    found = f"{kind or 'TERM is not set'}, {size.columns}x{size.lines}, {over}"
    if kind in ("", "dumb", "unknown"):
        remedy = "the app needs more than that: export TERM=xterm-256color, if it is true"
        return Check("terminal", "warning", found, remedy)
    if size.columns < 80 or size.lines < 24:
        return Check("terminal", "warning", found, "make it 80x24 or larger")
    return Check("terminal", "ok", found)


def colours(environ: Mapping[str, str]) -> Check:
    """Check how many colours the terminal is said to have."""
    kind = environ.get("TERM", "")
    if environ.get("NO_COLOR"):
        return Check("colours", "ok", "none, as NO_COLOR wishes")
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return Check("colours", "ok", "16 million (COLORTERM)")
    if kind.endswith("-direct"):
        return Check("colours", "ok", "16 million (TERM)")
    if "256" in kind or kind in ("xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm"):
        return Check(
            "colours",
            "ok",
            "256 (TERM)",
            "for 16 million, where the terminal has them: export COLORTERM=truecolor, which SSH "
            "does not pass on by itself",
        )
    return Check(
        "colours",
        "warning",
        "16 or fewer (TERM)",
        "export TERM=xterm-256color, as nearly every terminal understands",
    )


def _letters() -> Check:
    encoding = locale.getlocale(locale.LC_CTYPE)[1] or locale.nl_langinfo(locale.CODESET)
    if encoding.upper().replace("-", "") == "UTF8":
        return Check("letters", "ok", "UTF-8")
    remedy = "curves need UTF-8: export LC_ALL=C.UTF-8"
    return Check("letters", "warning", f"the locale's are {encoding}", remedy)


def _pictures() -> Check:
    from cnn_tui.widgets.graphics import detect_graphics

    if detect_graphics():
        return Check("pictures", "ok", "by Kitty's protocol or Sixel")
    return Check(
        "pictures",
        "ok",
        "in half-block cells",
        'where the terminal has Kitty\'s protocol or Sixel: graphics = "always" in config.toml',
    )


def tmux(options: Mapping[str, str] | None) -> Iterator[Check]:
    """Check tmux's options, None where it does not tell them."""
    if options is None:
        yield Check("tmux", "warning", "it does not tell its options", "is tmux on the PATH?")
        return
    kind = options.get("default-terminal", "")
    features = options.get("terminal-features", "") + options.get("terminal-overrides", "")
    poor = "256color" not in kind and "direct" not in kind
    wrong = []
    if poor:
        told = f"default-terminal is {kind or 'not set'}"
        wrong.append((told, "set -g default-terminal tmux-256color"))
    if "RGB" not in features and "Tc" not in features:
        told = "16 million colours are not passed on"
        wrong.append((told, 'set -as terminal-features ",*:RGB"'))
    if options.get("allow-passthrough", "off") == "off":
        wrong.append(("pictures are not passed on", "set -g allow-passthrough on"))
    if not wrong:
        yield Check("tmux", "ok", f"{kind}, colours and pictures are passed on")
        return
    findings, lines = zip(*wrong, strict=True)
    # Without the others the app is whole, if less colourful.
    state: State = "warning" if poor else "ok"
    yield Check("tmux", state, ", ".join(findings), f"in ~/.tmux.conf: {'; '.join(lines)}")


def _tmux_options() -> dict[str, str] | None:
    """Return the options of the tmux around us that matter here."""
    found: dict[str, str] = {}
    for flags in ("-s", "-g", "-wg"):
        try:
            done = subprocess.run(
                ["tmux", "show-options", flags],
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_PATIENCE_S,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        for line in done.stdout.splitlines():
            name, _, value = line.partition(" ")
            name = name.partition("[")[0]  # of a list each item has a line
            found[name] = f"{found.get(name, '')} {value}".strip(' "')
    return found
