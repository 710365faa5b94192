"""``python -m cnn_tui`` is ``cnn-tui``."""

from cnn_tui.cli import main

main()
