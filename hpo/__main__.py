"""`python -m hpo <overrides>` runs experiments, `python -m hpo <verb> …` looks at them."""

import gc
import io
import os
import signal
import sys

from hpo.errors import HPOError
from hpo.interrupts import remember_interrupts


def main() -> None:
    """Dispatch: a first word without `=` that is no option is a verb."""
    remember_interrupts()
    arguments = sys.argv[1:]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character shows another one
    try:
        if arguments and not arguments[0].startswith(("-", "@")) and "=" not in arguments[0]:
            from hpo import verbs

            code = verbs.main(arguments)
        else:
            gc.disable()  # a tenth of the start-up would go into looking for garbage among modules
            from hpo import cli
            from hpo.overrides import expand

            gc.freeze()
            gc.enable()
            code = cli.main(expand(arguments))
    except HPOError as error:
        sys.stderr.write(f"hpo: error: {error}\n")
        code = 1
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except BrokenPipeError:  # `hpo status … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 128 + signal.SIGPIPE
    sys.exit(code)


if __name__ == "__main__":
    main()
