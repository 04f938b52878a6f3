"""The folder for commands to a running experiment: `commands/ID.json`, one file per command until it is in the log.

Whoever can write there could delete the experiment as well, so the folder gives nobody a new right. Its files are still read
with care, because they decide about trials.
"""

import contextlib
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from hpo.errors import ConfigError
from hpo.events.steering import Command
from hpo.store.atomic_files import write_atomically
from hpo.store.directory import json_object
from hpo.store.disk_space import disk_error_as_sentence
from hpo.store.untrusted import open_untrusted

MOST_BYTES = 4096
_NAME = re.compile(r"([0-9A-Za-z][0-9A-Za-z-]{0,63})\.json")


def new_id() -> str:
    """Return a unique id for a command, which sorts after those made before."""
    return f"{time.time_ns():020d}-{secrets.token_hex(4)}"


class CommandFolder:
    """The folder in which commands wait until the running experiment reads them.

    Args:
        path: The folder; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.opened = new_id()
        """An id that sorts after those of all commands left before."""

    def give(self, command: Command) -> None:
        """Leave a command, whole or not at all.

        Raises:
            ConfigError: The command is longer than allowed.
            StoreError: The command could not be written.
        """
        content = {"command": command.verb, "arguments": dict(command.arguments), "by": command.by}
        data = json.dumps(content).encode()
        if len(data) > MOST_BYTES:
            raise ConfigError(f"a command may have {MOST_BYTES} bytes, and this one has {len(data)}; say less")
        try:
            self.path.mkdir(exist_ok=True)
            with self._folder() as folder:
                write_atomically(Path(f"/proc/self/fd/{folder}/{command.id}.json"), data)
        except OSError as error:
            raise disk_error_as_sentence(self.path, error) from error

    def waiting(self) -> list[str]:
        """Return the ids of the commands that wait, the oldest first.

        Raises:
            OSError: The folder cannot be read.
        """
        with self._folder() as folder:
            names = [_NAME.fullmatch(name) for name in os.listdir(folder)]  # noqa: PTH208  a descriptor
        return sorted(name[1] for name in names if name)

    def read(self, name: str) -> Command:
        """Return the command with an id.

        Raises:
            ValueError: The file is not a valid command.
            OSError: The file cannot be read.
        """
        with self._folder() as folder:
            descriptor = open_untrusted(f"{name}.json", within=folder)
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ValueError(f"it is longer than {MOST_BYTES} bytes")
        content = json_object(data)
        verb, arguments, by = content.get("command"), content.get("arguments", {}), content.get("by", "somebody")
        if not (isinstance(verb, str) and isinstance(arguments, dict) and isinstance(by, str)):
            raise ValueError('it is not of the form {"command": "hold", "arguments": {}, "by": "me"}')
        return Command(name, verb, arguments, by)

    def remove(self, name: str) -> None:
        """Remove a command that is in the log.

        Raises:
            OSError: The file cannot be removed.
        """
        with self._folder() as folder, contextlib.suppress(FileNotFoundError):
            os.unlink(f"{name}.json", dir_fd=folder)

    @contextlib.contextmanager
    def _folder(self) -> Iterator[int]:
        """Open the folder itself and yield a descriptor: through a link, files elsewhere would be read and deleted.

        Raises:
            OSError: The folder is missing or a link.
        """
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
