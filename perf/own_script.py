"""What a newcomer's script costs, side by side: trials of scikit-learn with nothing said of how to start them, and a pool.

    python perf/own_script.py [--trials 30] [--rounds 5]

1. Thirty trials of a scikit-learn script, two workers, no `preload` given, against Optuna, which calls a function in the
   process that it runs in: seconds of whole commands.
2. A script that starts a pool (joblib, `n_jobs=-1`) as the only worker's trial, against the script started by hand: the
   experiment's own clock, which the imports are on, and seconds of the command.

Both ways alternate; each figure is the median over rounds.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import hpo

SKLEARN = """import argparse

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score

import hpo

parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int)
depth = parser.parse_args().depth
X, y = load_digits(return_X_y=True)
forest = RandomForestClassifier(n_estimators=20, max_depth=depth, random_state=0)
hpo.report(accuracy=cross_val_score(forest, X, y, cv=3).mean())
"""
OPTUNA = """import optuna
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score

def objective(trial):
    X, y = load_digits(return_X_y=True)
    depth = trial.suggest_int("depth", 2, 20)
    forest = RandomForestClassifier(n_estimators=20, max_depth=depth, random_state=0)
    return cross_val_score(forest, X, y, cv=3).mean()

study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
study.optimize(objective, n_trials={trials})
"""
POOL = """import joblib
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from sklearn.model_selection import cross_val_score

import hpo

def score(k):
    X, y = load_digits(return_X_y=True)
    return cross_val_score(KNeighborsClassifier(k), X, y, cv=5).mean()

scores = joblib.Parallel(n_jobs=-1)(joblib.delayed(score)(k) for k in range(1, 61))
hpo.report(accuracy=max(scores))
"""
BENCHMARK = """name: own
script: {script}
metric: accuracy
mode: max
config_space:
  depth: {{type: int, lower: 2, upper: 20}}
n_workers: {workers}
max_num_trials: {trials}
num_gpus_per_trial: 0
"""


def run(folder: Path, *command: str) -> float:
    """Wall time of one command."""
    begin = time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([sys.executable, *command], check=True, cwd=folder, **quiet)
    return time.perf_counter() - begin


def tune(folder: Path, text: str, trials: int, workers: int) -> float:
    """Seconds of the command that runs an experiment with a script."""
    script = folder / "train.py"
    script.write_text(text)
    (folder / "conf" / "benchmark").mkdir(parents=True, exist_ok=True)
    benchmark = BENCHMARK.format(script=script, trials=trials, workers=workers)
    (folder / "conf" / "benchmark" / "own.yaml").write_text(benchmark)
    options = ["--config-dir", str(folder / "conf"), "benchmark=own", "method=RS", "experiment_tag=t", "overwrite=true"]
    return run(folder, "-m", "hpo", *options)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    ours, optuna, trial, hand = [], [], [], []
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "study.py").write_text(OPTUNA.format(trials=given.trials))
        (folder / "pool.py").write_text(POOL)
        for _ in range(given.rounds):
            ours.append(tune(folder, SKLEARN, given.trials, 2))
            optuna.append(run(folder, "study.py"))
        for _ in range(given.rounds):
            tune(folder, POOL, 1, 1)
            trial.append(hpo.load_experiment(folder / "outputs/t/own/RS/seed_0").state.elapsed)
            hand.append(run(folder, "pool.py"))
    median = statistics.median
    print(
        f"{given.trials} trials of scikit-learn   {median(ours):.2f} s, Optuna {median(optuna):.2f} s: "
        f"{median(ours) / median(optuna):.2f} x"
    )
    print(
        f"a trial with a pool    {median(trial):.2f} s, by hand {median(hand):.2f} s: {median(trial) / median(hand):.2f} x"
    )


if __name__ == "__main__":
    main()
