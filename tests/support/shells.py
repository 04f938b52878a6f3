"""An interactive shell on a terminal of its own, to which keys are sent and whose screen is read."""

import contextlib
import os
import pty
import re
import select
import signal
import time

ESCAPES = re.compile(rb"\x1b(\[[0-9;?<>=]*[a-zA-Z]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][A-Z0-9]|[=>78M])")


class Shell:
    """A context manager.

    Args:
        command: the shell, with its arguments.
        cwd: where it starts.
        env: its environment.
    """

    def __init__(self, command, cwd, env):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execvpe(command[0], command, {**env, "TERM": "xterm", "COLUMNS": "200", "LINES": "50"})
        self.seen = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGKILL)
        os.close(self.terminal)
        os.waitpid(self.pid, 0)

    def type(self, keys, expected, seconds=60):
        """Send keys, and read until the screen has what is expected, a pattern. Returns what came."""
        self.seen = b""
        os.write(self.terminal, keys.encode())
        deadline = time.monotonic() + seconds
        while not (found := re.search(expected, self.text)):
            ready = select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))[0]
            assert ready, f"{expected!r} never came: {self.text!r}"
            with contextlib.suppress(OSError):
                self.seen += os.read(self.terminal, 65536)
        return found[0]

    @property
    def text(self):
        """What has come since the last keys, without the control of the screen."""
        return ESCAPES.sub(b"", self.seen).decode(errors="replace").replace("\r", "")
