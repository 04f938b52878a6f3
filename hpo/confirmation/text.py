"""A confirmation in words and as JSON."""

import math
from typing import Any

from hpo.confirmation.candidates import DEFAULT
from hpo.confirmation.confirm import Confirmation
from hpo.confirmation.evidence import Interval


def verdict(found: Confirmation) -> str:
    """Return what a confirmation has shown, in a few sentences."""
    if found.chosen is None:
        return "No candidate could be confirmed: every one of them has a training that failed; hpo status says why."
    chosen, mean = found.candidates[found.chosen], found.means[found.chosen]
    assert mean is not None
    seeds = len(found.values[found.chosen])
    sentences = [f"Take {chosen.label}: {found.metric} {_interval(mean)} over {seeds} seeds."]
    if found.ignores_seeds:
        sentences.append(
            "All trainings of a configuration gave the same value: the program does not use its seed (HPO_TRIAL_SEED), so "
            "that nothing is known of the noise of a training."
        )
    if chosen.search_value is not None and found.optimism is not None:
        amount = _number(abs(found.optimism))
        how = f"{amount} too good" if found.optimism > 0 else f"{amount} too bad" if found.optimism < 0 else "right"
        sentences.append(f"The search's {_number(chosen.search_value)} was {how}.")
    unclear = []
    for candidate, contrast in zip(found.candidates, found.contrasts, strict=True):
        if contrast is not None and not contrast.is_clear:
            unclear.append(candidate.label)
        elif contrast is not None and candidate.label == DEFAULT:
            sentences.append(f"It is better than the default by {_interval(contrast.difference)}.")
    if unclear:
        sentences.append(
            f"It is not shown to be better than {', '.join(unclear)}: there, decide by cost or simplicity."
        )
    if found.trained < found.planned:
        share = 1 - found.trained / found.planned
        sentences.append(f"{found.trained} of {found.planned} trainings were enough ({share:.0%} saved).")
    return " ".join(sentences)


def as_text(found: Confirmation) -> str:
    """Return a table of the candidates with the verdict below it."""
    rows = [("candidate", "search", f"{found.metric} (95 % interval)", "seeds", "worse than the chosen by")]
    for k, candidate in enumerate(found.candidates):
        mean, contrast = found.means[k], found.contrasts[k]
        searched = "-" if candidate.search_value is None else _number(candidate.search_value)
        value = "a training failed" if mean is None else _interval(mean)
        worse = (
            "" if contrast is None else f"{_interval(contrast.difference)}{'' if contrast.is_clear else ' (unclear)'}"
        )
        rows.append(
            (candidate.label, searched, value, str(len(found.values[k])), "chosen" if k == found.chosen else worse)
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([f"{found.benchmark} ({found.folder})", *(f"  {line}" for line in lines), "", verdict(found)])


def as_dict(found: Confirmation) -> dict[str, Any]:
    """Return a confirmation as plain values for programs: `candidates`, `chosen`, `optimism`, `verdict`, and more."""
    return {
        "benchmark": found.benchmark,
        "metric": found.metric,
        "candidates": [
            {
                "label": candidate.label,
                "configuration": dict(candidate.configuration),
                "search_value": candidate.search_value,
                "mean": None if mean is None else mean.value,
                "low": None if mean is None else _finite(mean.low),
                "high": None if mean is None else _finite(mean.high),
                "seeds": len(values),
                "values": [_finite(value) for value in values],
            }
            for candidate, mean, values in zip(found.candidates, found.means, found.values, strict=True)
        ],
        "chosen": found.chosen,
        "optimism": found.optimism,
        "trainings": found.trained,
        "trainings_without_stopping": found.planned,
        "verdict": verdict(found),
    }


def _number(value: float) -> str:
    return f"{value:.4g}"


def _interval(interval: Interval) -> str:
    if not math.isfinite(interval.high):
        return _number(interval.value)
    return f"{_number(interval.value)} [{_number(interval.low)}, {_number(interval.high)}]"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
