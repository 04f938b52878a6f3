"""Pretended GPUs: a `pynvml` that lists what processes wrote into a folder, a trial that does so, and the driver."""

import contextlib
import json
import os
import threading
import time

from tests.reliability.harness import alive

NVML = """
import json, os, types
from pathlib import Path

class NVMLError(Exception):
    pass

def nvmlInit():
    pass

def nvmlDeviceGetHandleByIndex(index):
    return index

def nvmlDeviceGetComputeRunningProcesses(handle):
    found = []
    for path in Path(os.environ["TEST_GPUS"]).glob(f"{handle}-*.json"):
        try:
            found.append(types.SimpleNamespace(pid=json.loads(path.read_text())["pid"], usedGpuMemory=1 << 30))
        except FileNotFoundError:
            pass  # let go of since the folder was read
    return found
"""

TRIAL = """
import json, os, signal, sys, time
import hpo
arguments = dict(a[2:].split("=", 1) for a in sys.argv[1:])
folder, device = os.environ["TEST_GPUS"], os.environ["CUDA_VISIBLE_DEVICES"]
trial = int(os.environ["HPO_TRIAL_ID"])
found = [name for name in os.listdir(folder) if name.startswith(device + "-")]
with open(os.path.join(folder, "begun"), "a") as file:
    file.write(json.dumps([trial, device, found]) + "\\n")

def hold_memory():
    path = os.path.join(folder, f"{device}-{os.getpid()}.json")
    with open(path[:-5] + ".tmp", "w") as file:
        json.dump({"pid": os.getpid(), "trial": trial}, file)
    os.rename(path[:-5] + ".tmp", path)

hold_memory()
reading, writing = os.pipe()
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        hold_memory()
        os.close(writing)
        while True:
            time.sleep(100)
    os._exit(0)
os.close(writing)
os.read(reading, 1)  # ends when all who could write have closed
for epoch in range(1, int(arguments["epochs"]) + 1):
    hpo.report(epoch=epoch, loss=float(arguments["x"]) / epoch)
    time.sleep(float(arguments["seconds"]))
"""


class Driver:
    """Lets go of a process's memory when it has been gone for `linger(trial)` seconds; None: never.

    Does so while it is `at_work`.
    """

    def __init__(self, folder, linger):
        self.folder = folder
        self.linger = linger
        self.let_go = {}  # (device, trial) -> unix time
        self._gone = {}
        self._over = threading.Event()

    def _work(self):
        while not self._over.wait(0.01):
            for path in self.folder.glob("*.json"):
                held = json.loads(path.read_text())
                seconds = self.linger(held["trial"])
                if alive(held["pid"]) or seconds is None:
                    continue
                since = self._gone.setdefault(path.name, time.monotonic())
                if time.monotonic() >= since + seconds:
                    self.let_go[path.name.partition("-")[0], held["trial"]] = time.time()
                    path.unlink()

    def free(self):
        """Let go of all memory, whoever holds it."""
        for path in self.folder.glob("*.json"):
            path.unlink()

    def begun(self):
        """(trial, device, what was listed on it) of every attempt, in the order in which they began."""
        path = self.folder / "begun"
        return [tuple(json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []

    @contextlib.contextmanager
    def at_work(self):
        thread = threading.Thread(target=self._work)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join()


def pretend(monkeypatch, tmp_path, name, devices, linger):
    """A driver, and the environment in which the GPUs 0, 1, … are seen."""
    library = tmp_path / "library"
    library.mkdir(exist_ok=True)
    (library / "pynvml.py").write_text(NVML)
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    monkeypatch.setenv("TEST_GPUS", str(folder))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(devices))
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(library), *(p for p in paths if p not in ("", str(library)))])
    )
    return Driver(folder, linger)
