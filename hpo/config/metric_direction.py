"""Does a metric's name say in which direction it is better, and does the mode say otherwise?"""

import re

from hpo.events.objective import Objective

_HIGHER = frozenset(
    {
        *(
            "acc",
            "accuracy",
            "auc",
            "auroc",
            "auprc",
            "aucpr",
            "f1",
            "r2",
            "precision",
            "recall",
            "sensitivity",
            "specificity",
        ),
        *(
            "bleu",
            "rouge",
            "meteor",
            "iou",
            "miou",
            "dice",
            "jaccard",
            "map",
            "ndcg",
            "mrr",
            "mcc",
            "kappa",
            "psnr",
            "ssim",
        ),
        "reward",
    }
)
_LOWER = frozenset(
    {
        *(
            "loss",
            "logloss",
            "mlogloss",
            "merror",
            "error",
            "err",
            "errors",
            "perplexity",
            "ppl",
            "rmse",
            "mse",
            "mae",
            "mape",
            "rmsle",
            "nll",
        ),
        *("bpc", "bpb", "wer", "cer", "fid", "regret", "misclassification"),
    }
)
_TURNED = frozenset(
    {
        *(
            "neg",
            "negative",
            "minus",
            "inverse",
            "inverted",
            "drop",
            "gap",
            "diff",
            "difference",
            "delta",
            "to",
            "until",
        ),
        "per",
    }
)
"""Words that make of a metric another one: neg_loss, acc_drop, epochs_to_acc."""


def doubts(objective: Objective) -> list[str]:
    """The sentences about metrics of which name and direction contradict each other."""
    if not objective.aims:
        found = [doubt(objective.metric, objective.mode)]
    else:
        found = [doubt(a.metric, a.mode, f"benchmark.objectives.{a.metric}={a.mode}") for a in objective.aims]
    return [text for text in found if text is not None]


def doubt(metric: str, mode: str, told: str | None = None) -> str | None:
    """The sentence about a metric whose name and mode contradict each other; None where they do not, or nobody can tell.

    Args:
        metric: its name.
        mode: its direction.
        told: the key that says so, with its value; None: `benchmark.metric` and `benchmark.mode`.
    """
    usual = usual_mode(metric)
    if usual in (None, mode):
        return None
    word = min(_words(metric) & (_HIGHER | _LOWER))
    told = told or f"benchmark.metric={metric}, benchmark.mode={mode}"
    better, sought = ("higher", "lower") if usual == "max" else ("lower", "higher")
    return (
        f"{told}: {better} values of what is called {word!r} are usually better, "
        f"and this looks for {sought} ones; write mode: {usual}, unless that is meant"
    )


def usual_mode(metric: str) -> str | None:
    """The usual direction, as a metric's name says; None where it does not."""
    words = _words(metric)
    higher, lower = words & _HIGHER, words & _LOWER
    if bool(higher) == bool(lower) or words & _TURNED or metric.startswith("1"):
        return None
    return "max" if higher else "min"


def _words(name: str) -> set[str]:
    """In lower case, those that stand between signs, and those that begin with a capital."""
    pieces = re.split(r"[^A-Za-z0-9]+", name)
    parts = [part for piece in pieces for part in re.findall(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*", piece)]
    return {word.lower() for word in (*pieces, *parts)} - {""}
