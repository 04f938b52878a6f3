"""A Ray cluster that a launcher makes: it is there, in order, or one sentence says why not."""

import os
import sys
from pathlib import Path

import pytest

from hpo.errors import BackendError
from hpo.host.process_marks import get_mark
from hpo.ray.job_cluster import ClusterPlan, ray_cluster
from tests.support.ray_cluster import why_not

if reason := why_not():
    pytest.skip(reason, allow_module_level=True)

pytestmark = pytest.mark.process


def processes_with(text):
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if text.encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


@pytest.mark.slow
def test_nodes_that_cannot_be_reached_end_the_cluster_with_what_they_said(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "10.9.8.7:6379")
    plan = ClusterPlan(nodes=2, folder=f"/tmp/hpo-t{os.getpid()}", gpus=False)
    seen = []

    def join(command):
        seen.extend(processes_with(plan.folder))
        assert all(get_mark(pid) is not None for pid in seen), "what Ray starts has a mark"
        return [sys.executable, "-c", "import sys; sys.exit('no way there')"]

    with (
        pytest.raises(BackendError, match=r"backend=ray: the job's Ray cluster did not come about .*no way there"),
        ray_cluster(plan, join, tmp_path / "log"),
    ):
        pass
    assert len(seen) > 2
    assert processes_with(plan.folder) == []
    assert not Path(plan.folder).exists()
    assert os.environ["RAY_ADDRESS"] == "10.9.8.7:6379"
