"""Entry point of the command line: `hpo <overrides>` runs experiments, `hpo <command> …` does everything else."""

import gc
import io
import os
import signal
import sys
from collections.abc import Callable

from hpo import __version__
from hpo.errors import HPOError, documentation, print_error
from hpo.experiment.signals import remember_interrupts


def main() -> None:
    """Run the command line: a first argument that is neither an option nor contains `=` is a command."""
    remember_interrupts()
    arguments = sys.argv[1:]
    _open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # print characters that the terminal's encoding lacks as `?`
    try:
        if arguments[:1] == ["--version"]:
            sys.stdout.write(f"hpo {__version__}\n")
            code = 0
        elif arguments == ["--docs"]:
            sys.stdout.write(f"{documentation()}\n")
            code = 0
        else:
            code = _import(arguments)()
        sys.stdout.flush()  # here, where a closed pipe is handled
    except HPOError as error:
        if os.environ.get("HYDRA_FULL_ERROR"):  # as Hydra's applications do
            import traceback

            traceback.print_exc()
        print_error(error)
        code = 1
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except BrokenPipeError:  # `hpo status … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 128 + signal.SIGPIPE
    sys.exit(code)


def _import(arguments: list[str]) -> Callable[[], int]:
    """Import what the arguments need and return the function to call."""
    gc.disable()  # collecting garbage among modules takes a tenth of the start-up
    try:
        if arguments and not arguments[0].startswith(("-", "@")) and "=" not in arguments[0]:
            from hpo.cli.commands.main import main as run_verb

            return lambda: run_verb(arguments)
        from hpo.cli.help import help_of

        if (text := help_of(arguments)) is not None:
            return lambda: sys.stdout.write(f"{text}\n") and 0
        from hpo.cli import run as cli
        from hpo.cli.arguments import expand

        return lambda: cli.main(expand(arguments))
    finally:
        gc.freeze()
        gc.enable()


def _open_missing_streams() -> None:
    """Open standard streams that the caller closed (`hpo … >&-`) on /dev/null, so that no other file gets their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode)  # noqa: PTH123, SIM115  stays open to the end
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


if __name__ == "__main__":
    main()
