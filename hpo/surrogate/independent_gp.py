"""Independent Gaussian processes, one for each resource, with shared length-scales.

Li et al., "Hyper-Tune: Towards Efficient Hyper-parameter Tuning at Scale" (VLDB 2022), section 4.2: base surrogates, one for
each measurement resource. Means, variances and noise variances are not shared.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpo.randomness import Randomness
from hpo.surrogate.arrays import Floats, Integers
from hpo.surrogate.gp_fit import Layout
from hpo.surrogate.joint_gp import ModelData
from hpo.surrogate.kernel import Inputs
from hpo.surrogate.posterior import Posterior
from hpo.surrogate.training_data import TrainingData


@dataclass(frozen=True, slots=True)
class ResourceModel:
    """The Gaussian process of one resource, with its data.

    Attributes:
        resource: Resource of the model's measurements.
        number: Index of the resource among all that were measured before the fit, including those without a model.
        posterior: Posterior, given targets minus their mean.
        centre: Mean of the targets.
        targets: Targets minus their mean, shape (n,).
    """

    resource: int
    number: int
    posterior: Posterior
    centre: float
    targets: Floats


class IndependentModel(ModelData):
    """A surrogate model of independent Gaussian processes, one for each resource. Arguments as of `ModelData`."""

    def __init__(self, history: TrainingData, randomness: Randomness, most: int) -> None:
        super().__init__(history, randomness, most)
        self._kept: tuple[tuple[int, int], list[ResourceModel]] | None = None  # (last fit, measurements), levels

    def levels(self, fits: Sequence[int]) -> list[ResourceModel]:
        """Return the model of each resource that has measurements, ascending; cached until the next measurement or fit.

        Args:
            fits: Numbers of measurements at which the model is fitted, ascending.

        Raises:
            NumericalError: A covariance matrix could not be factorised.
        """
        moment = fits[-1], len(self.history)
        if self._kept is None or self._kept[0] != moment:
            self._kept = moment, self._levels(fits)
        return self._kept[1]

    def _levels(self, fits: Sequence[int]) -> list[ResourceModel]:
        layout, theta, resources = self.hyperparameters(fits)
        index = self.selection(fits[-1])
        targets = self.targets(len(self.history))[index]
        found = []
        for block, (resource, members) in enumerate(self._blocks(index, resources)):
            if not len(members):
                continue  # none of its measurements was chosen
            inputs = self.history.measured(index[members], resources)
            centre = float(targets[members].mean())
            y = targets[members] - centre
            posterior = Posterior(layout.kernel(theta, block), self.groups, inputs).condition(y)
            found.append(ResourceModel(resource, block, posterior, centre, y))
        return found

    def _blocks(self, index: Integers, resources: Sequence[int]) -> list[tuple[int, Integers]]:
        """Return each resource with the positions in `index` of its measurements."""
        measured = self.history.resources.first(len(self.history))[index]
        return [(resource, np.flatnonzero(measured == resource)) for resource in resources]

    def _layout(self, levels: Sequence[int]) -> Layout:
        return Layout(self.history.encoding.dimension, blocks=len(levels), levels=len(levels))

    def _training_blocks(self, index: Integers, targets: Floats, levels: Sequence[int]) -> list[tuple[Inputs, Floats]]:
        blocks: list[tuple[Inputs, Floats]] = []
        for _, members in self._blocks(index, levels):
            y = targets[members]
            blocks.append((self.history.measured(index[members], levels), y - (y.mean() if len(y) else 0.0)))
        return blocks
