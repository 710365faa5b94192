"""The app's own two themes, in colours that terminals of 256 colours have exactly."""

from textual.theme import Theme

DARK = Theme(
    name="cnn-dark",
    dark=True,
    primary="#5fafff",
    secondary="#87afd7",
    accent="#ffaf5f",
    success="#87d787",
    warning="#ffd75f",
    error="#ff8787",
    foreground="#dadada",
    background="#121212",
    surface="#1c1c1c",
    panel="#303030",
    variables={
        "border": "#5f87af",
        "border-blurred": "#444444",
        "block-cursor-background": "#005f87",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "none",
        "input-selection-background": "#005f87",
    },
)
LIGHT = Theme(
    name="cnn-light",
    dark=False,
    primary="#005faf",
    secondary="#005f87",
    accent="#af5f00",
    success="#00875f",
    warning="#875f00",
    error="#af0000",
    foreground="#303030",
    background="#ffffff",
    surface="#eeeeee",
    panel="#dadada",
    variables={
        "border": "#5f87af",
        "border-blurred": "#bcbcbc",
        "block-cursor-background": "#005faf",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "none",
    },
)
