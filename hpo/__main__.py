"""`hpo <overrides>` runs experiments, `hpo <verb> …` looks at them; `python -m hpo` does the same."""

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
    """Dispatch: a first word without `=` that is no option is a verb."""
    remember_interrupts()
    arguments = sys.argv[1:]
    _open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character shows another one
    try:
        if arguments[:1] == ["--version"]:
            sys.stdout.write(f"hpo {__version__}\n")
            code = 0
        elif arguments == ["--docs"]:
            sys.stdout.write(f"{documentation()}\n")
            code = 0
        else:
            code = _import(arguments)()
        sys.stdout.flush()  # here, where a reader that has ended is known to be no error
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
    """What the arguments ask for, ready to be called."""
    gc.disable()  # a tenth of the start-up would go into looking for garbage among modules
    try:
        if arguments and not arguments[0].startswith(("-", "@")) and "=" not in arguments[0]:
            from hpo.cli.commands.main import main as run_verb

            return lambda: run_verb(arguments)
        from hpo.cli import run as cli
        from hpo.cli.arguments import expand

        return lambda: cli.main(expand(arguments))
    finally:
        gc.freeze()
        gc.enable()


def _open_missing_streams() -> None:
    """Streams that whoever called has closed (`hpo … >&-`) lead nowhere: no file of ours may get their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode)  # noqa: PTH123, SIM115  stays open to the end
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


if __name__ == "__main__":
    main()
