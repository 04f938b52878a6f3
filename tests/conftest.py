"""Shared fixtures: a clean environment, a user's own working directory, and `hpo` as a command."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, settings

from tests.support import forking
from tests.support import ray_cluster as ray_cluster_of_tests

SCRIPTS = Path(__file__).parent / "support" / "scripts"
os.environ["OMP_NUM_THREADS"] = "1"  # of the tests' own process, for NumPy and torch: it shares its cores with others
FOREIGN = ("HPO_", "RAY_", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "SYNETUNE_FOLDER", "HYDRA_FULL_ERROR")

if threading.current_thread() is threading.main_thread():
    # A shell has these ignored in what it starts in the background, and so would all that the tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)

settings.register_profile("hpo", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.register_profile("quick", settings.get_profile("hpo"), max_examples=20)  # the suite tries five times as many
settings.load_profile("hpo")
NOT_QUICK = {"process", "long", "slow"}
NOT_QUICK_FOLDERS = {"reliability", "training_scripts"}  # nearly all of their tests, and torch is imported for the rest
STARTING = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.system")
UNMARKED = "this test starts a process: mark it, or its module, with pytest.mark.process, and `--quick` leaves it out"


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true", help="only tests that start no process and are not long")


def start_what_libraries_start():
    """Two libraries ask a program once in a process: where the C library is, and for the cores of the machine."""
    import inotify_simple
    import joblib  # which not every environment of the tests has

    inotify_simple.INotify().close()
    joblib.cpu_count(only_physical_cores=True)


def pytest_configure(config):
    config.running = False
    if config.option.quick:
        settings.load_profile("quick")
        start_what_libraries_start()
        sys.addaudithook(lambda event, _: pytest.fail(UNMARKED) if config.running and event in STARTING else None)


def pytest_ignore_collect(collection_path, config):
    return True if config.option.quick and collection_path.name in NOT_QUICK_FOLDERS else None  # None: ask others


def pytest_collection_modifyitems(config, items):
    if config.option.quick:
        left_out = [item for item in items if not NOT_QUICK.isdisjoint(mark.name for mark in item.iter_markers())]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    item.config.running = True
    try:
        return (yield)
    finally:
        item.config.running = False


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    """No variable of the shell that runs the tests reaches the code under test."""
    for name in list(os.environ):
        if name.startswith(FOREIGN):
            monkeypatch.delenv(name)


@dataclass
class Workplace:
    """A user's working directory with configuration groups of its own in conf/."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)

    def benchmark(self, name: str = "mine", **keys: Any) -> dict[str, Any]:
        """Write conf/benchmark/<name>.yaml: a script that takes milliseconds, changed by `keys`."""
        content: dict[str, Any] = {
            "name": name,
            "script": str(SCRIPTS / "steps.py"),
            "metric": "loss",
            "mode": "min",
            "resource_attr": "epoch",
            "max_resource_attr": "epochs",
            "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
            "arguments": {"epochs": 3},
            "n_workers": 2,
            "max_num_trials": 3,
            "max_wallclock_time": 60,
            "num_gpus_per_trial": 0,
        }
        content = {key: value for key, value in {**content, **keys}.items() if value is not ...}
        self.write(f"conf/benchmark/{name}.yaml", yaml.safe_dump(content, sort_keys=False))
        return content

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        """Write a text file, folders included."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def command(self, *arguments: str) -> list[str]:
        """`hpo` as an argument list, with the user's groups."""
        return [sys.executable, "-m", "hpo", "--config-dir", str(self.path / "conf"), *arguments]

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """Start `hpo` with overrides and do not wait for it."""
        return forking.start(*self.command(*arguments)[3:], cwd=self.path, env=self._given(environment))

    def hpo(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run `hpo` with overrides to its end."""
        return forking.run(*self.command(*arguments)[3:], cwd=self.path, env=self._given(environment))

    def verb(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run `hpo VERB …` to its end."""
        return forking.run(*arguments, cwd=self.path, env=self._given({}))

    def _given(self, environment: dict[str, str]) -> dict[str, str]:
        return {**os.environ, **self.environment, **environment}

    def directory(self, tag: str, method: str = "RS", seed: int = 0, benchmark: str = "mine") -> Path:
        """Where design section 7 puts an experiment."""
        return self.path / "outputs" / tag / benchmark / method / f"seed_{seed}"


@pytest.fixture
def workplace(tmp_path):
    """A user's working directory that has the benchmark `mine`."""
    place = Workplace(tmp_path)
    place.benchmark()
    return place


@pytest.fixture(scope="session")
def complete_once(tmp_path_factory):
    """The outputs of `benchmark=mine method=RS,ASHA experiment_tag=t`, made once."""
    place = Workplace(tmp_path_factory.mktemp("complete"))
    place.benchmark()
    place.benchmark("longer", arguments={"epochs": 9}, max_num_trials=5)
    succeeded(place.hpo("benchmark=mine", "method=RS", "experiment_tag=t"))
    succeeded(place.hpo("benchmark=longer", "method=RS,ASHA", "experiment_tag=l"))
    return place


@pytest.fixture
def complete(complete_once, tmp_path):
    """A working directory of its own: tag t has a complete experiment of `mine`, tag l RS and ASHA of `longer`."""
    shutil.copytree(complete_once.path, tmp_path / "work", symlinks=True)
    return Workplace(tmp_path / "work")


def error_of(result: "subprocess.CompletedProcess[str]") -> str:
    """The one sentence that a failed command says; anything else on standard error is a warning of one line."""
    lines = result.stderr.splitlines()
    errors = [line for line in lines if line.startswith("hpo: error: ")]
    assert len(errors) == 1, f"one line must begin 'hpo: error:'\n{result.stderr}"
    assert all(line.startswith("hpo: ") for line in lines), f"text beside the sentence:\n{result.stderr}"
    assert "Traceback" not in result.stderr
    assert "Traceback" not in result.stdout
    assert result.returncode == 1
    return errors[0].removeprefix("hpo: error: ")


def succeeded(result: "subprocess.CompletedProcess[str]") -> str:
    """Standard output of a command that must have worked."""
    assert result.returncode == 0, f"exit code {result.returncode}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="session")
def ray_cluster():
    """Two nodes with two CPUs and two pretended GPUs each; the head takes no trials."""
    if reason := ray_cluster_of_tests.why_not():
        pytest.skip(reason)
    with ray_cluster_of_tests.RayCluster() as cluster:
        for _ in range(2):
            cluster.add(num_cpus=2, num_gpus=2)
        yield cluster


@pytest.fixture
def ray_environment(ray_cluster, monkeypatch):
    """Lets this process, and those that it starts, into the cluster; returns it."""
    for name, value in ray_cluster.environment.items():
        monkeypatch.setenv(name, value)
    return ray_cluster


@pytest.fixture
def pretended_gpus(tmp_path, monkeypatch):
    """An nvidia-smi on PATH that lists four GPUs; returns the environment that has it."""
    folder = tmp_path / "pretended"
    folder.mkdir()
    program = folder / "nvidia-smi"
    lines = "\n".join(f"GPU {i}: NVIDIA Pretended (UUID: GPU-{i})" for i in range(4))
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{lines}\nEND\n")
    program.chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    return {"PATH": path}
