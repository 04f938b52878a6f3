"""Population-based training (Jaderberg et al., "Population Based Training of Neural Networks", 2017).

A population of models is trained together. At regular intervals, members that are behind continue from a copy of a
better member's checkpoint, with slightly changed hyperparameters. The result is a schedule of hyperparameters, not one
configuration.
"""

from collections.abc import Collection, Sequence
from typing import Any

from hpo.errors import ConfigError, did_you_mean
from hpo.events.outcome import ReportOutcome
from hpo.events.types import Configuration, Decision, Resume, Start, Suggestion, Trial
from hpo.randomness import Randomness
from hpo.schedulers.base import OutcomeScheduler, require_max_resource
from hpo.schedulers.capabilities import SchedulerCapabilities
from hpo.schedulers.population import Member, MemberResult, Population
from hpo.searchers.base import Searcher
from hpo.space.perturbation import perturb
from hpo.space.search_space import SearchSpace

PARTS = 20
"""Default number of intervals in a full training."""


class PBT(OutcomeScheduler):
    """Population-based training: members pause at every multiple of the interval and are then continued or replaced.

    A member's fate is decided when a worker is free for it, and once half of the members have reached the same resource;
    only results at equal resource are compared. A member among the last is replaced by a copy of one among the first,
    which is drawn at random. So is a member that failed. All others continue. The member with the least training comes
    first.

    Args:
        searcher: Searcher that proposes the initial configurations.
        max_resource: Resource R at which a member is complete.
        randomness: Source of random numbers for the choice of members to copy and for changes of hyperparameters.
        mutable: Hyperparameters that change during training; the program must be able to resume with new values of them.
        population: Number of members.
        interval: Resource between two comparisons; None for a twentieth of R, at least 1.
        quantile: Fraction of the members that count as the last and as the first, at most 0.5.
        resample: Probability that a changed hyperparameter is drawn again.
        factors: Multipliers of a hyperparameter that is not drawn again, of which one is chosen at random.

    Raises:
        ConfigError: An argument is out of range or missing.
    """

    capabilities = SchedulerCapabilities(pauses=True, copies=True, constraints=True, violations="ranked", box=False)

    def __init__(
        self,
        searcher: Searcher,
        *,
        max_resource: int | None,
        randomness: Randomness,
        mutable: Sequence[str] | None = None,
        population: int = 8,
        interval: int | None = None,
        quantile: float = 0.25,
        resample: float = 0.25,
        factors: Sequence[float] = (0.8, 1.2),
    ) -> None:
        self.maximum = require_max_resource(max_resource)
        super().__init__(searcher, max_resource=max_resource)
        if self.maximum < 2:
            raise ConfigError(
                f"benchmark.max_resource_attr: population-based training compares members on the way, and a training has "
                f"{self.maximum} unit of resource; give it more, or use method=RS"
            )
        self.interval = max(self.maximum // PARTS, 1) if interval is None else interval
        _check("population", population, "a whole number of at least 2", _whole(population) and population >= 2)
        fits = _whole(self.interval) and 1 <= self.interval < self.maximum
        _check("interval", interval, f"a whole number from 1 to {self.maximum - 1}", fits)
        _check("quantile", quantile, "a number above 0, at most 0.5", _number(quantile) and 0 < quantile <= 0.5)
        _check("resample", resample, "a number from 0 to 1", _number(resample) and 0 <= resample <= 1)
        right = isinstance(factors, Sequence) and factors and all(_number(f) and f > 0 and f != 1 for f in factors)
        _check("factors", factors, "positive numbers other than 1, such as [0.8, 1.2]", bool(right))
        self.mutable = _mutable(mutable, searcher.space)
        self.population = Population(population, quantile)
        self._resample, self._factors = resample, factors
        self._randomness = randomness
        self._of_trial: dict[int, Member] = {}
        self._configurations: dict[int, Configuration] = {}
        self._unnumbered: list[Member] = []  # of accepted starts that have no trial id yet

    @property
    def unpausing(self) -> str:
        """Advice to a user whose script saves no checkpoints: random search, since no variant of PBT does without pausing."""
        return 'a method that never pauses trials, such as method="RS"'

    @property
    def sources(self) -> Collection[tuple[int, int]]:
        """Pairs (trial id, resource) of the results that are, or may still be, among the first and so may be copied."""
        return self.population.sources()

    @property
    def over(self) -> str:
        """The reason why no work is left, in words: how many members have completed; the others diverged or were given up."""
        members = self.population.members
        done = sum(member.level == self.maximum for member in members)
        return f"{done} of the {len(members)} members of the population have reached {self.maximum}"

    def propose(self, *, new_trials: bool = True) -> Suggestion | None:
        """Return a new member while the population is incomplete, else resume or replace a waiting one."""
        if new_trials and self.population.member_for_new() is not None:
            configuration = self.searcher.propose()
            if configuration is not None:
                return self.make_start(configuration)
        return next((fate for member in self.population.idle() if (fate := self._fate_of(member)) is not None), None)

    def make_start(self, configuration: Configuration) -> Start:
        """Return the start of a new member that trains up to the first comparison."""
        return Start(configuration, self._after(0))

    def _after(self, level: int) -> int:
        return min(level + self.interval, self.maximum)

    def _fate_of(self, member: Member) -> Suggestion | None:
        """Return a waiting member's continuation or its replacement by a copy; None if that cannot be decided yet."""
        population, level = self.population, member.level
        if not population.is_compared(level):
            return None
        broken = member.lost or population.diverged(member)
        firsts = population.best_at(level, least=1 if broken else 0)
        if not broken and not population.is_among_worst(member):
            return Resume(member.trial_id, self._after(level))
        return self._copy_for(member, firsts) if firsts else None

    def _copy_for(self, member: Member, firsts: Sequence[MemberResult]) -> Start:
        rng = self._randomness.stream(f"pbt-{member.index}", member.copies)
        source = firsts[int(rng.integers(len(firsts)))]
        configuration = dict(self._configurations[source.trial_id])
        for name in self.mutable:
            if name in configuration:
                configuration[name] = perturb(
                    self.searcher.space.domains[name],
                    configuration[name],
                    rng,
                    factors=self._factors,
                    resample=self._resample,
                )
        return Start(
            configuration,
            self._after(member.level),
            source=source.trial_id,
            source_resource=source.resource,
            replaces=member.trial_id,
        )

    def accept(self, suggestion: Suggestion) -> None:
        """Record an accepted suggestion and the member that it belongs to; copies are not reported to the searcher."""
        if isinstance(suggestion, Start) and suggestion.replaces is not None:
            follower = self._of_trial[suggestion.replaces]
            follower.copies += 1
            self._begin(follower)
            return
        super().accept(suggestion)
        if isinstance(suggestion, Start):
            member = self.population.member_for_new()
            assert member is not None
            if member.index == len(self.population.members):
                self.population.members.append(member)
            self._begin(member)

    def _begin(self, member: Member) -> None:
        member.waits = member.lost = False
        self._unnumbered.append(member)

    def _on_resume(self, resume: Resume) -> None:
        self._of_trial[resume.trial_id].waits = False

    def on_start(self, trial: Trial) -> None:
        """Record that a trial has started and now represents its member of the population."""
        member = self._unnumbered.pop(0)
        member.trial_id = trial.id
        self._of_trial[trial.id] = member
        self._configurations[trial.id] = trial.configuration

    def on_outcome(self, trial: Trial, resource: int, outcome: ReportOutcome) -> Decision:
        """Return PAUSE at the next multiple of the interval, STOP at the maximum resource, else CONTINUE."""
        member = self._of_trial[trial.id]
        if resource >= self.maximum:
            self.population.advance(member, self.maximum)
            return Decision.STOP
        if resource < self._after(member.level):
            return Decision.CONTINUE
        member.pausing = MemberResult(outcome.order, trial.id, resource)
        return Decision.PAUSE

    def on_paused(self, trial: Trial) -> None:
        """Add a paused trial's result to the comparison; from now on its checkpoint can be copied."""
        member = self._of_trial[trial.id]
        result, member.pausing = member.pausing, None
        if result is not None:
            self.population.record(member, result.resource // self.interval * self.interval, result)

    def on_complete(self, trial: Trial) -> None:
        """Mark a member for replacement if it ended before the maximum resource or if a user stopped it."""
        self._lose(trial)

    def on_error(self, trial: Trial) -> None:
        """Mark a failed member for replacement."""
        self._lose(trial)

    def _lose(self, trial: Trial) -> None:
        member = self._of_trial[trial.id]
        if member.trial_id == trial.id and member.level < self.maximum and not member.lost:
            self.population.lose(member)


def _mutable(names: Any, space: SearchSpace) -> Sequence[str]:
    """Return the names of the hyperparameters that change during training, checked against the search space."""
    key = "method.scheduler.mutable"
    if not isinstance(names, Sequence) or isinstance(names, str) or not names:
        shown = "null" if names is None else names
        raise ConfigError(
            f"{key}={shown}: list the hyperparameters that the program can change in the middle of a training, such as "
            f"{key}=[{next(iter(space.domains))}] if that is one; population-based training changes no others"
        )
    for name in names:
        if name not in space.domains:
            known = did_you_mean(str(name), list(space.domains), f"; it has {', '.join(space.domains)}")
            raise ConfigError(f"{key}: config_space has no {name} to tune{known}")
        gated = next((one for one, all_of in space.conditions.items() if any(c.gate == name for c in all_of)), None)
        if gated is not None:
            raise ConfigError(
                f"{key}: config_space.{gated}.when depends on {name}, so that changing it would change what there is to "
                f"train; remove {name} there"
            )
    return list(dict.fromkeys(names))


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check(name: str, value: Any, wanted: str, right: bool) -> None:
    if not right:
        raise ConfigError(f"method.scheduler.{name}={value}: use {wanted}")
