"""CPU time of tuner and host while two trials train without a word.

python perf/idle.py [--seconds 30]
"""

import argparse
import os
import tempfile
import threading
import time
from pathlib import Path

import psutil

import hpo

SCRIPT = """
import argparse, time
import hpo
parser = argparse.ArgumentParser()
parser.add_argument("--x"); parser.add_argument("--epochs", type=int); parser.add_argument("--seconds", type=float)
options = parser.parse_args()
hpo.report(epoch=1, loss=float(options.x))
time.sleep(options.seconds)
hpo.report(epoch=2, loss=float(options.x))
"""


def main() -> None:
    """Print the share of a core."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=30)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory) / "train.py"
        script.write_text(SCRIPT)
        benchmark = {
            "name": "idle",
            "script": str(script),
            "metric": "loss",
            "mode": "min",
            "resource_attr": "epoch",
            "max_resource_attr": "epochs",
            "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
            "arguments": {"epochs": 2, "seconds": seconds + 4},
            "n_workers": 2,
            "max_num_trials": 2,
            "num_gpus_per_trial": 0,
        }
        used: list[float] = []
        threading.Thread(target=watch, args=(seconds, used)).start()
        hpo.run_experiment(hpo.load_config(benchmark, "RS", random_seed=1), Path(directory) / "out")
    tuner, host = used
    print(f"tuner {100 * tuner / seconds:.2f} %, host {100 * host / seconds:.2f} % of a core over {seconds:.0f} s")


def watch(seconds: float, used: list[float]) -> None:
    """Measure both processes from two seconds after the start on, when both trials are silent."""
    time.sleep(2)
    me = psutil.Process(os.getpid())
    host = next(child for child in me.children() if "hpo.host.host" in child.cmdline())
    before = [sum(process.cpu_times()[:2]) for process in (me, host)]
    time.sleep(seconds)
    used += [sum(process.cpu_times()[:2]) - b for process, b in zip((me, host), before, strict=True)]


if __name__ == "__main__":
    main()
