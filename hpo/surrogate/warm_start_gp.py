"""A surrogate model that also learns from earlier experiments, as long as they rank this experiment's results correctly."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hpo.randomness import Randomness
from hpo.surrogate.arrays import Floats, Integers
from hpo.surrogate.earlier_data import EarlierData, agreement, earlier_targets
from hpo.surrogate.joint_gp import JointGP
from hpo.surrogate.kernel import Inputs, Kernel
from hpo.surrogate.posterior import Posterior
from hpo.surrogate.training_data import TrainingData

NOISIER = 4.0
"""Factor on the noise variance of an earlier measurement; squared if a hyperparameter not tuned now had another value."""

ENOUGH = 5
"""Number of this experiment's measurements at one resource from which an earlier experiment is judged."""

MOST_JUDGED = 100
"""Maximum number of measurements, the latest ones, by which an earlier experiment is judged."""


@dataclass(frozen=True)
class _Source:
    """The measurements of an earlier experiment as model data, starting with the trials that trained longest."""

    x: Floats
    resources: Integers
    targets: Floats
    uncertain: Integers
    """1 for a measurement in which a hyperparameter that is not tuned now had another value than it has now, else 0."""


class WarmStartGP(JointGP):
    """A joint surrogate model whose data start with measurements of earlier experiments.

    Hyperparameters are fitted to this experiment's measurements alone. At each fit, a posterior is computed from each
    earlier experiment by itself. The experiment is left out until the next fit if this posterior ranks the results in the
    wrong order, at the resource with most of them. Otherwise its targets are shifted by the posterior's mean error over
    all measurements here.

    Args:
        history: Measurements and pending trials of this experiment.
        randomness: Source of random subsets of the data.
        most: Maximum number of measurements in the model; earlier ones are at most half of them.
        sources: Measurements of earlier experiments.
        exact: Whether to model a smooth function with little noise, as in `ModelData`.
    """

    def __init__(
        self,
        history: TrainingData,
        randomness: Randomness,
        most: int,
        sources: Sequence[EarlierData],
        *,
        exact: bool = False,
    ) -> None:
        super().__init__(history, randomness, most, exact=exact)
        self._sources = [_source_of(history, data) for data in sources if data.losses]

    def _with_earlier(
        self, kernel: Kernel, own: Inputs, levels: Sequence[int], fit: int
    ) -> tuple[Kernel, Inputs, Floats]:
        kernel = replace(kernel, noise=np.concatenate([kernel.noise * NOISIER**power for power in range(3)]))
        room = min(self._most // 2, self._most - len(own)) // max(len(self._sources), 1)
        blocks = [self._judged(source, kernel, levels, fit, room) for source in self._sources] if room > 0 else []
        used = [block for block in blocks if block is not None]
        inputs = own
        for block, _ in reversed(used):
            inputs = block.joined(inputs)
        return kernel, inputs, np.concatenate([np.zeros(0), *(targets for _, targets in used)])

    def _judged(
        self, source: _Source, kernel: Kernel, levels: Sequence[int], fit: int, room: int
    ) -> tuple[Inputs, Floats] | None:
        """Return the inputs and shifted targets of an earlier experiment; None if it ranks the results here wrongly."""
        inputs = self.history.inputs(source.x[:room], source.resources[:room], levels)
        inputs = replace(inputs, level=inputs.level + len(levels) * (1 + source.uncertain[:room]))
        targets = source.targets[:room]
        where = self.history.measured(np.arange(fit), levels)
        predicted = Posterior(kernel, self.groups, inputs).condition(targets).mean(where)[:, 0]
        measured, resources = self.targets(fit), self.history.resources.first(fit)
        most = max(levels, key=lambda level: (np.count_nonzero(resources == level), level))
        here = np.flatnonzero(resources == most)[-MOST_JUDGED:]
        if len(here) >= ENOUGH and agreement(predicted[here], measured[here]) < 0:
            return None
        return inputs, targets + float((measured - predicted).mean())


def _source_of(history: TrainingData, data: EarlierData) -> _Source:
    trials, resources = np.array(data.trials, dtype=np.intp), np.array(data.resources, dtype=np.intp)
    targets = earlier_targets(np.array(data.losses, dtype=np.float64), resources, trials)
    order = np.argsort(-np.bincount(trials)[trials], kind="stable")
    x = history.encoding.encode(data.configurations)[trials]
    uncertain = 1 - np.array(data.certain, dtype=np.intp)
    return _Source(x[order], resources[order], targets[order], uncertain[order])
