"""Files about a confirmation: beside its own experiments, and in the directories of the search."""

import json
from typing import Any

from hpo.confirmation.confirm import Confirmation
from hpo.confirmation.text import as_dict
from hpo.results.confirmed import write_note
from hpo.results.experiment import load_experiment
from hpo.results.files import write_best
from hpo.store.atomic_files import write_atomically
from hpo.store.directory import ExperimentDirectory


def write_notes(found: Confirmation) -> dict[str, Any]:
    """Write confirmation.json and, for each experiment of the search, a note and its best.yaml; return the content.

    Raises:
        StoreError: An experiment cannot be read.
    """
    content = as_dict(found)
    write_atomically(found.folder / "confirmation.json", json.dumps(content, indent=1).encode())
    for directory in found.searched:
        files = ExperimentDirectory(directory)
        write_note(files, content)
        write_best(files, load_experiment(directory).state)
    return content
