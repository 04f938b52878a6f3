"""The check that every hyperparameter matters: each is changed alone, with the same seed, and the metrics are compared."""

from collections.abc import Mapping
from typing import Any

from hpo.backends.single_attempts import Rehearsal, RehearsedAttempt
from hpo.checking.findings import Findings, numbers
from hpo.events.text import configuration_text
from hpo.events.types import Configuration
from hpo.space.domains import Domain

_OTHERS = 3
"""Number of values tried before a hyperparameter is reported to have no effect."""


def check_hyperparameters(rehearsal: Rehearsal, findings: Findings) -> None:
    """Train for one unit of resource with each hyperparameter changed in turn, and warn about those that change nothing."""
    space = rehearsal.config.space
    first = dict(rehearsal.trial().configuration)
    results = [(base, _train(rehearsal, base)) for base in [first, *space.covering_configurations()[1:]]]
    if results[0][1] is None or _train(rehearsal, first) != results[0][1]:
        findings.skip("hyperparameters", "two equal trainings already differ; seed everything with HPO_TRIAL_SEED")
        return
    unused = []
    for name, domain in space.domains.items():
        base, result = next((base, result) for base, result in results if name in base)
        changed = (space.used({**space.defaults, **base, name: value}) for value in others(domain, base[name]))
        if all(_train(rehearsal, one) == result for one in changed):
            unused.append(name)
    if unused:
        one = rehearsal.config.benchmark.named_resource or "report"
        findings.warn(
            "hyperparameters",
            f"{', '.join(unused)}: no other value changes anything in the first {one}; use it in the script, or take it out "
            f"of config_space",
        )
    else:
        findings.ok("hyperparameters", f"each of {', '.join(space.domains)} changes the result")


def check_conditions(rehearsal: Rehearsal, findings: Findings) -> None:
    """Train for one unit of resource with each combination of arguments that conditional hyperparameters lead to."""
    trained = rehearsal.trial().configuration
    configurations = [one for one in rehearsal.config.space.covering_configurations() if one != trained]
    for configuration in configurations:
        attempt = _attempt(rehearsal, configuration)
        if not attempt.reports:
            findings.fail(
                "conditions",
                f"with {configuration_text(configuration)} alone: {attempt.failure or 'it reports nothing'}; make what is "
                "missing there optional in the script, or give its value as `otherwise` in config_space",
            )
            return
    findings.ok("conditions", f"it takes {len(configurations) + 1} combinations of arguments that `when` distinguishes")


def others(domain: Domain, value: Any) -> list[Any]:
    """Return up to three other values of a domain, beginning with its ends."""
    ends = list(domain.values(2)) + list(domain.values(5))
    return [other for i, other in enumerate(ends) if other != value and other not in ends[:i]][:_OTHERS]


def _train(rehearsal: Rehearsal, configuration: Configuration) -> Mapping[str, float] | None:
    """Return the numbers of the first report of a training; None if it fails, which also counts as a change."""
    attempt = _attempt(rehearsal, configuration)
    return numbers(attempt.reports[0].metrics) if attempt.reports else None


def _attempt(rehearsal: Rehearsal, configuration: Configuration) -> RehearsedAttempt:
    until = 1 if rehearsal.config.benchmark.max_resource_attr is not None else None
    return rehearsal.run(rehearsal.trial(configuration), until, stop=lambda _: None if until else 0.0)
