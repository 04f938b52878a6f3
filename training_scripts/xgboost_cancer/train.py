"""Trees boosted by XGBoost on scikit-learn's breast cancer data: what leads early need not lead at the end.

Data:    569 tumours by 30 measurements, benign or malignant, shipped inside scikit-learn (UCI, Breast Cancer Wisconsin,
         Diagnostic). 60 % train, 20 % validate; 20 % are kept for a final test, unused here.
Model:   one tree a round; with `dart` some of the trees so far are left out of each round, which takes ever longer.
Metric:  `logloss` on the validation part (minimise), after each round; `cpu_seconds` of training and validating until then.
Resume:  a run that ended at an earlier `--rounds` goes on from its checkpoint as if it had never stopped.
"""

import argparse
import os
import time
from collections.abc import Sequence

import numpy as np
import xgboost
from sklearn.datasets import load_breast_cancer

from hpo.integrations import library_checkpoint

# ---- Arguments -----------------------------------------------------------------------------------


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """One option per hyperparameter; the defaults make a good run."""
    formatter = argparse.ArgumentDefaultsHelpFormatter
    summary = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=summary, formatter_class=formatter, allow_abbrev=False)
    parser.add_argument("--rounds", type=int, default=81, help="the run ends by itself after this round")
    parser.add_argument("--booster", choices=["gbtree", "dart"], default="gbtree", help="all trees so far, or some")
    parser.add_argument("--eta", type=float, default=0.2, help="by how much a tree counts")
    parser.add_argument("--max_depth", type=int, default=4, help="of a tree")
    parser.add_argument("--subsample", type=float, default=0.5, help="share of the tumours that a tree sees")
    parser.add_argument("--min_child_weight", type=float, default=1.0, help="a leaf is not made for less")
    return parser.parse_args(argv)


# ---- Data ----------------------------------------------------------------------------------------


def split_tumours() -> tuple[xgboost.DMatrix, xgboost.DMatrix]:
    """Training part, validation part; stratified, the same for every seed."""
    values, labels = load_breast_cancer(return_X_y=True)
    is_class = labels[:, None] == np.arange(2)
    rank = is_class.cumsum(axis=0)[is_class] - 1  # tumour i is the rank[i]-th of its class
    parts = (rank % 5 < 3, rank % 5 == 3)  # rank % 5 == 4 is the test part
    train, validation = (xgboost.DMatrix(values[part], labels[part], nthread=1) for part in parts)
    return train, validation


# ---- Training ------------------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> None:
    """Train until `--rounds`, from the checkpoint where there is one."""
    args = parse_args(argv)
    train, validation = split_tumours()
    settings = {
        "objective": "binary:logistic",
        "eval_metric": "logloss",
        "booster": args.booster,
        "tree_method": "exact",  # bins would depend on the round in which they are made
        "eta": args.eta,
        "max_depth": args.max_depth,
        "min_child_weight": args.min_child_weight,
        "subsample": args.subsample,
        "nthread": 1,
        "seed": int(os.environ.get("HPO_TRIAL_SEED", "0")) % 2**31,
        "seed_per_iteration": True,  # randomness is a function of (seed, round) alone: a resumed run needs no generator state
    }
    if args.booster == "dart":
        settings["rate_drop"] = 0.1
    model = xgboost.Booster(settings, [train, validation])
    done, seconds = 0, 0.0
    state = library_checkpoint.resume()
    if state is not None:
        model.load_model(state.path)
        model.set_param(settings)
        done, seconds = state.metrics["round"], state.metrics["cpu_seconds"]

    for number in range(done + 1, args.rounds + 1):
        began = time.process_time()
        model.update(train, number - 1)
        probability = np.clip(model.predict(validation), 1e-6, 1 - 1e-6)  # in single precision, as the loss
        logloss = float(-np.log(np.where(validation.get_label() == 1, probability, 1 - probability)).mean())
        seconds += time.process_time() - began
        metrics = {"round": number, "logloss": logloss, "cpu_seconds": seconds}
        library_checkpoint.save_and_report(f"round-{number}.ubj", model.save_model, metrics)


if __name__ == "__main__":
    main()
