"""Tags: what the experiments of one or several calls have in common. `outputs/<tag>/tag.json` keeps the master seed.

A command without `experiment_tag` gets date and time; when the same command was called before in this directory and did
not end, it goes on with that one.
"""

import contextlib
import json
import logging
import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from hpo.store.atomic_files import write_atomically
from hpo.store.directory import CONFIG, folders_with, read_json
from hpo.store.disk_space import disk_error_as_sentence
from hpo.store.untrusted import MOST_CONFIG, read_untrusted

log = logging.getLogger(__name__)

OUTPUTS = Path("outputs")
_FILE = "tag.json"
_warned: set[tuple[Path, int]] = set()
"""What was said already: once for all experiments of a sweep."""


def default_tag(command: Sequence[str], outputs: Path = OUTPUTS) -> tuple[str, bool]:
    """The tag for a command that names none, and whether it is that of an unfinished earlier call."""
    wanted = normalised(command)
    if "resume=false" not in wanted and "overwrite=true" not in wanted:
        for path in sorted(outputs.glob(f"*/{_FILE}"), reverse=True):
            record = read_tag(path.parent)
            if record.get("automatic") and record.get("command") == wanted and not record.get("complete"):
                return path.parent.name, True
    tag = datetime.now().strftime("%Y-%m-%d-%H-%M-%S")
    while (outputs / tag).exists():  # a second call in the same second
        tag += "-" + secrets.token_hex(2)
    return tag, False


def normalised(command: Sequence[str]) -> list[str]:
    """The overrides of a command line in an order that does not matter; without `retry`, which goes on with the same tag."""
    return sorted(word for word in command if word not in ("-m", "--multirun") and not word.startswith("retry="))


def read_tag(directory: Path) -> dict[str, Any]:
    """What is known of a tag; empty where nothing is."""
    return read_json(directory / _FILE)


def _seed_in(record: dict[str, Any]) -> int | None:
    """The master seed in a tag's record; None where there is none that could have been drawn or given."""
    seed = record.get("random_seed")
    return seed if isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0 else None


def update_tag(directory: Path, **facts: Any) -> None:
    """Add facts to what is known of a tag.

    Raises:
        StoreError: the directory cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with FileLock(directory / ".tag.lock"):
            write_atomically(directory / _FILE, json.dumps({**read_tag(directory), **facts}, indent=1).encode())
    except OSError as error:
        raise disk_error_as_sentence(directory, error) from error


def master_seed(directory: Path, given: int | None) -> tuple[int, bool]:
    """The master seed of a tag, and whether it was drawn just now: given, else the tag's, else a new one.

    Raises:
        StoreError: the directory cannot be written.
    """
    if given is not None:
        known = _seed_in(read_tag(directory))
        if known is None:
            update_tag(directory, random_seed=given)
        elif known != given and (directory, given) not in _warned:
            _warned.add((directory, given))
            log.warning(
                "random_seed=%d: %s has random_seed=%d, so that `hpo compare` cannot pair experiments of both; leave "
                "random_seed out, or use another experiment_tag",
                given,
                directory,
                known,
            )
        return given, False
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with FileLock(directory / ".seed.lock"):  # two calls at once agree on one
            known = _seed_in(read_tag(directory))
            if known is not None:
                return known, False
            kept = _seed_of_experiments(directory)  # where tag.json was lost or damaged
            seed = secrets.randbelow(2**31) if kept is None else kept
            update_tag(directory, random_seed=seed)
            return seed, kept is None
    except OSError as error:
        raise disk_error_as_sentence(directory, error) from error


def _seed_of_experiments(directory: Path) -> int | None:
    """The master seed that an experiment of this tag has written down for itself; None before there is one."""
    for folder in folders_with(directory, CONFIG):
        with contextlib.suppress(OSError):  # the experiment's own reader says what is wrong with it
            content = read_untrusted(folder / CONFIG, MOST_CONFIG)
            if found := re.search(rb"^random_seed: (\d{1,20})$", content, re.MULTILINE):
                return int(found.group(1))
    return None
