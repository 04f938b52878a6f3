"""The function `hpo.run_experiment`, which runs an experiment from Python, with progress in a terminal or a notebook."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpo.config.reading import to_config
from hpo.config.schema import ExperimentConfig
from hpo.events.callback import Callback
from hpo.experiment import run
from hpo.experiment.run import Outcome
from hpo.watching.notebook import in_notebook
from hpo.watching.plain_lines import say
from hpo.watching.progress import progress_display, summary
from hpo.watching.terminal_warnings import show_warnings


def run_experiment(
    config: ExperimentConfig | Mapping[str, Any],
    output_dir: str | Path,
    *,
    callbacks: Sequence[Callback] = (),
    show: bool | None = None,
) -> Outcome:
    """Run an experiment, or resume it if `output_dir` holds an unfinished one.

    Args:
        config: Configuration from `load_config`, or the content of an experiment.yaml.
        output_dir: The experiment's directory.
        callbacks: Callbacks besides those of the configuration.
        show: Whether to show progress, warnings and a summary on standard output or below the cell; None: in a notebook.

    Raises:
        HPOError: The experiment failed; one sentence says what is wrong and what to do.
        KeyboardInterrupt: Ctrl-C has ended the session in order; the same call resumes. Any other signal that has done so
            is likewise passed on to its previous handler.
    """
    if not isinstance(config, ExperimentConfig):
        config = to_config(config)
    if not (in_notebook() if show is None else show):
        return run.run_experiment(config, output_dir, callbacks=callbacks)
    show_warnings()
    outcome = run.run_experiment(config, output_dir, callbacks=[progress_display(config, Path(output_dir)), *callbacks])
    say(summary(outcome.config, outcome.state, outcome.directory, outcome.reason, outcome.skipped))
    return outcome
