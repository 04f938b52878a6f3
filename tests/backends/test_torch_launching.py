"""Trials of several processes: real ones, which exchange tensors by gloo."""

import os
import sys
import time

import pytest

from hpo.backends.torch_launching import without_launcher_variables
from hpo.results.experiment import load_experiment
from tests.conftest import succeeded

pytestmark = pytest.mark.process

SCRIPT = """
import argparse, os, signal, time
import torch, torch.distributed as dist
import hpo
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
parser.add_argument("--epochs", type=int)
parser.add_argument("--fail", default="")
a = parser.parse_args()
dist.init_process_group("gloo")
rank = dist.get_rank()
state = hpo.checkpoint.load()
first = 1 if state is None else state["epoch"] + 1
weight = torch.zeros(1) if state is None else state["weight"]
for epoch in range(first, a.epochs + 1):
    weight = weight + a.x * (rank + 1)
    dist.all_reduce(weight)
    if rank == 1 and a.fail == "raise":
        raise RuntimeError("boom of rank 1")
    if rank == 1 and a.fail == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    hpo.checkpoint.save({"epoch": epoch, "weight": weight})
    hpo.report(epoch=epoch, loss=weight.item(), rank=rank, world=dist.get_world_size(), port=os.environ["MASTER_PORT"])
    dist.barrier()
    if a.fail:
        time.sleep(60)
dist.destroy_process_group()
"""


@pytest.fixture
def gloo(workplace):
    pytest.importorskip("torch")

    def made(**keys):
        workplace.write("train.py", SCRIPT)
        workplace.benchmark(
            "gloo", **{"script": "train.py", "processes_per_trial": 2, "max_wallclock_time": 120, **keys}
        )
        return workplace

    return made


def expected(x, epochs):
    weight = [0.0, 0.0]
    for _ in range(epochs):
        weight = [sum(w + x * (rank + 1) for rank, w in enumerate(weight))] * 2
    return weight[0]


def test_rank_0_alone_reports_and_a_paused_trial_resumes_in_all_ranks(gloo):
    place = gloo(max_num_trials=4)
    succeeded(
        place.hpo("benchmark=gloo", "method=ASHA", "experiment_tag=t", "random_seed=1", MASTER_PORT="1", RANK="5")
    )
    experiment = load_experiment(place.directory("t", "ASHA", benchmark="gloo"))
    reports = experiment.reports
    assert set(reports["rank"]) == {0}
    assert set(reports["world"]) == {2}
    assert "1" not in set(reports["port"])
    assert not reports.duplicated(["trial_id", "epoch"]).any()
    assert reports["epoch"].max() == 3
    for row in reports.itertuples():
        assert row.loss == pytest.approx(
            expected(experiment.state.trials[row.trial_id].trial.configuration["x"], row.epoch), rel=1e-5
        )


def test_a_command_is_told_the_number_of_processes(gloo):
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node={processes}",
        "train.py",
    ]
    place = gloo(script=..., command=[*command[:-1], str(gloo().path / "train.py")], max_num_trials=1)
    succeeded(place.hpo("benchmark=gloo", "method=RS", "experiment_tag=t"))
    assert set(load_experiment(place.directory("t", benchmark="gloo")).reports["world"]) == {2}


@pytest.mark.parametrize(("how", "words"), [("raise", "boom of rank 1"), ("kill", "rank 1")])
def test_a_rank_that_dies_ends_its_trial_with_its_own_last_lines(gloo, how, words):
    place = gloo(max_num_trials=1, arguments={"epochs": 3, "fail": how})
    begin = time.monotonic()
    place.hpo("benchmark=gloo", "method=RS", "experiment_tag=t")
    assert time.monotonic() - begin < 40
    (error,) = [
        event.body["error"]
        for event in load_experiment(place.directory("t", benchmark="gloo")).events
        if event.body.get("error")
    ]
    assert words in error.splitlines()[-1]
    assert "ChildFailedError" not in error


def test_variables_of_another_training_are_left_out():
    assert without_launcher_variables({"MASTER_PORT": "1", "RANK": "0", "HOME": "/"}) == {"HOME": "/"}
    assert without_launcher_variables(os.environ).keys() <= os.environ.keys()
