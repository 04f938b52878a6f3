"""CPU seconds of commands that a person waits for without anything being run: help, completion, showing a configuration.

    python perf/command_line.py [--runs 7]

Each figure is the median CPU time, user and system, of whole processes; the bare interpreter is measured in the same
loop. Composing is measured inside one process, which has imported Hydra and composed once before.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence

COMMANDS = {
    "the interpreter alone": ("-c", "pass"),
    "hpo --help": ("-m", "hpo", "--help"),
    "hpo status --help": ("-m", "hpo", "status", "--help"),
    'a TAB after "hpo wat"': ("-m", "hpo", "completion", "bash", "--line", "hpo wat"),
    'a TAB after "hpo benchmark="': ("-m", "hpo", "completion", "bash", "--line", "hpo benchmark="),
    'a TAB after "hpo method=ASHA method.sch"': (
        "-m", "hpo", "completion", "bash", "--line", "hpo method=ASHA method.sch"
    ),
    "hpo benchmark=mlp_digits method=ASHA --cfg job": (
        "-m", "hpo", "benchmark=mlp_digits", "method=ASHA", "experiment_tag=t", "--cfg", "job"
    ),
}  # fmt: skip
COMPOSING = """import statistics, sys, time
from hpo.cli.run import compose_jobs
words = ["benchmark=mlp_digits", "method=ASHA", "experiment_tag=t", "seed=0"]
taken = []
for _ in range(8):
    begin = time.process_time()
    compose_jobs(words)
    taken.append(time.process_time() - begin)
sys.stdout.write(f"{taken[0]} {statistics.median(taken[1:])}")
"""


def cpu_seconds(command: Sequence[str]) -> float:
    """CPU time of one process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    measured = [{name: cpu_seconds(command) for name, command in COMMANDS.items()} for _ in range(runs + 1)][1:]
    for name in COMMANDS:
        print(f"{name:50} {statistics.median(run[name] for run in measured):.3f} s")
    printed = subprocess.run([sys.executable, "-c", COMPOSING], check=True, capture_output=True, text=True).stdout
    first, later = map(float, printed.split())
    print(f"{'composing one job, first in a process':50} {first:.3f} s")
    print(f"{'composing one job, later':50} {later:.3f} s")


if __name__ == "__main__":
    main()
