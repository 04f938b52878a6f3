"""One private Slurm for all tests of this folder."""

import pytest

from tests.support.slurm.cluster import install, private_slurm
from tests.support.slurm.workplace import Slurm


@pytest.fixture(scope="session")
def cluster():
    reason = install()
    if reason is not None:
        pytest.skip(reason)
    with private_slurm() as started:
        yield started


@pytest.fixture
def place(tmp_path, cluster):
    return Slurm(tmp_path).prepare(cluster)
