"""Does every hyperparameter matter? Each is changed alone, with the same seed, and the metric looked at."""

from collections.abc import Mapping
from typing import Any

from hpo.backends.rehearsal import Rehearsal
from hpo.checking.findings import Findings, numbers
from hpo.events.values import Configuration
from hpo.space.domains import Domain

_OTHERS = 3
"""Values tried before a hyperparameter is said to do nothing."""


def check_hyperparameters(rehearsal: Rehearsal, findings: Findings) -> None:
    """Train for one unit of resource with each hyperparameter changed in turn; those that change nothing are a warning."""
    base = dict(rehearsal.trial().configuration)
    first = _train(rehearsal, base)
    if first is None or _train(rehearsal, base) != first:
        findings.skip("hyperparameters", "two equal trainings already differ; seed everything with HPO_TRIAL_SEED")
        return
    unused = [
        name
        for name, domain in rehearsal.config.space.domains.items()
        if all(_train(rehearsal, {**base, name: value}) == first for value in others(domain, base[name]))
    ]
    if unused:
        one = rehearsal.config.benchmark.named_resource or "report"
        findings.warn(
            "hyperparameters",
            f"{', '.join(unused)}: no other value changes anything in the first {one}; use it in the script, or take it out "
            f"of config_space",
        )
    else:
        findings.ok("hyperparameters", f"each of {', '.join(base)} changes the result")


def others(domain: Domain, value: Any) -> list[Any]:
    """Some other values of a domain, the most distant first."""
    ends = list(domain.values(2)) + list(domain.values(5))
    return [other for i, other in enumerate(ends) if other != value and other not in ends[:i]][:_OTHERS]


def _train(rehearsal: Rehearsal, configuration: Configuration) -> Mapping[str, float] | None:
    """What the first unit of resource reports; None where it fails, which is also a change."""
    until = 1 if rehearsal.config.benchmark.max_resource_attr is not None else None
    attempt = rehearsal.run(rehearsal.trial(configuration), until, stop=lambda _: None if until else 0.0)
    return numbers(attempt.reports[0].metrics) if attempt.reports else None
