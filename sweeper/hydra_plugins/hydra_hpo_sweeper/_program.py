"""How the app that sweeps was started: hpo starts it in the same way for each trial."""

import os
import sys
from pathlib import Path
from typing import Any

from hydra._internal.utils import get_args_parser
from hydra.errors import CompactHydraException

from hpo.store.experiment_paths import from_here


def find_app() -> dict[str, Any]:
    """The keys of a benchmark that name this process's program.

    Raises:
        CompactHydraException: it is no program that can be started again.
    """
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:  # python -m
        return {"command": [sys.executable, "-m", spec.name.removesuffix(".__main__")]}
    file = Path(getattr(main, "__file__", None) or "")
    if not file.is_file():
        raise CompactHydraException(
            "hydra/sweeper=hpo: each trial is the app started anew, and this one has no file; save it, and start it as "
            "`python my_app.py -m …` or `python -m my_app -m …`"
        )
    path = str(from_here(file.absolute()))
    startable = file.suffix == ".py" or os.access(file, os.X_OK)
    return {"script": path} if startable else {"command": [sys.executable, path]}


def find_options() -> list[str]:
    """The options of its command line by which Hydra finds the app's configuration."""
    given = get_args_parser().parse_known_args(sys.argv[1:])[0]
    folder = given.config_dir and str(Path(given.config_dir).absolute())  # a trial may run in a folder of its own
    options = {"--config-path": given.config_path, "--config-name": given.config_name, "--config-dir": folder}
    return [f"{name}={value}" for name, value in options.items() if value is not None]
