"""Hosts of a sweep: what its experiments preload is imported once, and nothing else is different from hosts of their own."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

import hpo
from hpo.host import process_marks
from hpo.host.host_start import shared_imports, start_host
from hpo.store.identity import mark_of
from tests.conftest import error_of, succeeded
from tests.host.test_host import HostProcess, wait_for_file
from tests.reliability.harness import alive

pytestmark = pytest.mark.process

COUNTED = "import os\nwith open('imports', 'a') as file:\n    file.write(f'{os.getpid()}\\n')\n"


@pytest.fixture
def sweep(workplace):
    """A benchmark that preloads a module which writes down each import of it."""
    workplace.write("counted.py", COUNTED)
    workplace.environment["PYTHONPATH"] = str(workplace.path)
    workplace.benchmark(preload=["counted"])
    return workplace


def imports(workplace):
    return (workplace.path / "imports").read_text().splitlines()


def processes_of(*directories):
    made = [path for path in directories if path.exists()]
    return [pid for path in made for pid in process_marks.marked(mark_of(path), whole_experiment=True)]


def test_the_experiments_of_a_sweep_import_once_what_they_preload(sweep):
    succeeded(sweep.hpo("benchmark=mine", "method=RS,ASHA", "num_seeds=2", "experiment_tag=t"))
    assert len(imports(sweep)) == 1
    for method in ("RS", "ASHA"):
        for seed in (0, 1):
            experiment = hpo.load_experiment(sweep.directory("t", method, seed))
            assert experiment.state.finished
            assert set(experiment.trials["status"]) <= {"completed", "paused"}


def test_a_single_experiment_has_a_host_of_its_own(sweep):
    succeeded(sweep.hpo("benchmark=mine", "method=RS", "experiment_tag=t"))
    succeeded(sweep.hpo("benchmark=mine", "method=RS", "experiment_tag=u"))
    assert len(imports(sweep)) == 2


def test_other_modules_and_another_environment_are_imported_anew(sweep):
    sweep.benchmark("other", preload=["counted", "json"])
    sweep.benchmark("threads", preload=["counted", "json"], n_workers=1)  # OMP_NUM_THREADS differs
    succeeded(sweep.hpo("benchmark=mine,other,threads", "method=RS", "num_seeds=2", "experiment_tag=t"))
    assert len(imports(sweep)) == (3 if len(os.sched_getaffinity(0)) > 1 else 2)


def test_no_experiment_pays_for_the_imports_of_all(sweep):
    sweep.write("counted.py", COUNTED + "import time\ntime.sleep(2)\n")
    succeeded(sweep.hpo("benchmark=mine", "method=RS", "num_seeds=2", "experiment_tag=t"))
    elapsed = [hpo.load_experiment(sweep.directory("t", "RS", seed)).state.elapsed for seed in (0, 1)]
    assert max(elapsed) < 2


def test_a_module_that_cannot_be_imported_is_one_sentence_for_each_experiment(sweep):
    sweep.write("counted.py", COUNTED + "import no_such_module")
    result = sweep.hpo("benchmark=mine", "method=RS", "num_seeds=2", "experiment_tag=t")
    assert result.returncode == 1
    errors = [line for line in result.stderr.splitlines() if "benchmark.preload: counted cannot be imported" in line]
    assert len(errors) == 2
    assert "Traceback" not in result.stderr
    assert len(imports(sweep)) == 1


KILL = """
import os, signal, time
def parent(pid):
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])
victim = os.getppid() if VICTIM == "host" else parent(os.getppid())
once = os.path.join(os.environ["HPO_EXPERIMENT_DIR"], "..", "killed")
if not os.path.exists(once):
    open(once, "w").write(str(victim))
    os.kill(victim, signal.SIGKILL)
    time.sleep(0.2)
import hpo
hpo.report(epoch=1, loss=0.5)
"""


@pytest.mark.parametrize(("victim", "times"), [("nursery", 3), ("host", 1)])
def test_a_sweep_goes_on_without_its_nursery_or_a_host(sweep, victim, times):
    script = sweep.write("kill.py", KILL.replace("VICTIM", repr(victim)))
    sweep.benchmark(preload=["counted"], script=str(script), arguments={}, max_resource_attr=None, n_workers=1)
    succeeded(sweep.hpo("benchmark=mine", "method=RS", "num_seeds=3", "experiment_tag=t"))
    for seed in range(3):
        experiment = hpo.load_experiment(sweep.directory("t", "RS", seed))
        assert experiment.state.finished
        assert list(experiment.trials["status"]) == ["completed"] * 3
    assert len(imports(sweep)) == times
    log = (sweep.directory("t", "RS", 0) / "hpo.log").read_text()
    assert ("the trial host died (exit code unknown)" in log) == (victim == "host")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_the_tuner_ends_neither_nursery_nor_host_nor_trial_is_left(sweep, number):
    script = sweep.write(
        "wait.py", "import os, time\nopen(os.environ['HPO_CHECKPOINT_DIR'] + '/up', 'w').write('x')\ntime.sleep(60)"
    )
    sweep.benchmark(preload=["counted"], script=str(script))
    command = ("benchmark=mine", "method=RS", "num_seeds=2", "experiment_tag=t", "grace_period_seconds=0.2")
    with sweep.start(*command) as tuner:
        wait_for_file(sweep.directory("t", "RS", 0) / "trials/0/checkpoint/up")
        nursery = int(imports(sweep)[0])
        tuner.send_signal(number)
        tuner.communicate(timeout=30)
    assert tuner.returncode in (128 + number, -number)
    process_marks.wait_gone([nursery, *processes_of(sweep.directory("t", "RS", 0))], 10.0)
    assert not alive(nursery)
    assert processes_of(sweep.directory("t", "RS", 0), sweep.directory("t", "RS", 1)) == []


def test_a_tuner_killed_while_the_nursery_imports_leaves_none(sweep):
    sweep.write("counted.py", COUNTED + "import time\ntime.sleep(60)\n")
    with sweep.start("benchmark=mine", "method=RS", "num_seeds=2", "experiment_tag=t") as tuner:
        wait_for_file(sweep.path / "imports")
        tuner.kill()
    process_marks.wait_gone([nursery := int(imports(sweep)[0])], 10.0)
    assert not alive(nursery)


def test_an_import_can_be_interrupted(sweep):
    sweep.write("counted.py", COUNTED + "import time\ntime.sleep(60)\n")
    with sweep.start("benchmark=mine", "method=RS", "num_seeds=2", "experiment_tag=t") as tuner:
        wait_for_file(sweep.path / "imports")
        tuner.send_signal(signal.SIGINT)
        _, errors = tuner.communicate(timeout=30)
    assert tuner.returncode == 130
    assert "Traceback" not in errors
    assert not alive(int(imports(sweep)[0]))


def test_an_import_that_ends_the_process_is_found_by_the_experiments(sweep):
    sweep.write("counted.py", COUNTED + "os._exit(3)\n")
    sweep.benchmark(preload=["counted"], max_num_trials=1, n_workers=1)
    result = sweep.hpo("benchmark=mine", "method=RS", "num_seeds=2", "experiment_tag=t")
    assert result.returncode == 1
    assert result.stderr.count("the trial host died 3 times in a row") >= 2
    assert "Traceback" not in result.stderr


def test_a_forked_host_is_waited_for_and_can_be_signalled(tmp_path):
    with shared_imports():
        host = HostProcess(tmp_path, "json", forked=True)
        host.run("pass")
        begin = time.monotonic()
        with pytest.raises(subprocess.TimeoutExpired):
            host.process.wait(0.2)
        assert time.monotonic() - begin >= 0.2
        host.process.send_signal(signal.SIGKILL)
        for _ in range(2):  # and again, when all is over
            host.process.wait(10.0)
            host.process.send_signal(signal.SIGKILL)
        process_marks.wait_gone(processes_of(tmp_path), 5.0)
        assert processes_of(tmp_path) == []
        host.socket.close()


def test_hosts_of_one_nursery_serve_at_the_same_time_and_end_each_for_itself(tmp_path):
    with shared_imports():
        hosts = []
        for name in "ab":
            (tmp_path / name).mkdir()
            hosts.append(HostProcess(tmp_path / name, "json", forked=True))
        assert len({host.process.pid for host in hosts}) == 2
        assert [host.run("print(1)")[1] for host in hosts] == ["1\n", "1\n"]
        hosts[0].close()
        assert hosts[1].run("print(2)")[1] == "2\n"
        hosts[1].close()


def test_without_anything_to_preload_there_is_no_nursery(tmp_path):
    with shared_imports(), Path(os.devnull).open("ab") as log:
        ours, theirs = socket.socketpair()
        mark = mark_of(tmp_path)
        with theirs:
            made = start_host(mark, 1.0, [], connection=theirs, log_file=log.fileno(), environment=dict(os.environ))
        assert isinstance(made, subprocess.Popen)
        ours.close()
        assert made.wait(10.0) == 0


def test_a_mistake_before_the_first_host_is_still_one_sentence(sweep):
    assert "benchmark.script" in error_of(
        sweep.hpo("benchmark=mine", "method=RS", "benchmark.script=nowhere.py", "experiment_tag=t")
    )
