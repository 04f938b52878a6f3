"""Trials on a Ray cluster of this machine beside the same trials without Ray, in one run.

    python -m perf.distributed [--trials 100] [--budget 30] [--slots 10,100,1000] [--only latency,throughput,...]

- latency: from just before the report that gets its trial stopped to the SIGTERM's arrival in the trial, and from the last
  line of a script to the first line of the next trial's
- throughput: 100 trials of one report each on four slots, from the first trial's start to the end
- overhead: wall time over that of the scripts alone, two slots, epochs of 0.2 s, ASHA; Ray Tune's ASHA beside it
- fleet: pretended slots in one process behind the real backend: processor time per report, while all are silent, and memory;
  then the whole tuner with ASHA on them, whose trials take no time
"""

import argparse
import itertools
import json
import os
import queue
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import hpo
from hpo.config.reading import resolve
from hpo.events.types import Exit, Report, Trial
from hpo.ray.backend import RayBackend
from hpo.ray.messages import to_json
from hpo.ray.settings import RaySettings
from hpo.store.directory import ExperimentDirectory
from perf import latency

RAY = {"name": "ray", "address": "local"}
BACKENDS: dict[str, dict[str, Any]] = {"local": {"name": "local"}, "ray": RAY}
SPACE = {"x": {"type": "float", "lower": 0.0, "upper": 1.0}}


def benchmark(script: Path, epochs: int, **keys: Any) -> dict[str, Any]:
    return {
        "name": "distributed",
        "script": str(script),
        "metric": "loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "epochs",
        "config_space": SPACE,
        "arguments": {"epochs": epochs},
        "num_gpus_per_trial": 0,
        **keys,
    }


def compare_latency(trials: int) -> None:
    """As perf/latency.py has it, with one worker on either backend."""
    stop = {
        "name": "STOP",
        "searcher": {"_target_": "hpo.searchers.RandomSearcher", "_partial_": True},
        "scheduler": {"_target_": "perf.latency.StopAtOnce", "_partial_": True},
    }
    for name, backend in BACKENDS.items():
        print(f"backend={name}")
        notes, _ = latency.run(1, trials, "RS", latency.FILE, backend=backend)
        latency.show("next", [b["first"] - a["last"] for a, b in itertools.pairwise(notes)])
        notes, _ = latency.run(2, trials, stop, latency.FILE, backend=backend)
        latency.show("told", [note["told"] - note["before"] for note in notes])


def compare_throughput(trials: int) -> None:
    """Seconds from the first start to the last end."""
    for name, backend in BACKENDS.items():
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "train.py"
            script.write_text("import hpo\nhpo.report(epoch=1, loss=hpo.arguments(x=0.5, epochs=1).x)\n")
            keys = {"n_workers": 4, "max_num_trials": trials, "random_seed": 1, "backend": backend}
            outcome = hpo.run_experiment(hpo.load_config(benchmark(script, 1), "RS", **keys), f"{folder}/out")
            print(f"backend={name:6s} {trials} trials of one report on 4 slots: {outcome.state.elapsed:.2f} s")


def compare_overhead(budget: float) -> None:
    """Wall over script, as perf/overhead.py has it."""
    script = Path(__file__).with_name("stdlib_trial.py")
    for name, backend in BACKENDS.items():
        with tempfile.TemporaryDirectory() as folder:
            arguments = {"epochs": 9, "seconds": 0.2, "torch": 0}
            content = benchmark(script, 9, arguments=arguments, preload=[], n_workers=2, max_wallclock_time=budget)
            config = hpo.load_config(content, "ASHA", random_seed=1, backend=backend)
            state = hpo.run_experiment(config, folder).state
            ratio = state.elapsed / (state.reports * 0.2 / 2)
            print(
                f"backend={name:6s} wall over script {ratio:.4f} ({state.reports} epochs, {len(state.trials)} trials)"
            )

    print(f"Ray Tune's ASHA wall over script {tune_apart(budget)}")


def tune_apart(budget: float) -> str:
    """Ray Tune in a process of its own, which prints much."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "RAY_USAGE_STATS_ENABLED": "0",
            "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
            "RAY_TMPDIR": folder,
        }
        command = [sys.executable, "-m", "perf.distributed", "--tune", folder, "--budget", str(budget)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"cannot be had: {' '.join(done.stderr.split()[-40:])}"
        notes = [line.split() for line in (Path(folder) / "notes").read_text().splitlines()]
        times = [float(when) for what, when in notes if what == "epoch"]
        begin = min(float(when) for what, when in notes if what == "start")
        trials = sum(what == "start" for what, _ in notes)
        return f"{(max(times) - begin) / (len(times) * 0.2 / 2):.4f} ({len(times)} epochs, {trials} trials)"


def run_tune(folder: str, budget: float) -> None:
    """Two trials at a time with Ray Tune's scheduler of the same name; it stops trials and pauses none."""
    import ray
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler

    notes = Path(folder) / "notes"

    def train(config: dict[str, float]) -> None:
        def note(what: str) -> None:
            with notes.open("a") as file:
                file.write(f"{what} {time.time()}\n")

        note("start")
        for epoch in range(1, 10):
            time.sleep(0.2)
            tune.report({"epoch": epoch, "loss": (config["x"] - 0.3) ** 2 + 1 / epoch})
            note("epoch")

    class Over(tune.Stopper):
        """So many seconds after the first report: its own start is not what is compared."""

        begin: float | None = None

        def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
            self.begin = self.begin or time.monotonic()
            return False

        def stop_all(self) -> bool:
            return self.begin is not None and time.monotonic() - self.begin > budget

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    scheduler = ASHAScheduler(time_attr="epoch", max_t=9, grace_period=1, reduction_factor=3)
    tuner = tune.Tuner(
        tune.with_resources(train, {"cpu": 1}),
        param_space={"x": tune.uniform(0.0, 1.0)},
        tune_config=tune.TuneConfig(
            metric="loss", mode="min", num_samples=-1, max_concurrent_trials=2, scheduler=scheduler
        ),
        run_config=tune.RunConfig(storage_path=f"{folder}/results", verbose=0, stop=Over()),
    )
    tuner.fit()


# ---------------------------------------------------------------------- pretended slots


def pretend(descriptor: int) -> None:
    """A driver whose slots report once all are told to stop; `patience` is how often each does."""
    with socket.socket(fileno=descriptor) as connection, connection.makefile("rb") as stream:
        told: queue.SimpleQueue[bytes] = queue.SimpleQueue()

        def write() -> None:  # apart, as in the real one: both sides may have much to say at a time
            while True:
                connection.sendall(told.get())

        threading.Thread(target=write, daemon=True).start()

        def say(**message: Any) -> None:
            told.put(json.dumps(message).encode() + b"\n")

        opening = json.loads(stream.readline())
        say(connected={"nodes": ["pretended"], "ray": "none"})
        for slot in range(opening["slots"]):
            say(up=slot, node=f"node-{slot // 8}", host=f"host-{slot // 8}")
        stopped = []
        for line in stream:
            order = json.loads(line)
            if order["do"] == "close":
                return
            if order["do"] == "stop":
                stopped.append(order)
            if len(stopped) == opening["slots"]:
                for epoch in range(1, int(order["patience"]) + 1):
                    for one in stopped:
                        report = Report(one["trial"], 0, {"epoch": epoch, "loss": 0.5}, 40 * epoch)
                        say(slot=one["slot"], told=[to_json(report)])
                stopped = []
            if order["do"] == "start" and opening["given"]["config"]["method"]["name"] == "ASHA":
                events = _training(order["trial"], order["attempt"], order["until"])
                say(slot=order["slot"], told=[to_json(event) for event in events])


def _training(trial: int, attempt: int, until: int | None) -> list[Report | Exit]:
    """All reports of an attempt at once, of a script that goes on where the last rung was."""
    end = until or 9
    begin = {1: 1, 3: 2, 9: 4}[end]
    loss = (trial * 37 % 101) / 101
    reports = [
        Report(trial, attempt, {"epoch": n, "loss": loss + 1 / n}, 40 * (n - begin + 1)) for n in range(begin, end + 1)
    ]
    return [*reports, Exit(trial, attempt, 0)]


class PretendedRay(RayBackend):
    """The backend, with slots that are pretended."""

    @classmethod
    def open(cls, config: Any, files: ExperimentDirectory, **options: Any) -> "PretendedRay":
        command = (sys.executable, "-m", "perf.distributed", "--pretend")
        return cls(config, files, RaySettings(**options), driver=command)


def measure_tuner(slots: int) -> None:
    """The whole tuner: decisions, commits and files included."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "train.py"
        script.touch()
        backend = {"name": "pretended", "_target_": "perf.distributed.PretendedRay", "address": "none:1"}
        content = benchmark(script, 9, n_workers=slots, max_num_trials=3 * slots)
        config = hpo.load_config(content, "ASHA", random_seed=1, backend=backend, trusted_modules=["perf"])
        begin, wall, memory = _processor_seconds(), time.monotonic(), _memory()
        state = hpo.run_experiment(config, f"{folder}/out").state
        used, took = _processor_seconds() - begin, time.monotonic() - wall
        print(
            f"{slots} slots, {len(state.trials)} trials, {state.reports} reports: {1e3 * used / state.reports:.2f} ms of CPU "
            f"time for each, {state.reports / took:.0f} reports/s, {(_memory() - memory) / 2**20:.0f} MB"
        )


def measure_fleet(slots: int, silence: float) -> None:
    """Processor time of this process, which is the tuner's, per report and while all are silent."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "train.py"
        script.touch()
        content = benchmark(script, 100, n_workers=slots)
        config = resolve(hpo.load_config(content, "RS", random_seed=1, backend={"name": "ray", "address": "none:1"}))
        files = ExperimentDirectory(Path(folder))
        command = (sys.executable, "-m", "perf.distributed", "--pretend")
        memory = _memory()
        backend = RayBackend(config, files, RaySettings(address="none:1"), driver=command)
        while backend.capacity != slots:
            backend.wait(10.0)
        for trial in range(slots):
            backend.start(Trial(trial, {"x": 0.5}), 0, None)
        begin, wall = _processor_seconds(), time.monotonic()
        while (left := wall + silence - time.monotonic()) > 0:
            backend.wait(left)
        print(f"{slots} slots, all silent for {silence:g} s: {(_processor_seconds() - begin) / silence:.2%} of a core")
        begin, heard = _processor_seconds(), 0
        for trial in range(slots):
            backend.stop(trial, patience=10)
        while heard < 10 * slots:
            heard += sum(isinstance(event, Report | Exit) for event in backend.wait(10.0))
        used = (_processor_seconds() - begin) / heard
        more = (_memory() - memory) / 2**20
        print(
            f"{slots} slots, {heard} reports: {1e3 * used:.3f} ms of processor time for each, orders included; {more:.1f} MB"
        )
        backend.close()


def _memory() -> int:
    """Bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--budget", type=float, default=30)
    parser.add_argument("--slots", default="10,100,1000")
    parser.add_argument("--silence", type=float, default=60)
    parser.add_argument("--only", default="latency,throughput,overhead,fleet")
    parser.add_argument("--pretend", type=int)
    parser.add_argument("--tune")
    options = parser.parse_args()
    if options.pretend is not None:
        pretend(options.pretend)
        return
    if options.tune is not None:
        run_tune(options.tune, options.budget)
        return
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")
    wanted = options.only.split(",")
    if "fleet" in wanted:
        for slots in options.slots.split(","):
            measure_fleet(int(slots), options.silence)
            measure_tuner(int(slots))
    if "latency" in wanted:
        compare_latency(options.trials)
    if "throughput" in wanted:
        compare_throughput(options.trials)
    if "overhead" in wanted:
        compare_overhead(options.budget)


if __name__ == "__main__":
    main()
