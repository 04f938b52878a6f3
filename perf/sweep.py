"""A sweep of experiments that preload torch: seconds per experiment, in one command and in commands of their own.

    python perf/sweep.py [--seeds 6] [--rounds 3]

The trials of a script that imports torch take no time, so that what is measured is everything around them. Both ways
alternate; each figure is the median over rounds.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCRIPT = """import torch
import hpo
hpo.report(epoch=1, loss=float(torch.zeros(1)))
"""
BENCHMARK = """name: torch
script: {script}
metric: loss
mode: min
resource_attr: epoch
max_resource_attr: epochs
config_space:
  x: {{type: float, lower: 0.0, upper: 1.0}}
arguments: {{epochs: 1}}
n_workers: 1
max_num_trials: 2
num_gpus_per_trial: 0
preload: [torch, torch._dynamo]
"""


def seconds(folder: Path, *overrides: str) -> float:
    """Wall time of one command."""
    command = [sys.executable, "-m", "hpo", "--config-dir", str(folder / "conf"), "benchmark=torch", "method=RS"]
    begin = time.perf_counter()
    subprocess.run(
        [*command, "overwrite=true", *overrides], check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=600
    )
    return time.perf_counter() - begin


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "conf" / "benchmark").mkdir(parents=True)
        (folder / "train.py").write_text(SCRIPT)
        (folder / "conf" / "benchmark" / "torch.yaml").write_text(BENCHMARK.format(script=folder / "train.py"))
        together, apart = [], []
        for _ in range(given.rounds):
            together.append(seconds(folder, f"num_seeds={given.seeds}", "experiment_tag=together"))
            apart.append(sum(seconds(folder, f"seed={seed}", "experiment_tag=apart") for seed in range(given.seeds)))
    one, many = statistics.median(together), statistics.median(apart)
    print(f"{given.seeds} experiments in one command   {one:.1f} s, {one / given.seeds:.2f} s each")
    print(
        f"{given.seeds} commands                     {many:.1f} s, {many / given.seeds:.2f} s each: {many / one:.1f} x"
    )


if __name__ == "__main__":
    main()
