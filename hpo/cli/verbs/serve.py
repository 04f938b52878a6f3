"""`hpo serve`: experiments in a browser."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from hpo.cli.verbs.app import app


@app.command()
def serve(
    places: Annotated[
        list[str] | None,
        typer.Argument(metavar="DIR|TAG...", help="Directories, or tags under outputs/; all of outputs/ unless given."),
    ] = None,
    port: Annotated[int | None, typer.Option(help="8642 unless given, or the next one that is free.")] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; only with --host-name another than this.")
    ] = "127.0.0.1",
    host_name: Annotated[
        list[str] | None,
        typer.Option("--host-name", metavar="NAME", help="A name by which it may be called; repeatable."),
    ] = None,
    socket: Annotated[
        Path | None, typer.Option(help="A socket of this name instead of a port; ssh -L 8642:SOCKET leads to it.")
    ] = None,
    base_path: Annotated[str, typer.Option("--base-path", metavar="/PATH", help="Serve below this path.")] = "",
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="Keep the link's token here, so that the link stays the same.")
    ] = None,
    steer: Annotated[
        bool, typer.Option("--steer", help="Print a second link, by which running experiments can be steered.")
    ] = False,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser where there is one.")] = True,
) -> None:
    """Show experiments in a browser while they run, and afterwards. It prints the link that opens it, and only looks."""
    from hpo.serve.server import Settings
    from hpo.serve.server import serve as run

    settings = Settings(
        port=port,
        host=host,
        host_names=host_name or (),
        socket=socket,
        base_path=base_path,
        token_file=token_file,
        steer=steer,
        browser=browser,
    )
    try:
        ended_by = run(places or (), settings, typer.echo)
    except KeyboardInterrupt:
        ended_by = signal.SIGINT
    raise typer.Exit(128 + ended_by)
