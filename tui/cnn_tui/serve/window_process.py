"""The process of a window: it makes the terminal on its stdin its own, and is ``cnn-tui`` there.

Only the controlling terminal tells of a new size (SIGWINCH) and of its end (SIGHUP).
"""

import fcntl
import termios

from cnn_tui.cli import main

if __name__ == "__main__":
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    main()
