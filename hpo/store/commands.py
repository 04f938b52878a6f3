"""The folder in which commands to a running experiment are left: `commands/ID.json`, each until it is in the log.

Whoever can write there could delete the experiment as well: it gives nobody a new right. What lies there is read with care
all the same, for it decides about trials.
"""

import json
import os
import re
import secrets
import stat
import time
from pathlib import Path

from hpo.errors import ConfigError
from hpo.events.steering import Command
from hpo.store.directory import json_object
from hpo.store.disk import disk_error_as_sentence
from hpo.store.replacing import write_atomically

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
            write_atomically(self.path / f"{command.id}.json", data)
        except OSError as error:
            raise disk_error_as_sentence(self.path, error) from error

    def waiting(self) -> list[str]:
        """Ids of the commands that are there, the oldest first.

        Raises:
            OSError: the folder cannot be read.
        """
        names = (_NAME.fullmatch(name) for name in os.listdir(self.path))  # noqa: PTH208  no paths are made of them
        return sorted(name[1] for name in names if name)

    def read(self, name: str) -> Command:
        """The command of that id.

        Raises:
            ValueError: what lies there is none.
            OSError: it cannot be read.
        """
        # No link is followed, and no pipe waited for.
        descriptor = os.open(self.path / f"{name}.json", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ValueError("it is no file")
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
        (self.path / f"{name}.json").unlink(missing_ok=True)
