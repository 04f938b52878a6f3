"""`hpo reproduce`: one trial of an experiment, trained again."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import click

from hpo.cli.commands.app import Option, Place, say, verb
from hpo.errors import ConfigError, harmless
from hpo.events.text import shortened
from hpo.results.experiment import load_experiment
from hpo.results.rows import last_line
from hpo.store.experiment_paths import find_experiments

log = logging.getLogger(__name__)


@verb()
def reproduce(
    place: Place,
    trial: Annotated[str, Option("Id of the trial, or the best one.", metavar="best|ID")] = "best",
    run: Annotated[bool, Option("Run it here and compare its metrics with the stored ones.", ["--run"])] = False,
    output: Annotated[Path | None, Option("New folder in which it is trained.")] = None,
) -> None:
    """Print a trial's exact command and environment, or run it again in a new folder and compare the results."""
    from hpo.checking.reproduction import Reproduction, compare
    from hpo.events.code import changed_files
    from hpo.experiment.code_digests import code_of

    directories = find_experiments(place)
    if len(directories) > 1:
        raise ConfigError(f"{place}: has {len(directories)} experiments; name one of them, such as {directories[0]}")
    experiment = load_experiment(directories[0].absolute())
    config = experiment.config
    name = f"{config.experiment_tag}-{config.benchmark.name}-{config.method.name}-seed_{config.seed}-trial_{trial}"
    folder = (output or Path("reproduced") / name).absolute()
    history = experiment.state.code
    ran = history.last
    if ran and Path(ran["directory"]).is_dir():
        os.chdir(ran["directory"])  # relative paths of the command start here
    reproduction = Reproduction(experiment, trial, folder)
    versions = history.of.get(reproduction.stored.trial.id)
    ran = history.versions[versions[-1]] if versions else ran
    if changed := changed_files(ran, code_of(config.benchmark, experiment.directory, ran) or {}):
        log.warning("%s has changed since trial %d ran", shortened(changed), reproduction.stored.trial.id)
    if not run:
        script = reproduction.script()
        sys.stdout.write(f"{harmless(script) if sys.stdout.isatty() else script}\n")
        return
    stored, again = reproduction.stored, reproduction.run()
    known = stored.all_reports
    common = len(set(known) & set(again.reports))
    first = stored.whole[:-1]
    after = f", which continued from trials {', '.join(str(part.trial.id) for part in first)}" if first else ""
    say(f"trial {stored.trial.id}{after}: {common} of {len(known)} stored reports came again ({reproduction.folder})")
    resource = config.benchmark.named_resource or "report"

    judged = [aim.metric for aim in config.objective.aims] or [config.benchmark.metric]
    differences = compare(known, again.reports)
    for found in sorted(differences, key=lambda difference: difference.name not in judged):
        told = f"equal in all {found.compared}"
        if found.different:
            told = (
                f"differs in {found.different} of {found.compared}, most at {resource} {found.at}: stored "
                f"{found.stored!r}, again {found.again!r}"
            )
        say(f"  {found.name}: {told}")
    if again.exit is not None:
        how = f"exit code {again.exit.exit_code}" if again.exit.signal is None else f"signal {again.exit.signal}"
        say(f"  it failed with {how}: {last_line(again.exit.error) or 'no message'}")
        if stored.error:
            say(f"  as stored: {last_line(stored.error) or 'no message'}")
    equal = common == len(known) and not any(d.different for d in differences if d.name in judged)
    if not equal or (again.exit is not None) != (stored.error is not None):
        raise click.exceptions.Exit(1)
