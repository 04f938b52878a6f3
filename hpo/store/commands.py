"""The folder in which commands to a running experiment are left: `commands/ID.json`, each until it is in the log.

Whoever can write there could delete the experiment as well: it gives nobody a new right. What lies there is read with care
all the same, for it decides about trials.
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
    """An id that no other command has; those made later sort behind it."""
    return f"{time.time_ns():020d}-{secrets.token_hex(4)}"


class CommandFolder:
    """Commands that wait to be taken.

    Args:
        path: the folder; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.opened = new_id()
        """What was left before sorts before it."""

    def give(self, command: Command) -> None:
        """Leave a command, whole or not at all.

        Raises:
            ConfigError: it is longer than a command may be.
            StoreError: it could not be written.
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
        """Ids of the commands that are there, the oldest first.

        Raises:
            OSError: the folder cannot be read.
        """
        with self._folder() as folder:
            names = [_NAME.fullmatch(name) for name in os.listdir(folder)]  # noqa: PTH208  a descriptor
        return sorted(name[1] for name in names if name)

    def read(self, name: str) -> Command:
        """The command of that id.

        Raises:
            ValueError: what lies there is none.
            OSError: it cannot be read.
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
        """The command is in the log.

        Raises:
            OSError: it cannot be removed.
        """
        with self._folder() as folder, contextlib.suppress(FileNotFoundError):
            os.unlink(f"{name}.json", dir_fd=folder)

    @contextlib.contextmanager
    def _folder(self) -> Iterator[int]:
        """A descriptor of the folder itself: a link in its place would have files elsewhere taken and deleted.

        Raises:
            OSError: it is not there, or is a link.
        """
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
