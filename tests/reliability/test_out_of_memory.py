"""A trial that runs out of memory is known as one: by what it says, or because the kernel's killer was there."""

import contextlib
import os
import signal
from pathlib import Path

import pytest

from hpo.backends.failure_cause import oom_kills, ran_out_of_memory
from hpo.events.types import Kind
from hpo.results.experiment import load_experiment
from tests.conftest import succeeded
from tests.reliability.harness import Project

MEMORY = Path("/sys/fs/cgroup/memory")
UNIFIED = Path("/sys/fs/cgroup")

SCRIPT = """
import os, resource, signal, sys
import hpo
arguments = dict(a[2:].split("=", 1) for a in sys.argv[1:])
kind = arguments["kind"]
if kind == "limit":
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    bytearray(4 << 30)
if kind == "gpu":
    raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB (GPU 0; 10.76 GiB total capacity)")
if kind == "kernel":
    with open(os.environ["TEST_CGROUP"], "w") as file:
        file.write(str(os.getpid()))
    hog = b"x" * (256 << 20)
if kind == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if kind == "raised":
    raise ValueError("not a matter of memory")
for epoch in range(1, int(arguments["epochs"]) + 1):
    hpo.report(epoch=epoch, loss=float(arguments["x"]) / epoch)
"""


@contextlib.contextmanager
def small_cgroup():
    """The file to join a group of processes that may use 64 MB."""
    first = MEMORY.is_dir()
    folder = (MEMORY if first else UNIFIED) / f"hpo-test-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / ("memory.limit_in_bytes" if first else "memory.max")).write_text(str(64 << 20))
    except OSError as error:
        pytest.skip(f"this machine lets nobody limit memory: {error}")
    try:
        yield folder / "cgroup.procs"
    finally:
        folder.rmdir()


def run(folder, kinds):
    points = ", ".join(f"{{x: 0.5, kind: {kind}}}" for kind in kinds)
    project = Project(folder, SCRIPT, trials=len(kinds), overrides=["method=RS", "max_failures=100"])
    benchmark = project.folder / "conf" / "benchmark" / "truth.yaml"
    space = "config_space:\n  kind: {type: choice, values: [limit, gpu, kernel, killed, raised, good]}\n"
    text = benchmark.read_text().replace("config_space:\n", space)
    benchmark.write_text(f"{text}points_to_evaluate: [{points}]\n")
    assert project.finish() == 0, project.output()
    return project, load_experiment(project.directory.parent.parent / "RS" / "seed_0")


def out_of_memory(experiment):
    trials = experiment.state.trials
    ends = [event for event in experiment.events if event.kind == Kind.ENDED]
    return {trials[event.trial].trial.configuration["kind"]: event.body for event in ends}


def test_a_trial_that_says_so_is_out_of_memory_and_others_are_not(tmp_path, workplace):
    project, experiment = run(tmp_path / "p", ["good", "limit", "gpu", "killed", "raised"])
    ends = out_of_memory(experiment)
    assert {kind for kind, body in ends.items() if body.get("out_of_memory")} == {"limit", "gpu"}
    assert {body["status"] for kind, body in ends.items() if kind != "good"} == {"failed"}
    assert ends["limit"]["error"].splitlines()[0] == "exit code 1 at train.py:8, out of memory"
    assert ends["limit"]["error"].splitlines()[-1] == "MemoryError"
    assert "4 failed (2 out of memory)" in project.output()
    status = succeeded(workplace.verb("status", str(experiment.directory.absolute())))
    assert "4 failed (2 out of memory)" in status


def test_a_trial_that_the_kernel_killed_is_out_of_memory(tmp_path, monkeypatch):
    with small_cgroup() as join:
        monkeypatch.setenv("TEST_CGROUP", str(join))
        before = oom_kills()
        _, experiment = run(tmp_path / "p", ["good", "kernel", "killed"])
        assert oom_kills() == before + 1, "the kernel killed nobody: nothing was tested"
    ends = out_of_memory(experiment)
    assert ends["kernel"]["signal"] == signal.SIGKILL
    assert ends["kernel"]["error"] == "signal 9, out of memory"
    assert {kind for kind, body in ends.items() if body.get("out_of_memory")} == {"kernel"}


@pytest.mark.parametrize(
    "text",
    [
        "Traceback ...\nMemoryError",
        "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 7.28 TiB",
        "numpy.core._exceptions.MemoryError: Unable to allocate",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
        "torch.cuda.OutOfMemoryError: CUDA out of memory.",
        "RuntimeError: CUDA error: out of memory",
        "torch.OutOfMemoryError: HIP out of memory.",
        "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "RuntimeError: [enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried",
        "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        'Exception in thread "main" java.lang.OutOfMemoryError: Java heap space',
        "fatal error: runtime: out of memory",
    ],
)
def test_last_words_that_mean_out_of_memory(text):
    assert ran_out_of_memory(None, text, oom_kills())


@pytest.mark.parametrize(
    "text",
    ["", "ValueError: memory", "read the page on MemoryError first", "FileNotFoundError: out of memory.txt", "Killed"],
)
def test_last_words_that_mean_something_else(text):
    assert not ran_out_of_memory(signal.SIGKILL, text, oom_kills())
