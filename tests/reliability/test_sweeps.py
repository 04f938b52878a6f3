"""`kill -9` at random moments of a sweep, of its tuner, of the nursery or of a host: the same command, the same decisions."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from hpo.host import process_marks
from hpo.results.experiment import load_experiment
from hpo.store.identity import mark_of
from tests.reliability.harness import RUNS, Project, alive, wait_until
from tests.reliability.test_kill import decisions
from tests.support.marks import or_slow

SEEDS = range(3)
VICTIMS = ("tuner", "nursery", "host")


def children(pid):
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


class Sweep(Project):
    def __init__(self, folder):
        super().__init__(folder, trials=6, overrides=["num_seeds=3", "benchmark.preload=[statistics]"])
        self.directories = [self.directory.with_name(f"seed_{seed}") for seed in SEEDS]

    def processes(self, tuner):
        """Those there are just now, in the order of VICTIMS."""
        nursery = children(tuner)[:1]
        return [tuner, *nursery, *(host for parent in nursery for host in children(parent)[:1])]

    def left_over(self):
        return [
            pid
            for directory in self.directories
            if directory.exists()
            for pid in process_marks.marked(mark_of(directory), whole_experiment=True)
        ]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """(decision logs, number of reports) of the sweep when nobody disturbs it."""
    sweep = Sweep(tmp_path_factory.mktemp("undisturbed"))
    assert sweep.finish() == 0, sweep.output()
    return [decisions(directory) for directory in sweep.directories], len(sweep.truth())


@pytest.mark.timeout(900)
@pytest.mark.parametrize("victim", or_slow(VICTIMS, VICTIMS[:1]))
def test_a_sweep_comes_to_the_same_end_whichever_process_is_killed(tmp_path, undisturbed, victim):
    reference, reports = undisturbed
    rng = random.Random(VICTIMS.index(victim))
    for number in range(RUNS or 2):
        sweep = Sweep(tmp_path / str(number))
        tuner = sweep.start()
        moment = rng.randrange(int(0.9 * reports))
        wait_until(lambda moment=moment, sweep=sweep: len(sweep.truth()) >= moment, 60.0, f"report {moment}")
        time.sleep(0.05 * rng.random())
        found = dict(zip(VICTIMS, sweep.processes(tuner.pid), strict=False))
        if victim in found:
            os.kill(found[victim], signal.SIGKILL)
        code = tuner.wait(120)
        assert code == (-signal.SIGKILL if victim == "tuner" else 0), sweep.output()
        process_marks.wait_gone([*found.values(), *sweep.left_over()], 15.0)
        assert not any(alive(pid) for pid in [*found.values(), *sweep.left_over()])
        assert sweep.finish() == 0, sweep.output()
        for directory, decided in zip(sweep.directories, reference, strict=True):
            experiment = load_experiment(directory)
            assert experiment.metadata["status"] == "complete"
            assert decisions(directory) == decided, f"{directory}, {victim} killed"
        assert "Traceback" not in sweep.output()
