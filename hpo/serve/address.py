"""Address, access token and link of the `hpo serve` server."""

import contextlib
import errno
import os
import re
import secrets
import socket
import stat
from pathlib import Path

from hpo.errors import ConfigError

PORT = 8642
TRIED = 50
"""Number of ports, from `PORT` on, that are tried when the user names none."""
BASE = re.compile(r"(/[A-Za-z0-9._~-]+)+")
SHORTEST = 22
"""Smallest number of characters in an access token: 128 bits in base 64."""


def listen(host: str, port: int | None) -> socket.socket:
    """Return a socket that is bound to a TCP port.

    Args:
        host: Address of this machine.
        port: Port number; None: `PORT`, or the next one that is free.

    Raises:
        ConfigError: The port is taken or not permitted.
    """
    wanted = range(PORT, PORT + TRIED) if port is None else [port]
    for number in wanted:
        try:
            return _bound(host, number)
        except socket.gaierror as error:
            raise ConfigError(f"--host {host}: is not an address ({error.strerror}); use 127.0.0.1") from error
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                continue
            if error.errno in (errno.EACCES, errno.EPERM):
                raise ConfigError(f"--port {number}: this user may not use it; choose one above 1023") from error
            raise ConfigError(
                f"--host {host} --port {number}: cannot be used ({error.strerror}); use an address of this machine"
            ) from error
    if port is not None:
        raise ConfigError(f"--port {port}: another program uses it; choose another, or leave --port out")
    raise ConfigError(f"the ports {PORT} to {PORT + TRIED - 1} are all in use; name a free one with --port")


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(64)  # only this fails if another program has bound the port, too
    except BaseException:
        bound.close()
        raise
    return bound


def listen_at(path: Path) -> socket.socket:
    """Return a Unix socket that only this user may use, and replace one that a killed server left behind.

    Creates the socket's folder if needed. No other user may be able to put another socket into that folder.

    Raises:
        ConfigError: The socket cannot be created, another server uses it, or other users may write to its folder.
    """
    _make_private(path.absolute().parent, path)
    with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ConfigError(f"--socket {path}: there is a file of that name; choose another")
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(str(path))
        raise ConfigError(f"--socket {path}: another server uses it; choose another name, or end that one")
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        bound.bind(str(path))
        bound.listen(64)
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"--socket {path}: cannot be made ({error.strerror}); name a place you may write to"
        ) from error
    finally:
        os.umask(before)
    return bound


def _make_private(folder: Path, path: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        entries = [(place, place.stat()) for place in (folder.resolve(), *folder.resolve().parents)]
    except OSError as error:
        raise ConfigError(
            f"--socket {path}: {folder} cannot be made ({error.strerror}); name a place you may write to"
        ) from error
    for place, entry in entries:
        strange = entry.st_uid not in (0, os.getuid()) and place.name  # in a container, / may seem to belong to anybody
        shared = entry.st_mode & 0o022 and (place == entries[0][0] or not entry.st_mode & stat.S_ISVTX)
        if strange or shared:
            raise ConfigError(
                f"--socket {path}: others may write to {place}, and put their own there; use a folder of yours, such as "
                "~/.hpo/serve.sock"
            )


def token_of(file: Path | None) -> str:
    """Return the access token stored in a file, which is created if needed; without a file, return a new token.

    Raises:
        ConfigError: Other users may read the file, or it holds no token.
    """
    if file is None:
        return secrets.token_urlsafe(32)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as made:
            made.write(secrets.token_urlsafe(32) + "\n")
    except FileExistsError:
        pass
    except OSError as error:
        raise ConfigError(f"--token-file {file}: cannot be made ({error.strerror}); name another place") from error
    try:
        if file.stat().st_mode & 0o077:
            raise ConfigError(f"--token-file {file}: others may read it; chmod 600 {file}")
        token = file.read_text().strip()
    except (OSError, ValueError) as error:
        raise ConfigError(f"--token-file {file}: cannot be read ({error}); name another, which is made") from error
    if not re.fullmatch(rf"[A-Za-z0-9_-]{{{SHORTEST},}}", token):
        raise ConfigError(
            f"--token-file {file}: has no token of {SHORTEST} or more letters, digits, - and _; remove it to get a new one"
        )
    return token


def base_of(text: str) -> str:
    """Return the URL path below which pages are served, checked and without a slash at its end.

    Raises:
        ConfigError: The text is not such a path.
    """
    base = text.rstrip("/")
    if base and not BASE.fullmatch(base):
        raise ConfigError(f"--base-path {text}: use a path such as /hpo, of letters, digits and . _ ~ -")
    return base


def link(host: str, port: int, base: str, token: str) -> str:
    """Return the URL that opens the pages. Browsers send nothing of what follows its `#`, which holds the token."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}{base}/#token={token}"
