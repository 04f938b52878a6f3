"""Trees boosted by LightGBM on scikit-learn's diabetes data: large trees fit at once and are soon past their best.

Data:    442 patients by 10 measurements, and how far the disease went on in a year; shipped inside scikit-learn (Efron
         et al. 2004, Least Angle Regression). 60 % train, 20 % validate; 20 % are kept for a final test, unused here.
Model:   one tree a round, each from another 70 % of the patients.
Metric:  `rmse` on the validation part (minimise), after each round; `cpu_seconds` of training and validating until then.
Resume:  a run that ended at an earlier `--rounds` goes on from its checkpoint as if it had never stopped.
"""

import argparse
import os
import time
from collections.abc import Sequence
from typing import Any

import lightgbm
import numpy as np
from sklearn.datasets import load_diabetes

from hpo.integrations import library_checkpoint
from hpo.integrations.lightgbm import resume

# ---- Arguments -----------------------------------------------------------------------------------


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """One option per hyperparameter; the defaults make a good run."""
    formatter = argparse.ArgumentDefaultsHelpFormatter
    summary = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=summary, formatter_class=formatter, allow_abbrev=False)
    parser.add_argument("--rounds", type=int, default=81, help="the run ends by itself after this round")
    parser.add_argument("--learning_rate", type=float, default=0.05, help="by how much a tree counts")
    parser.add_argument("--num_leaves", type=int, default=4, help="of a tree")
    return parser.parse_args(argv)


# ---- Data ----------------------------------------------------------------------------------------


def split_patients() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training measurements and outcomes, validation measurements and outcomes; the same for every seed."""
    values, outcomes = load_diabetes(return_X_y=True)
    rank = np.arange(len(outcomes))
    train, validation = rank % 5 < 3, rank % 5 == 3  # rank % 5 == 4 is the test part
    return values[train], outcomes[train], values[validation], outcomes[validation]


# ---- Training ------------------------------------------------------------------------------------


class Sampled:
    """Half the squared error of 70 % of the patients, others in each round: its gradient and its curvature.

    Randomness is a function of (seed, round) alone: a resumed run needs no generator state.
    """

    def __init__(self, seed: int, done: int) -> None:
        self.seed, self.round = seed, done

    def __call__(self, fitted: np.ndarray, data: lightgbm.Dataset) -> tuple[np.ndarray, np.ndarray]:
        """Both of each patient, called once a round."""
        self.round += 1
        seen = (np.random.default_rng([self.seed, self.round]).random(len(fitted)) < 0.7).astype(np.float64)
        return (fitted - data.get_label()) * seen, seen


class Report:
    """After each round: the model is saved, and the error reported in the unit of the outcomes."""

    def __init__(self, spread: float, seconds: float) -> None:
        self.spread, self.seconds, self.began = spread, seconds, time.process_time()

    def __call__(self, env: Any) -> None:
        """What LightGBM calls after a round."""
        self.seconds += time.process_time() - self.began
        rmse = float(np.float32(env.evaluation_result_list[0][2] * self.spread))
        metrics = {"round": env.iteration + 1, "rmse": rmse, "cpu_seconds": self.seconds}
        library_checkpoint.save_and_report(
            f"round-{env.iteration + 1}.txt", lambda path: env.model.save_model(path), metrics
        )
        self.began = time.process_time()


def main(argv: Sequence[str] | None = None) -> None:
    """Train until `--rounds`, from the checkpoint where there is one."""
    args = parse_args(argv)
    values, outcomes, validation_values, validation_outcomes = split_patients()
    centre, spread = outcomes.mean(), outcomes.std()
    known = library_checkpoint.find_checkpoint()
    model, left = resume(args.rounds)
    settings = {
        "objective": Sampled(int(os.environ.get("HPO_TRIAL_SEED", "0")), args.rounds - left),
        "metric": "rmse",
        "learning_rate": args.learning_rate,
        "num_leaves": args.num_leaves,
        "min_data_in_leaf": 5,
        "num_threads": 1,
        "force_row_wise": True,
        "deterministic": True,
        "verbosity": -1,
    }
    train = lightgbm.Dataset(values, (outcomes - centre) / spread, free_raw_data=False)
    validation = train.create_valid(validation_values, (validation_outcomes - centre) / spread)
    report = Report(spread, 0.0 if known is None else known.metrics["cpu_seconds"])
    lightgbm.train(settings, train, left, valid_sets=[validation], init_model=model, callbacks=[report])


if __name__ == "__main__":
    main()
