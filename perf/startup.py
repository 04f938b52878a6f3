"""Start-up: `import hpo` in a script, and `python -m hpo` to the first line of the first trial.

    python perf/startup.py [--runs 11]

Each figure is the median over runs of whole processes, and the pairs alternate in one loop, so that a drifting machine
hits both alike.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCRIPT = """import time, os
open(os.environ["FIRST_LINE"], "w").write(repr(time.time()))
import hpo
hpo.report(epoch=1, loss=0.0)
"""
BENCHMARK = """name: first
script: {script}
metric: loss
mode: min
resource_attr: epoch
max_resource_attr: epochs
config_space:
  x: {{type: float, lower: 0.0, upper: 1.0}}
arguments: {{epochs: 1}}
n_workers: 1
max_num_trials: 1
num_gpus_per_trial: 0
preload: {preload}
"""


def seconds(*command: str) -> float:
    """Wall time of one process."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def first_line(folder: Path, preload: str) -> float:
    """Seconds from calling `python -m hpo` to the first line of the first trial."""
    (folder / "conf" / "benchmark").mkdir(parents=True, exist_ok=True)
    script = folder / "train.py"
    script.write_text(SCRIPT)
    (folder / "conf" / "benchmark" / "first.yaml").write_text(BENCHMARK.format(script=script, preload=preload))
    marker = folder / "first_line"
    options = ["--config-dir", str(folder / "conf"), "benchmark=first", "method=RS", "overwrite=true"]
    begin = time.time()
    subprocess.run(
        [sys.executable, "-m", "hpo", *options, "experiment_tag=t"],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=folder,
        env={**os.environ, "FIRST_LINE": str(marker)},
    )
    return float(marker.read_text()) - begin


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=11)
    runs = parser.parse_args().runs
    bare, package, libraries, forked, fresh = [], [], [], [], []
    with tempfile.TemporaryDirectory() as directory:
        for _ in range(runs):
            bare.append(seconds("-c", "pass"))
            package.append(seconds("-c", "import hpo"))
            libraries.append(seconds("-c", "import hydra, scipy"))
            forked.append(first_line(Path(directory), "[]"))
            fresh.append(first_line(Path(directory), "null"))
    median = {name: statistics.median(values) for name, values in locals().items() if isinstance(values, list)}
    print(
        f"import hpo            {1e3 * (median['package'] - median['bare']):.1f} ms over the interpreter's "
        f"{1e3 * median['bare']:.1f} ms"
    )
    print(f"import hydra, scipy   {median['libraries']:.3f} s (with the interpreter)")
    print(f"first trial's line    {median['forked']:.3f} s forked, ratio {median['forked'] / median['libraries']:.2f}")
    print(
        f"                      {median['fresh']:.3f} s fresh interpreter, ratio "
        f"{median['fresh'] / median['libraries']:.2f}"
    )


if __name__ == "__main__":
    main()
