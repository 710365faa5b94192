"""How the status of a run is shown: a sign beside the word, and a colour of the theme."""

STATUS_SIGNS = {
    "running": "▶",
    "paused": "‖",
    "finished": "✓",
    "stopped": "■",
    "failed": "✗",
    "diverged": "↯",
    "interrupted": "!",
    "queued": "○",
}
# Names of the theme's variables.
STATUS_COLOURS = {
    "running": "primary",
    "paused": "warning",
    "finished": "success",
    "stopped": "warning",
    "failed": "error",
    "diverged": "error",
    "interrupted": "accent",
    "queued": "secondary",
}
