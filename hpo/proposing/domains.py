"""Domains proposed for arguments, by what their names say and around their defaults."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hpo.proposing.argument_roles import RESOURCE, SEED, is_never_tuned, last_name
from hpo.proposing.arguments import Argument, Unread

Domain = dict[str, Any]

MISSING = "???"
"""OmegaConf's mark for a value that is still to be given."""


@dataclass(frozen=True)
class Proposal:
    """A domain for an argument, and the reason for it."""

    domain: Domain
    why: str
    sure: bool
    """Whether the argument is a hyperparameter by its name. Other proposals are shown as comments only."""


def propose(argument: Argument) -> Proposal | None:
    """Return a domain for an argument; None if it is never tuned, or nothing suggests a domain."""
    if argument.domain is not None:
        return Proposal(argument.domain, "the script's own space", True)
    if is_never_tuned(argument):
        return None
    if argument.choices:
        values = list(argument.choices)
        numeric = all(type(value) in (int, float) for value in values) and values == sorted(values)
        fits = len(values) > 1 and all(isinstance(v, str | int | float) and not isinstance(v, Unread) for v in values)
        return (
            Proposal({"type": "ordinal" if numeric else "choice", "values": values}, "its choices", True)
            if fits
            else None
        )
    if argument.kind == "bool":
        return Proposal({"type": "choice", "values": [True, False]}, "", False)
    if argument.kind == "word":
        return Proposal({"type": "choice", "values": ["true", "false"]}, "", False)
    if argument.kind not in ("int", "float", "number"):
        return None
    default = argument.default if type(argument.default) in (int, float) else None
    name = last_name(argument)
    for pattern, make, usual in _RULES:
        if re.search(pattern, name):
            domain = make(default if default is not None else usual)
            if argument.kind == "number" and domain is not None and "lower" in domain:
                argument = replace(argument, kind=domain["type"])
            why = "" if default is not None else f"no default is known, around {usual}"
            return _fitting(domain, argument, why, sure=default is not None or argument.required)
    if default is None and argument.kind == "number" and argument.required:
        unknown = {"type": "float", "lower": MISSING, "upper": MISSING}
        return Proposal(unknown, "write its range, or give it a value in arguments", True)
    if default is None or default <= 0:
        return None
    argument = replace(argument, kind="float" if argument.kind == "float" else "int")
    return _fitting(_decades(1)(default) if argument.kind == "float" else _whole(default), argument, "", sure=False)


def is_known_name(name: str) -> bool:
    """Whether a name alone says that an argument is a hyperparameter, a seed, or how long a training is."""
    return bool(
        RESOURCE.fullmatch(name) or SEED.search(name) or any(re.search(pattern, name) for pattern, *_ in _RULES)
    )


def _fitting(domain: Domain | None, argument: Argument, why: str, *, sure: bool) -> Proposal | None:
    """Return a proposal with integers for an int and within the parser's bounds; None if at most one value is left."""
    if domain is None:
        return None
    low, high = argument.bounds
    if "values" in domain:
        values = [v for v in domain["values"] if (low is None or v >= low) and (high is None or v <= high)]
        return Proposal({**domain, "values": values}, why, sure) if len(values) > 1 else None
    lower, upper = domain["lower"], domain["upper"]
    lower, upper = lower if low is None else max(lower, low), upper if high is None else min(upper, high)
    if argument.kind == "float" and domain["type"] == "int" and why:
        return None  # nobody knows its scale
    if argument.kind == "int" and domain["type"] == "float":
        if "log" not in domain:
            return None  # by its name it would be a fraction
        lower = max(lower, 1)
    domain, number = {**domain, "type": argument.kind}, int if argument.kind == "int" else float
    return Proposal({**domain, "lower": number(lower), "upper": number(upper)}, why, sure) if lower < upper else None


def _round(value: float) -> float:
    return float(f"{value:.2g}")


def _decades(number: float, *, usual: float | None = None, most: float = math.inf) -> Callable[[float], Domain | None]:
    """Return a rule: a logarithmic range of so many decades to each side of the default, or of `usual` for a default of 0."""

    def make(default: float) -> Domain | None:
        centre = default if default > 0 else usual
        if centre is None:
            return None
        factor = 10.0**number
        return {
            "type": "float",
            "lower": _round(centre / factor),
            "upper": _round(min(centre * factor, max(most, centre))),
            "log": True,
        }

    return make


def _fraction(lower: float, upper: float) -> Callable[[float], Domain]:
    """Return a rule: a linear range between two values, extended to contain the default."""
    return lambda default: {"type": "float", "lower": min(lower, default), "upper": max(upper, default)}


def _near_one(default: float) -> Domain:
    """Return a range that is logarithmic in one minus the value."""
    if default < 0.5:
        return {"type": "float", "lower": min(0.0, default), "upper": 0.99}
    if default >= 1:
        return {"type": "float", "lower": 0.5, "upper": default}
    rest = 1 - default
    return {
        "type": "float",
        "lower": round(1 - min(5 * rest, 1.0), 12),
        "upper": round(1 - rest / 10, 12),
        "reverse_log": True,
    }


def _gamma(default: float) -> Domain | None:
    """Return a range for the decay of a schedule or the discount of rewards; None for a tree's gamma, which has no scale."""
    return None if not 0 < default <= 1 else _near_one(default) if 0.9 <= default < 1 else _fraction(0.1, 1.0)(default)


def _powers(default: float) -> Domain | None:
    """Return the powers of two around the default, two to each side."""
    if default < 1:
        return None
    nearest = round(math.log2(default))
    return {"type": "ordinal", "values": [2**n for n in range(max(nearest - 2, 0), nearest + 3)]}


def _multiples(default: float) -> Domain | None:
    """Return halves and doubles of the default, for sizes that other numbers have to divide."""
    values = [int(default / 4), int(default / 2), int(default), int(default * 2)]
    return {"type": "ordinal", "values": values} if default >= 4 and default % 4 == 0 else _whole(default)


def _few(default: float) -> Domain | None:
    """Return a range of integers from half to double the default."""
    return (
        None if default < 1 else {"type": "int", "lower": max(1, int(default) // 2), "upper": max(2 * int(default), 2)}
    )


def _whole(default: float) -> Domain | None:
    """Return a logarithmic range of integers from a quarter to four times the default."""
    if default < 1:
        return None
    return {"type": "int", "lower": max(1, int(default) // 4), "upper": max(4 * int(default), 2), "log": True}


def _learning_rate(default: float) -> Domain | None:
    """Return a logarithmic range of two decades to each side, above one only if the default is above one."""
    return _decades(2, most=max(1.0, 10 * default) if default >= 1 else 1.0)(default)


def _nothing(default: float) -> None:
    """Propose nothing for a name that depends on other hyperparameters."""


_SCHEDULE = r"(?=.*(decay|schedul|step|gamma|warm|min|final|end|power|factor|mult))"
_WHOSE = "base|init|initial|max|g|d|actor|critic|generator|discriminator|encoder|decoder|backbone|head"
_RULES: list[tuple[str, Callable[[float], Domain | None], float]] = [
    (r"weight_?decay|^wd$", _decades(2, usual=1e-4, most=1.0), 1e-4),
    (r"l1_ratio", _fraction(0.0, 1.0), 0.5),
    (r"^l[12](_|$)|_l[12]$|reg_lambda|reg_alpha|^lamb?da$", _decades(2, usual=1e-2), 1e-2),
    (r"^(lr|learning_rate)_(decay|gamma)(_rate|_factor)?$|^gamma$|_gamma$", _gamma, 0.5),
    (rf"^{_SCHEDULE}.*(lr|learning_rate)", _nothing, 0.0),
    (rf"(^|_)(lr|learning_?rate|learn_rate|eta)(_({_WHOSE}|\d+)|\d+)?$", _learning_rate, 1e-2),
    (r"drop_?out|(^|_)drop(_(rate|prob|path))?$|^p_drop", _fraction(0.0, 0.8), 0.2),
    (r"momentum|(^|_)(beta_?[12]|ema|ema_decay|polyak|gae_lambda)$", _near_one, 0.9),
    (r"label_smoothing|warmup_(ratio|proportion|fraction)|^(mixup|cutmix)(_alpha)?$", _fraction(0.0, 0.3), 0.1),
    (r"subsample|col_?sample|feature_fraction|bagging_fraction|max_features", _fraction(0.4, 1.0), 0.8),
    (r"batch_?size|^bs$|^batch$|_batch$|mini_?batch$|^bsz$", _powers, 32),
    (r"clip|grad_norm", _decades(1), 1.0),
    (r"^(c|cost|alpha|nu)$", _decades(2), 1.0),
    (r"temperature|(ent|entropy|vf|value)_coeff?$", _decades(1), 1.0),
    (r"num_leaves|max_leaf|n_?estimators|(num_|n_?)trees?|n_?neighbors", _whole, 100),
    (
        r"min_samples_split",
        lambda default: {"type": "int", "lower": 2, "upper": max(20, 4 * int(default)), "log": True},
        2,
    ),
    (r"min_(child|data|samples?)_?(weight|in_leaf|leaf)?", _decades(1), 1.0),
    (r"^(n|num|max)?_?(\w+_)?(layers?|depth|blocks)$", _few, 3),
    (r"n?heads?$", _nothing, 0.0),
    (r"(^|_)(emsize|embed\w*|emb|d_model|model_dim|n_embd|hidden_size|d_ff)($|_)", _multiples, 128),
    (r"hidden|units|width|nhid|filters|channels|neurons|(^|_)dim$|kernels", _whole, 128),
]
"""Rules in order: pattern of a name, function from a default to a domain, and the usual value if there is no default."""
