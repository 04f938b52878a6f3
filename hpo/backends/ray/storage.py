"""Where checkpoints are kept when nodes and tuner share no directory: object storage, or a folder that all of them mount.

One object for each checkpoint, written once under a name that no other has: what a lost attempt writes late hurts nobody.
"""

import contextlib
import functools
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from hpo.errors import ConfigError, installing

SCHEMES = ("s3", "gs", "az", "file")
_PATIENCE = timedelta(seconds=20)
"""In which a service that fails is asked again; what fails longer is tried by the next copy."""
_PIECE = 4 << 20
"""Bytes that are read at a time."""
_Answer = TypeVar("_Answer")


def check_storage(url: str) -> None:
    """Raise ConfigError unless the text names a storage, and what reads and writes it is installed. Nothing is asked."""
    if url.partition("://")[0] not in SCHEMES or not _place_in(url):
        raise ConfigError(
            f"backend.storage={url}: it is no address of a storage; give one such as s3://bucket/folder, gs://bucket/folder, "
            f"az://account/container or file:///mnt/folder"
        )
    if find_spec("obstore") is None:
        raise ConfigError(f"backend.storage={url}: the package obstore is not installed here; {installing('ray')}")


def _place_in(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "file":
        return "" if parts.netloc else parts.path
    return parts.netloc


class CheckpointStorage:
    """A place for objects.

    Args:
        url: of it; credentials and region are found in the environment, as the services' own programs find them.

    Raises:
        ConfigError: see `check_storage`.
        OSError: it cannot be used.
    """

    def __init__(self, url: str) -> None:
        check_storage(url)
        self.url = url
        self._store = self._asked(lambda: _store(url))

    def put(self, key: str, content: Path | bytes) -> None:
        """Write an object.

        Raises:
            OSError: it cannot be written.
        """
        import obstore

        self._asked(lambda: obstore.put(self._store, key, content))

    def get(self, key: str, target: Path) -> None:
        """Write an object's content to a file.

        Raises:
            OSError: it is not there, or cannot be read.
        """
        import obstore

        def read() -> None:
            with target.open("wb") as file:
                for piece in obstore.get(self._store, key).stream(min_chunk_size=_PIECE):
                    file.write(piece)

        self._asked(read)

    def sizes(self, prefix: str) -> dict[str, int]:
        """Bytes of all objects whose keys begin with `prefix`, which ends with a slash.

        Raises:
            OSError: they cannot be listed.
        """
        import obstore

        pages = self._asked(lambda: list(obstore.list(self._store, prefix=prefix)))
        return {str(item["path"]): int(item["size"]) for page in pages for item in page}

    def remove(self, keys: Iterable[str]) -> None:
        """Remove objects, those that are not there, too.

        Raises:
            OSError: they cannot be removed.
        """
        import obstore

        for key in keys:
            with contextlib.suppress(FileNotFoundError):
                self._asked(functools.partial(obstore.delete, self._store, key))

    @contextlib.contextmanager
    def proof(self) -> Iterator[str]:
        """Within this there is an object by whose name others can see that they have the same storage.

        Raises:
            ConfigError: nothing can be written there.
        """
        key = f"_hpo/{secrets.token_hex(8)}"
        try:
            self.put(key, key.encode())
        except OSError as error:
            raise ConfigError(
                f"backend.storage={self.url}: nothing can be written there ({error}); correct the address, or let this user "
                f"write there"
            ) from error
        try:
            yield key
        finally:
            with contextlib.suppress(OSError):
                self.remove([key])

    def _asked(self, question: Callable[[], _Answer]) -> _Answer:
        """The answer; what it raises has more lines than anybody reads, and is not always an OSError."""
        from obstore.exceptions import BaseError

        try:
            return question()
        except FileNotFoundError as error:
            raise FileNotFoundError(_brief(error)) from error
        except (BaseError, OSError, ValueError) as error:
            raise OSError(_brief(error)) from error


def _brief(error: Exception) -> str:
    return " ".join(str(error).partition("\n\nDebug source:")[0].split())[:300] or type(error).__name__


def _store(url: str) -> Any:
    from obstore.store import LocalStore, from_url

    if url.startswith("file:"):
        return LocalStore(unquote(urlsplit(url).path), mkdir=True)
    further: dict[str, Any] = {}
    if url.startswith("s3:") and os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"):
        further["client_options"] = {"allow_http": True}  # asked for by who names such an endpoint
    return from_url(url, retry_config={"max_retries": 5, "retry_timeout": _PATIENCE}, **further)
