"""A linear classifier of scikit-learn's handwritten digits, by stochastic gradient descent: `SGDClassifier.partial_fit`.

Data:    1797 grey images of 8x8 pixels in ten classes, shipped inside scikit-learn (UCI, Optical Recognition
         of Handwritten Digits). 60 % train, 20 % validate; 20 % are kept for a final test, unused here.
Model:   ten logistic regressions, one image per step; its error goes up and down where the rate stays large.
Metric:  `error` on the validation part (minimise), after each epoch; `cpu_seconds` of training and validating until then.
Resume:  a run that ended at an earlier `--epochs` goes on from its checkpoint as if it had never stopped.
"""

import argparse
import os
import time
from collections.abc import Sequence

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier

from hpo.integrations import library_checkpoint

# ---- Arguments -----------------------------------------------------------------------------------


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """One option per hyperparameter; the defaults make a good run."""
    formatter = argparse.ArgumentDefaultsHelpFormatter
    summary = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=summary, formatter_class=formatter, allow_abbrev=False)
    parser.add_argument("--epochs", type=int, default=27, help="the run ends by itself after this epoch")
    parser.add_argument("--eta0", type=float, default=0.03, help="learning rate of the first step")
    parser.add_argument("--schedule", choices=["constant", "invscaling"], default="invscaling", help="how it falls")
    parser.add_argument("--alpha", type=float, default=1e-4, help="weight of the penalty")
    parser.add_argument("--penalty", choices=["l2", "l1", "elasticnet"], default="l2", help="on the coefficients")
    return parser.parse_args(argv)


# ---- Data ----------------------------------------------------------------------------------------


def split_digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images and labels, validation images and labels; stratified, the same for every seed."""
    pixels, labels = load_digits(return_X_y=True)
    is_class = labels[:, None] == np.arange(10)
    rank = is_class.cumsum(axis=0)[is_class] - 1  # image i is the rank[i]-th of its class
    train, validation = rank % 5 < 3, rank % 5 == 3  # rank % 5 == 4 is the test part
    return pixels[train] / 16.0, labels[train], pixels[validation] / 16.0, labels[validation]


# ---- Training ------------------------------------------------------------------------------------

LEARNT = ("coef_", "intercept_", "t_")
"""What a classifier goes on from; `t_` counts its steps, by which the rate falls."""


def main(argv: Sequence[str] | None = None) -> None:
    """Train until `--epochs`, from the checkpoint where there is one."""
    args = parse_args(argv)
    seed = int(os.environ.get("HPO_TRIAL_SEED", "0"))
    images, labels, validation_images, validation_labels = split_digits()
    model = SGDClassifier(
        loss="log_loss",
        penalty=args.penalty,
        alpha=args.alpha,
        learning_rate=args.schedule,
        eta0=args.eta0,
        power_t=0.25,
    )
    done, seconds = 0, 0.0
    state = library_checkpoint.resume()
    if state is not None:
        with np.load(state.path, allow_pickle=False) as learnt:
            for name in LEARNT:
                setattr(model, name, learnt[name][()])
        model.classes_ = np.arange(10)
        done, seconds = state.metrics["epoch"], state.metrics["cpu_seconds"]

    for epoch in range(done + 1, args.epochs + 1):
        began = time.process_time()
        # Randomness is a function of (seed, epoch) alone: a resumed run needs no generator state.
        model.set_params(random_state=(seed + 1_000_003 * epoch) % 2**32)
        model.partial_fit(images, labels, classes=np.arange(10))
        error = float(np.mean(model.predict(validation_images) != validation_labels, dtype=np.float32))
        seconds += time.process_time() - began
        library_checkpoint.save_and_report(
            f"epoch-{epoch}.npz",
            lambda path: np.savez(path, **{name: getattr(model, name) for name in LEARNT}),
            {"epoch": epoch, "error": error, "cpu_seconds": seconds},
        )


if __name__ == "__main__":
    main()
