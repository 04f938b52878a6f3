"""T7: a GPU is not used again while NVML lists a process of its last trial; one that never gets free is put aside.

Trials, their grandchildren, and the tuner are real processes. GPUs are pretended: CUDA_VISIBLE_DEVICES names them, and a
`pynvml` on PYTHONPATH lists what processes wrote into a folder. The test plays the driver, which lets go of a process's
memory some time after its end. With real GPUs nothing here is tested: how long a driver takes, which pids it lists in a
container, and that NVML's order of devices is CUDA's, stay to be tried on a machine that has some.
"""

import subprocess
import sys
from collections import Counter

import pytest

from hpo.events.types import Kind
from hpo.results.experiment import load_experiment
from tests.reliability.harness import RUNS, Project
from tests.reliability.pretended_gpus import TRIAL, Driver, pretend

CHANGED = """
import sys
from hpo.backends import gpu_memory
{change}
from hpo.__main__ import main
sys.exit(main())
"""
IMPATIENT = CHANGED.format(change="gpu_memory.PATIENCE = 0.5")
IN_A_CONTAINER = CHANGED.format(change="gpu_memory._sees_all_processes = lambda: False")


def project(folder, *, method, workers, trials, epochs):
    made = Project(
        *(folder, TRIAL),
        **{"workers": workers, "trials": trials, "seconds": 0.05},
        overrides=[f"method={method}", "grace_period_seconds=0.2"],
    )
    benchmark = folder / "conf" / "benchmark" / "truth.yaml"
    text = benchmark.read_text().replace("num_gpus_per_trial: 0", "num_gpus_per_trial: 1")
    benchmark.write_text(text.replace("epochs: 9,", f"epochs: {epochs},").replace(f", truth: {folder}/truth", ""))
    made.directory = folder / "outputs" / "t" / "truth" / method / "seed_0"
    return made


def run(made, program, timeout=120):
    """The project's command, changed; its exit code."""
    command = [sys.executable, "-c", program, "--config-dir", "conf", *made.overrides]
    with (made.folder / "output").open("ab") as log:
        return subprocess.run(command, cwd=made.folder, stdout=log, stderr=log, timeout=timeout, check=False).returncode


def never(trial):
    return None


def at_once(trial):
    return 0.0


def ends_of(experiment):
    return {event.trial: event for event in experiment.events if event.kind == Kind.ENDED}


@pytest.mark.timeout(900)
def test_no_gpu_is_handed_on_while_a_process_of_its_last_trial_is_listed(tmp_path, monkeypatch):
    statuses = Counter()
    for number in range(RUNS or 1):
        made = project(tmp_path / str(number), method="ASHA-STOP", workers=2, trials=6, epochs=4)
        gpus = pretend(monkeypatch, tmp_path, f"gpus{number}", "01", lambda trial: 0.3 + 0.1 * (trial % 4))
        with gpus.at_work() as driver:
            assert (made.finish() if number % 2 else run(made, IN_A_CONTAINER)) == 0, made.output()
        begun = driver.begun()
        assert sorted(trial for trial, _, _ in begun) == list(range(6))
        assert {device for _, device, _ in begun} == {"0", "1"}
        assert [found for _, _, found in begun] == [[]] * 6, f"run {number}"
        assert "quarantine" not in made.output()
        ends = ends_of(load_experiment(made.directory))
        statuses.update(event.body["status"] for event in ends.values())
        late = [trial for (_, trial), when in driver.let_go.items() if when > ends[trial].time]
        assert late, "no memory outlived its trial: nothing was tested"
    assert set(statuses) == {"completed", "stopped"}


@pytest.mark.timeout(900)
def test_a_gpu_that_never_gets_free_is_put_in_quarantine_and_the_others_do_the_rest(tmp_path, monkeypatch):
    for number in range(RUNS or 1):
        made = project(tmp_path / str(number), method="RS", workers=2, trials=5, epochs=1)
        gpus = pretend(monkeypatch, tmp_path, f"gpus{number}", "01", lambda trial: None if trial == 0 else 0.1)
        with gpus.at_work() as driver:
            assert run(made, IMPATIENT) == 0, made.output()
        (stuck,) = [device for trial, device, _ in driver.begun() if trial == 0]
        assert [found for _, _, found in driver.begun()] == [[]] * 5, f"run {number}"
        assert [device for _, device, _ in driver.begun()].count(stuck) == 1
        assert made.output().count(f"GPU {stuck} is in quarantine") == 1
        ends = ends_of(load_experiment(made.directory))
        assert [ends[trial].body["status"] for trial in range(5)] == ["completed"] * 5


@pytest.mark.timeout(300)
def test_when_no_gpu_is_left_one_sentence_says_so_and_the_same_command_goes_on_once_it_is_free(tmp_path, monkeypatch):
    made = project(tmp_path / "p", method="RS", workers=1, trials=2, epochs=1)
    driver = pretend(monkeypatch, tmp_path, "gpus", "0", never)
    with driver.at_work():
        assert run(made, IMPATIENT) == 1, made.output()
    errors = [line for line in made.output().splitlines() if line.startswith("hpo: error: ")]
    assert len(errors) == 1
    assert "num_gpus_per_trial=1" in errors[0]
    assert "GPU 0: processes" in errors[0]
    assert "Traceback" not in made.output()
    assert len(driver.begun()) == 1
    driver.free()
    with Driver(driver.folder, at_once).at_work():
        assert made.finish() == 0, made.output()
    assert [trial for trial, _, _ in driver.begun()] == [0, 1]
    assert load_experiment(made.directory).metadata["status"] == "complete"
