"""`hpo serve`: a web page about experiments, while they run and afterwards."""

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import click

from hpo.cli.commands.app import Option, Word, say, verb


@verb()
def serve(
    places: Annotated[
        Sequence[str],
        Word("DIR|TAG...", "Directories, or tags under outputs/; all of outputs/ if not given."),
    ] = (),
    port: Annotated[int | None, Option("Port; 8642 or the next free one if not given.")] = None,
    host: Annotated[str, Option("Address to listen on; another one than the default needs --host-name.")] = "127.0.0.1",
    host_name: Annotated[
        Sequence[str],
        Option("Host name under which browsers may open the page; repeatable.", ["--host-name"], metavar="NAME"),
    ] = (),
    socket: Annotated[
        Path | None, Option("Unix socket to listen on instead of a port; reach it by ssh -L 8642:SOCKET.")
    ] = None,
    base_path: Annotated[
        str, Option("URL path below which the page is served.", ["--base-path"], metavar="/PATH")
    ] = "",
    token_file: Annotated[
        Path | None, Option("File that keeps the link's token, so that the link stays the same.", ["--token-file"])
    ] = None,
    steer: Annotated[bool, Option("Also print a link that allows steering running experiments.")] = False,
    browser: Annotated[bool, Option("Open a browser if one is available.", ["--browser/--no-browser"])] = True,
) -> None:
    """Show experiments in a browser, while they run and afterwards. Prints a link to the page, which is read-only."""
    from hpo.serve.server import Settings
    from hpo.serve.server import serve as run

    settings = Settings(
        port=port,
        host=host,
        host_names=host_name,
        socket=socket,
        base_path=base_path,
        token_file=token_file,
        steer=steer,
        browser=browser,
    )
    try:
        ended_by = run(places, settings, say)
    except KeyboardInterrupt:
        ended_by = signal.SIGINT
    raise click.exceptions.Exit(128 + ended_by)
