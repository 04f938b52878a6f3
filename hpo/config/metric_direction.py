"""The usual direction of a metric, guessed from its name, and warnings if the configured mode contradicts it."""

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
"""Words that reverse or change the meaning of a metric's name: neg_loss, acc_drop, epochs_to_acc."""


def doubts(objective: Objective) -> list[str]:
    """Return a warning for each metric of an objective whose name contradicts its direction."""
    if not objective.aims:
        found = [doubt(objective.metric, objective.mode)]
    else:
        found = [doubt(a.metric, a.mode, f"benchmark.objectives.{a.metric}={a.mode}") for a in objective.aims]
    return [text for text in found if text is not None]


def doubt(metric: str, mode: str, told: str | None = None) -> str | None:
    """Return a warning if a metric's name contradicts its mode; None if they agree or the name says nothing.

    Args:
        metric: Name of the metric.
        mode: Its configured direction, `min` or `max`.
        told: Key and value that configure it, for the message; None stands for `benchmark.metric` and `benchmark.mode`.
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
    """Return the usual direction (`min` or `max`) of a metric with this name; None if the name does not tell."""
    words = _words(metric)
    higher, lower = words & _HIGHER, words & _LOWER
    if bool(higher) == bool(lower) or words & _TURNED or metric.startswith("1"):
        return None
    return "max" if higher else "min"


def _words(name: str) -> set[str]:
    """Split a metric's name into lower-case words, at punctuation and at capital letters."""
    pieces = re.split(r"[^A-Za-z0-9]+", name)
    parts = [part for piece in pieces for part in re.findall(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*", piece)]
    return {word.lower() for word in (*pieces, *parts)} - {""}
