"""`hpo init`: a benchmark for an existing training program."""

from pathlib import Path
from typing import Annotated

from hpo.cli.commands.app import Option, Word, say, verb


@verb()
def init(
    script: Annotated[Path, Word("SCRIPT", "Your training program.")],
    name: Annotated[str | None, Option("Name of the benchmark; the script's name if not given.")] = None,
    config: Annotated[
        Path | None, Option("The configuration file that the program reads; its keys are proposed.", metavar="FILE")
    ] = None,
    output: Annotated[Path, Option("Your folder of configuration groups.", metavar="DIR")] = Path("conf"),
) -> None:
    """Find out which arguments a program takes, and write a benchmark for it, DIR/benchmark/NAME.yaml, for you to review."""
    import shlex

    from hpo.backends.gpus import visible_gpus
    from hpo.proposing.proposal import write_benchmark

    written = write_benchmark(script=script, name=name, folder=output, gpus=bool(visible_gpus()), config=config)
    say(f"{written.path}: {written.parser}, {written.tuned} proposed to be tuned; review it")
    for key in written.missing:
        say(f"  to complete: {key}")
    say(f"then: hpo check-script --config-dir {shlex.quote(str(output))} benchmark={written.path.stem}")
