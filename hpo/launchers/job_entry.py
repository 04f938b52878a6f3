"""The entry point that runs one resolved experiment where a launcher has sent it."""

import logging
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from hpo.config.reading import read_config
from hpo.config.schema import ExperimentConfig
from hpo.errors import HPOError, print_error
from hpo.events.callback import Callback
from hpo.experiment.run import conduct
from hpo.watching.plain_lines import PlainLines, say
from hpo.watching.progress import summary

FAILED = 1


def run(
    config: Path,
    output_dir: Path,
    *,
    callbacks: Callable[[ExperimentConfig], Sequence[Callback]] = lambda _: (),
    on_failure: Callable[[str], None] = lambda _: None,
) -> int:
    """Run the experiment of a resolved experiment.yaml. Returns the exit code.

    Args:
        config: File experiment.yaml.
        output_dir: The experiment's directory.
        callbacks: Makes further callbacks from the configuration.
        on_failure: Called with one sentence that says why the experiment failed.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        experiment = read_config(config)
        outcome = conduct(experiment, output_dir, callbacks=[PlainLines(experiment), *callbacks(experiment)])
    except HPOError as error:
        print_error(error)
        on_failure(str(error))
        return FAILED
    except Exception as error:
        traceback.print_exc()
        on_failure(f"an error in hpo itself: {type(error).__name__}: {error}")
        return FAILED
    say(summary(outcome.config, outcome.state, outcome.directory, outcome.reason, outcome.skipped))
    if outcome.failure is not None:
        print_error(outcome.failure)
        on_failure(outcome.failure)
        return FAILED
    return 128 + outcome.signal if outcome.signal is not None else 0
