"""What `hpo.tune` costs a function, side by side with an Optuna study of the same function.

    python perf/function.py [--trials 20] [--epochs 15]

The function sleeps 0.2 s per epoch; random search, two workers. Printed are the seconds from `import hpo` to the first report
and, for both, the wall time over the ideal one, which is that of the sleeping alone.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

EPOCH = 0.2
HPO = """import time
began = time.time()
import hpo

def objective(config, report):
    import time
    for epoch in range({epochs}):
        time.sleep({epoch})
        report(loss=config["x"], at=time.time())

if __name__ == "__main__":
    outcome = hpo.tune(
        objective, {{"x": {{"type": "float", "lower": 0.0, "upper": 1.0}}}}, metric="loss", mode="min", method="RS",
        max_num_trials={trials}, n_workers=2, show=False, experiment_tag="t",
    )
    reports = hpo.load_experiment(outcome.directory).reports
    print(reports["at"].min() - {epoch} - began, outcome.state.elapsed)
"""
OPTUNA = """import time
import optuna

optuna.logging.set_verbosity(optuna.logging.WARNING)

def objective(trial):
    x = trial.suggest_float("x", 0.0, 1.0)
    for epoch in range({epochs}):
        time.sleep({epoch})
        trial.report(x, epoch)
    return x

study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
began = time.time()
study.optimize(objective, n_trials={trials}, n_jobs=2)
print(0.0, time.time() - began)
"""


def measure(source: str, folder: Path, **keys: float) -> tuple[float, float]:
    """What a script prints: seconds to the first report, seconds of all trials."""
    script = folder / "script.py"
    script.write_text(source.format(epoch=EPOCH, **keys))
    done = subprocess.run([sys.executable, "script.py"], cwd=folder, capture_output=True, text=True, check=True)
    first, wall = map(float, done.stdout.split())
    return first, wall


def main() -> None:
    """Measure both in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=15)
    given = parser.parse_args()
    ideal = given.trials / 2 * given.epochs * EPOCH
    for name, source in (("hpo.tune", HPO), ("Optuna, n_jobs=2", OPTUNA)):
        with tempfile.TemporaryDirectory() as folder:
            first, wall = measure(source, Path(folder), trials=given.trials, epochs=given.epochs)
        start = f"first report {first:.2f} s after `import hpo`; " if first else ""
        print(f"{name}: {start}{wall:.2f} s of {ideal:.2f} s ideal, {wall / ideal:.3f}")


if __name__ == "__main__":
    main()
