"""The scores of an experiment: normalised regret, its mean over log time, ranks, and the time to a target."""

import math
from dataclasses import dataclass

import numpy as np

from hpo.analysis.experiment_selection import Block
from hpo.errors import ConfigError
from hpo.history.trajectories import log_time_mean
from hpo.surrogate.arrays import Floats

SCORES = ("anytime", "final")
SHARE = 0.1
"""Default share of the budget at which the anytime score begins."""


@dataclass(frozen=True, slots=True)
class ScoreScale:
    """The scale on which losses and times of one benchmark become scores.

    Normalised regret is (loss - best) / (reference - best), clipped to [0, 1]: 0 is the best known loss, 1 is no better
    than the reference and is also used for the time before the first result.
    """

    start: float
    """Elapsed seconds at which the anytime score begins. If the benchmark names a cost, all times of this class are costs."""
    end: float
    """Common budget in seconds: the anytime score ends there, and final values are taken there."""
    best: float
    """Loss that has regret 0."""
    best_is: str
    reference: float
    """Loss that has regret 1."""
    reference_is: str

    @property
    def middle(self) -> float:
        """The time half way from `start` to `end` in log time."""
        return math.sqrt(self.start * self.end)

    def regret(self, losses: Floats) -> Floats:
        """Return the normalised regret of losses of any shape; +inf counts as 1."""
        if self.reference <= self.best:
            return np.where(losses <= self.best, 0.0, 1.0)
        finite = np.minimum(losses, self.reference)
        return np.clip((finite - self.best) / (self.reference - self.best), 0.0, 1.0)


@dataclass(frozen=True, eq=False, slots=True)
class BenchmarkScores:
    """Scores of all experiments of one benchmark; arrays have the shape (methods, seeds)."""

    block: Block
    scale: ScoreScale
    anytime: Floats
    """Mean normalised regret over log time from `scale.start` to `scale.end`."""
    final: Floats
    """Normalised regret at `scale.end`."""
    middle: Floats
    early: Floats
    """Normalised regret at `scale.start`."""
    final_loss: Floats
    """Loss of the incumbent at `scale.end`; +inf if there is no result by then."""
    target: float
    """Target loss of `time_to_target`: the median of the baseline's final losses."""
    time_to_target: Floats
    """Elapsed seconds until the target loss is reached; +inf if it is not reached by `scale.end`."""

    def moment(self, value: float, digits: int = 4) -> str:
        """Format a time, or a cost if the benchmark names one, with its unit."""
        return f"{value:.{digits}g} {self.block.cost or 's'}"

    def ranks(self, score: str) -> Floats:
        """Return the rank of each method per seed by a score; 1 is best, ties share the mean of their ranks."""
        from scipy.stats import rankdata

        return np.asarray(rankdata(self.final_loss if score == "final" else self.anytime, method="average", axis=0))

    def differences(self, score: str, first: str, second: str) -> Floats:
        """Return the score of `first` minus that of `second` per seed, shape (seeds,): negative if `first` is better."""
        return self.of(first, score) - self.of(second, score)

    def of(self, method: str, what: str) -> Floats:
        """Return one method's row of an array such as `anytime` or `time_to_target`, shape (seeds,)."""
        return np.asarray(getattr(self, what)[self.block.methods.index(method)])


def score_block(block: Block, baseline: str, start: float | None, end: float | None) -> BenchmarkScores:
    """Compute all scores of one benchmark.

    Args:
        block: Experiments of the benchmark.
        baseline: Method whose trials define the reference loss, and whose final losses define the target.
        start: Elapsed seconds at which the anytime score begins; None: a tenth of `end`.
        end: Common budget in seconds; None: the longest time that all experiments reached.

    Raises:
        ConfigError: Not all experiments reached the budget, or there is no result.
    """
    scale = _scale(block, baseline, *_budgets(block, start, end))
    runs = [[block.runs[method, seed] for seed in block.seeds] for method in block.methods]

    def at(elapsed: float) -> Floats:
        return np.array([[run.trajectory.at(elapsed) for run in row] for row in runs])

    steps = [[run.trajectory.steps(scale.start, scale.end) for run in row] for row in runs]
    final = at(scale.end)
    target = float(np.median(final[block.methods.index(baseline)]))
    times = np.array([[run.trajectory.time_to(target) for run in row] for row in runs])
    times[(times > scale.end) | np.isinf(target)] = np.inf
    return BenchmarkScores(
        block,
        scale,
        anytime=np.array([[log_time_mean(edges, scale.regret(losses)) for edges, losses in row] for row in steps]),
        final=scale.regret(final),
        middle=scale.regret(at(scale.middle)),
        early=scale.regret(at(scale.start)),
        final_loss=final,
        target=target,
        time_to_target=times,
    )


def _budgets(block: Block, start: float | None, end: float | None) -> tuple[float, float]:
    shortest = min(block.runs.values(), key=lambda run: run.end)
    common = min(shortest.end, *(run.limit or math.inf for run in block.runs.values()))
    if block.cost is not None and not common > 0:
        raise ConfigError(
            f"{block.benchmark}: nothing is spent in {shortest.directory} by benchmark.cost_attr={block.cost}, over which "
            "experiments are compared; leave it out"
        )
    if end is None:
        end = common
    elif end > shortest.end:
        raise ConfigError(
            f"metric_budget={end:g}: {shortest.directory} has only {shortest.end:.4g} {block.cost or 's'}; use at most "
            f"{common:.4g}"
        )
    if start is None:
        start = SHARE * end
    if not 0 < start < end:
        raise ConfigError(f"metric_budget={start:g}:{end:g}: begin above 0 and below the end ({block.benchmark})")
    return start, end


def _scale(block: Block, baseline: str, start: float, end: float) -> ScoreScale:
    objective, measure = block.objective, block.loaded[0].measure
    found = [float(run.trajectory.losses[-1]) for run in block.loaded if len(run.trajectory.losses)]
    if not found:
        asked = block.loaded[0].config.objective
        where = [f" where {' and '.join(map(str, asked.constraints))}"] if asked.constraints else []
        below = [" better than benchmark.reference_point"] if measure is not None and measure.given else []
        metrics = " and ".join(aim.metric for aim in asked.aims) or asked.metric
        raise ConfigError(
            f"{block.benchmark}: no experiment has a single finite {metrics}{''.join(below + where)}; there is no result"
        )
    if measure is not None:
        return ScoreScale(
            start, end, 0.0, measure.best_is, 1.0, "a Pareto front with nothing better than the reference point"
        )
    best, best_is = min(found), "the best of all loaded experiments"
    optima = {run.metadata.get("table_optimum") for run in block.loaded}
    if len(optima) == 1 and isinstance(optimum := optima.pop(), int | float):
        loss = objective.loss({objective.metric: optimum})
        if loss <= best:
            best, best_is = loss, "the table's optimum"
        else:
            best_is = "the best of all loaded experiments, better than the table's optimum"
    whose, losses = baseline, np.concatenate([run.trial_losses for run in block.loaded if run.label == baseline])
    if not np.isfinite(losses).any():
        whose, losses = "all methods", np.concatenate([run.trial_losses for run in block.loaded])
    reference = float(np.median(losses[np.isfinite(losses)]))
    reference_is = f"the median over the trials of {whose} of each trial's best"
    return ScoreScale(start, end, best, best_is, reference, reference_is)
