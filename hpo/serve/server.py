"""The server process of `hpo serve`: prints its link once it answers, and ends at Ctrl-C, whatever pages are open."""

import asyncio
import contextlib
import html
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.errors import ConfigError, how_to_install
from hpo.serve.address import base_of, link, listen, listen_at, token_of
from hpo.serve.catalogue import Catalogue, roots_of
from hpo.serve.signing import Keys

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

log = logging.getLogger(__name__)

SOCKET = "~/.hpo/serve.sock"
"""Suggested path of the server's Unix socket, in a folder where no other user can create it first."""
SETTLING = 0.2
"""Seconds after the start until the modules that pages need are imported, unless a page asks earlier."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of `hpo serve`."""

    port: int | None = None
    host: str = "127.0.0.1"
    host_names: Sequence[str] = ()
    """Names by which requests may call the server, besides those of this machine."""
    socket: Path | None = None
    base_path: str = ""
    token_file: Path | None = None
    steer: bool = False
    """Whether to print a second link, with which experiments can be steered."""
    browser: bool = False
    """Whether to open a browser."""


def serve(places: Sequence[str], settings: Settings, say: "Callable[[str], None]") -> int:
    """Serve pages about experiments until a signal comes.

    Args:
        places: Directories, or tags under outputs/; empty: all of outputs/.
        settings: Address, access and browser.
        say: Function that is called with the link, and with other lines for the user.

    Returns:
        The number of the signal.

    Raises:
        ConfigError: A setting is wrong, or the address, token file or socket cannot be used.
        StoreError: There is no experiment.
    """
    _check(settings)
    roots = roots_of(places)
    base = base_of(settings.base_path)
    token = token_of(settings.token_file)
    steering = token_of(_beside(settings.token_file)) if settings.steer else None
    try:
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"hpo serve needs starlette and uvicorn; {how_to_install('serve')}") from error
    bound = listen(settings.host, settings.port) if settings.socket is None else listen_at(settings.socket)
    with contextlib.closing(bound):
        port = bound.getsockname()[1] if settings.socket is None else 0
        shown = 8642 if settings.socket is not None else port  # the local port in the ssh command below
        host = settings.host if settings.socket is None else "localhost"
        links = [link(host, shown, base, one) for one in (token, steering) if one is not None]
        guarded = {"keys": Keys(token, steering), "port": port or None, "base": base}
        try:
            return asyncio.run(_run(bound, roots, settings, guarded, links, say))
        finally:
            if settings.socket is not None:
                settings.socket.unlink(missing_ok=True)


def _check(settings: Settings) -> None:
    loopback = settings.host in ("127.0.0.1", "::1", "localhost")
    if not loopback and not settings.host_names:
        raise ConfigError(
            f"--host {settings.host}: others on the network could reach it; add --host-name NAME, by which they call it, "
            "or leave --host out and use ssh -L"
        )
    if settings.socket is not None and (settings.port is not None or not loopback):
        raise ConfigError("--socket: goes without --port and --host")
    if settings.port is not None and not 0 <= settings.port <= 65535:
        raise ConfigError(f"--port {settings.port}: use a number from 1024 to 65535")


async def _run(
    bound: "socket.socket",
    roots: Sequence[Path],
    settings: Settings,
    guarded: dict[str, Any],
    links: Sequence[str],
    say: "Callable[[str], None]",
) -> int:
    import uvicorn

    from hpo.serve.app import App
    from hpo.serve.connection import PatientProtocol
    from hpo.serve.guard import Guard
    from hpo.serve.hub import Hub
    from hpo.serve.shell import Shell

    hub = Hub(Catalogue(roots))
    shell = Shell(guarded["base"])
    guard = Guard(App(hub, guarded["base"]).build(), shell, hosts=frozenset(settings.host_names), **guarded)
    config = uvicorn.Config(
        guard,
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=1,
    )
    ending = asyncio.Event()
    ended_by: list[int] = []
    loop = asyncio.get_running_loop()

    class Server(uvicorn.Server):
        """Server that waits for a signal, whereas uvicorn's own checks for one ten times a second."""

        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if self.started:
                _tell(settings, links, say)
                loop.call_later(SETTLING, hub.warm)
                loop.call_later(SETTLING, shell.warm)

        async def main_loop(self) -> None:
            await ending.wait()

        def handle_exit(self, sig: int, frame: Any) -> None:
            # uvicorn would send itself the signal again at the end, before the socket is removed.
            self.force_exit = self.should_exit
            self.should_exit = True
            ended_by.append(sig)
            loop.call_soon_threadsafe(ending.set)

        async def shutdown(self, sockets: Any = None) -> None:
            hub.dismiss()
            await super().shutdown(sockets)

    with _page_that_opens(links[-1]) if settings.browser else contextlib.nullcontext():
        await Server(config).serve(sockets=[bound])
    return ended_by[0] if ended_by else 0


def _beside(token_file: Path | None) -> Path | None:
    """Return the file that stores the token of the link for steering."""
    return None if token_file is None else token_file.with_name(f"{token_file.name}.steer")


def _tell(settings: Settings, links: Sequence[str], say: "Callable[[str], None]") -> None:
    if settings.socket is not None:
        say(f"socket {settings.socket}; from another machine: ssh -L 8642:{settings.socket.absolute()} HOST, then open")
    say(links[0])
    for steering in links[1:]:
        say(f"{steering} steers: whoever has this one can stop trials and end experiments")
    if settings.steer and settings.socket is None:
        say(f"Where others have accounts on this machine, use a socket instead: hpo serve --steer --socket {SOCKET}")
    if settings.host not in ("127.0.0.1", "::1", "localhost"):
        say(f"listens on {settings.host}: whoever has this link and reaches this machine can look; it is not encrypted")
    say(f"{'The first only shows' if settings.steer else 'It only shows'}. Ctrl-C ends it; experiments do not notice.")


@contextlib.contextmanager
def _page_that_opens(address: str) -> Iterator[None]:
    """Open a browser on a temporary file that redirects to the address: others can read argument lists."""
    import webbrowser

    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="hpo-serve-") as folder:
        page = Path(folder) / "open.html"
        page.touch(0o600)
        page.write_text(f'<!doctype html><meta http-equiv="refresh" content="0;url={html.escape(address)}">')
        try:
            webbrowser.open(page.as_uri())
        except webbrowser.Error as error:
            log.info("cannot open a browser: %s", error)
        yield
