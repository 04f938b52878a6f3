"""The identity of an experiment's directory, and the mark that the processes of its trials carry.

Neither the path nor the content of a directory tells it from all others: two containers can have different directories at one
path, and a copied directory has the content of the original. So a random text is kept in the directory, and it counts
together with the inode of its file, which a copy does not have. Network and FUSE file systems may number a file anew each
time that it is looked up; there the path takes the place of the inode.
"""

import os
import secrets
from pathlib import Path

from hpo.host.process_marks import experiment_mark
from hpo.store.atomic_files import write_atomically
from hpo.store.directory import ExperimentDirectory
from hpo.store.event_store import on_network


def mark_of(directory: Path) -> int:
    """Return the mark of the experiment in a directory, which is given an identity if it has none yet.

    The caller holds the experiment's lock where others may open the directory at the same time.

    Raises:
        BackendError: the hard limit that this process lives under leaves no room for marks.
        OSError: the identity can be neither read nor written.
    """
    path = ExperimentDirectory(directory).identity
    if not path.exists():
        write_atomically(path, secrets.token_bytes(16).hex().encode())
    with path.open("rb") as file:
        place = directory.resolve() if on_network(directory) else os.fstat(file.fileno()).st_ino
        return experiment_mark(f"{file.read(64).hex()} {place}")
