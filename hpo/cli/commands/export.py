"""`hpo export` and `hpo import`: experiments as one file, as tables, and in the storage formats of other tools."""

import importlib
from pathlib import Path
from typing import Annotated

from hpo.cli.commands.app import Option, Place, Word, say, verb
from hpo.errors import ConfigError
from hpo.results.experiment import load_experiment
from hpo.store.experiment_paths import find_experiments

FORMS = {
    "zip": (".hpo.zip", ""),
    "csv": (".csv", "tables.write_csv"),
    "parquet": (".parquet", "tables.write_parquet"),
    "jsonl": (".jsonl", "tables.write_jsonl"),
    "optuna": (".optuna.db", "optuna_storage.write_optuna"),
    "hparams": ("-tensorboard", "tracker_replay.write_hparams"),
    "mlflow": ("-mlflow", "tracker_replay.write_mlflow"),
    "wandb": ("-wandb", "tracker_replay.write_wandb"),
    "trackio": ("-trackio", "tracker_replay.write_trackio"),
}
"""Export formats: each with the suffix of its default file name and the function that writes it."""


@verb()
def export(
    place: Place,
    to: Annotated[str, Option("Format to write.", metavar="|".join(FORMS))] = "zip",
    output: Annotated[Path | None, Option("Output file; named after the tag or directory if not given.")] = None,
) -> None:
    """Write experiments to one portable file, to a table, or for another tool. Checkpoints are not included."""
    if to not in FORMS:
        raise ConfigError(f"--to {to}: use one of {', '.join(FORMS)}")
    directories = find_experiments(place)
    ending, writer = FORMS[to]
    target = output or Path(_name_of(place) + ending)
    if target.exists():
        raise ConfigError(f"--output {target}: exists; delete it or name another")
    if to == "zip":
        from hpo.exporting.portable import pack

        pack(directories, target)
    else:
        experiments = [load_experiment(directory) for directory in directories]
        target.parent.mkdir(parents=True, exist_ok=True)
        module, _, name = writer.partition(".")
        getattr(importlib.import_module(f"hpo.exporting.{module}"), name)(experiments, target)
    say(f"{len(directories)} experiment(s) written to {target}")


def _name_of(place: str) -> str:
    """Return a file name that identifies the exported experiments: the tag, or the directory's path below outputs/."""
    parts = [part for part in Path(place).parts if part not in ("/", "..", ".")]
    if "outputs" in parts:
        parts = parts[len(parts) - parts[::-1].index("outputs") :] or parts
    return "-".join(parts[-4:]) or "experiments"


@verb("import")
def import_(
    file: Annotated[Path, Word("FILE", "File that `hpo export` wrote.")],
    outputs: Annotated[Path, Option("Folder for the experiments.")] = Path("outputs"),
    largest_gigabytes: Annotated[
        float | None,
        Option("Size limit of the unpacked files in GB; if not given 2, and 100 times the file.", metavar="N"),
    ] = None,
) -> None:
    """Unpack experiments from a file, so that every command works on them. Nothing is overwritten or executed."""
    from hpo.exporting.portable import unpack

    if largest_gigabytes is not None and not 0 < largest_gigabytes < 1e6:
        raise ConfigError(f"--largest-gigabytes {largest_gigabytes:g}: use a number above 0")
    most = None if largest_gigabytes is None else int(largest_gigabytes * 1e9)
    for directory in unpack(file, outputs, most):
        say(f"{directory}: imported")
