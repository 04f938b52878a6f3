"""The storage of checkpoints if nodes and tuner share no directory: object storage, or a folder that all of them mount.

Each checkpoint is one object, written once under a unique name, so that late writes of a lost attempt do no harm.
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

from hpo.errors import ConfigError, how_to_install

SCHEMES = ("s3", "gs", "az", "file")
_PATIENCE = timedelta(seconds=20)
"""Time during which a failing or silent service is asked again; after that the next copy tries again."""
_RETRIES: Any = {
    "retry_timeout": _PATIENCE,
    "max_retries": 1000,  # the time limit ends the retries; a refused connection takes no time
    "backoff": {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=2), "base": 2},
}
_REQUEST: dict[str, Any] = {"connect_timeout": timedelta(seconds=5), "read_timeout": timedelta(seconds=10)}
"""Time limits of a single request, so that an unanswered one leaves time for another. While bytes arrive it may continue."""
_PIECE = 5 << 20
"""Largest number of bytes per request: larger objects are read and written in several, each with the full patience."""
_AT_ONCE = 4
"""Number of pieces that are written at the same time: more would share a slow line until none is done in time."""
_METADATA = ("169.254.169.254", "metadata.google.internal")
"""Hosts of the service that gives cloud machines their credentials; it is asked last, if there are no others."""
_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (profiles in ~/.aws are not read)",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
_Answer = TypeVar("_Answer")


def check_storage(url: str) -> None:
    """Raise ConfigError if the text does not name a storage, or the library for it is missing. Sends no request."""
    if url.partition("://")[0] not in SCHEMES or not _place_in(url):
        raise ConfigError(
            f"backend.storage={url}: it is not a storage address; give one such as s3://bucket/folder, gs://bucket/folder, "
            f"az://account/container or file:///mnt/folder"
        )
    if find_spec("obstore") is None:
        raise ConfigError(f"backend.storage={url}: the package obstore is not installed here; {how_to_install('ray')}")


def _place_in(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "file":
        return "" if parts.netloc else parts.path
    return parts.netloc


class CheckpointStorage:
    """A place for objects in object storage or in a mounted folder.

    Args:
        url: Address; credentials and region are found in the environment, as by the services' own programs.

    Raises:
        ConfigError: See `check_storage`.
        OSError: The storage cannot be used.
    """

    def __init__(self, url: str) -> None:
        check_storage(url)
        self.url = url
        self._store = self._asked(lambda: _store(url))

    def put(self, key: str, content: Path | bytes) -> None:
        """Write an object.

        Raises:
            OSError: The object cannot be written.
        """
        import obstore

        self._asked(lambda: obstore.put(self._store, key, content, chunk_size=_PIECE, max_concurrency=_AT_ONCE))

    def get(self, key: str, target: Path) -> None:
        """Write an object's content to a file.

        Raises:
            OSError: The object does not exist, or cannot be read.
        """
        import obstore

        size = int(self._asked(lambda: obstore.head(self._store, key))["size"])
        with target.open("wb") as file:
            for start in range(0, size, _PIECE):
                end = min(start + _PIECE, size)
                file.write(self._asked(functools.partial(obstore.get_range, self._store, key, start=start, end=end)))

    def sizes(self, prefix: str) -> dict[str, int]:
        """Return the sizes in bytes of all objects whose keys begin with `prefix`, which ends with a slash.

        Raises:
            OSError: The objects cannot be listed.
        """
        import obstore

        pages = self._asked(lambda: list(obstore.list(self._store, prefix=prefix)))
        return {str(item["path"]): int(item["size"]) for page in pages for item in page}

    def remove(self, keys: Iterable[str]) -> None:
        """Remove objects; missing ones are no error.

        Raises:
            OSError: The objects cannot be removed.
        """
        import obstore

        for key in keys:
            with contextlib.suppress(FileNotFoundError):
                self._asked(functools.partial(obstore.delete, self._store, key))

    @contextlib.contextmanager
    def proof(self) -> Iterator[str]:
        """Keep an object in the storage while the context lasts; others who see it by its name have the same storage.

        Raises:
            ConfigError: Nothing can be written to the storage.
        """
        key = f"_hpo/{secrets.token_hex(8)}"
        try:
            self.put(key, key.encode())
        except PermissionError as error:
            raise ConfigError(f"backend.storage={self.url}: {error}") from error
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
        """Send a request and raise its errors as an OSError of one line; a PermissionError if there are no credentials."""
        from obstore.exceptions import BaseError

        try:
            return question()
        except FileNotFoundError as error:
            raise FileNotFoundError(_brief(error)) from error
        except (BaseError, OSError, ValueError) as error:
            if any(service in str(error) for service in _METADATA):
                names = _CREDENTIALS.get(self.url.partition(":")[0])
                raise PermissionError(
                    f"there are no credentials for it; set {names} on this machine and on the nodes, or use machines "
                    f"whose role may read and write there"
                ) from error
            raise OSError(_brief(error)) from error


def _brief(error: Exception) -> str:
    return " ".join(str(error).partition("\n\nDebug source:")[0].split())[:300] or type(error).__name__


def _store(url: str) -> Any:
    from obstore.store import LocalStore, from_url

    if url.startswith("file:"):
        return LocalStore(unquote(urlsplit(url).path), mkdir=True)
    options: Any = dict(_REQUEST)
    if url.startswith("s3:") and os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"):
        options["allow_http"] = True  # the user has named an http endpoint
    return from_url(url, retry_config=_RETRIES, client_options=options)
