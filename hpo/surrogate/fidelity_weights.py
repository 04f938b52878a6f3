"""Weights of the models of all resources, by how well they rank results at the highest resource (Hyper-Tune).

Li et al., "Hyper-Tune" (VLDB 2022), section 4.1: the weight of a model is the probability that it ranks the
measurements at the highest resource best, estimated from joint posterior samples. The highest resource's own model is
judged by cross-validation.
"""

from collections.abc import Sequence

import numpy as np

from hpo.surrogate.arrays import Floats
from hpo.surrogate.gp_fit import factorise
from hpo.surrogate.independent_gp import ResourceModel
from hpo.surrogate.kernel import Inputs
from hpo.surrogate.posterior import Posterior

SAMPLES = 50
LEAST = 6
"""Number of measurements that a resource must have to count as the highest one."""
MOST = 60
"""Maximum number of measurements at the highest resource, the latest ones, that models are judged by."""
NEGLIGIBLE = 0.01
"""Weight up to which a model is dropped."""
FOLDS = 5


def ranking_weights(levels: Sequence[ResourceModel], rng: np.random.Generator) -> list[float]:
    """Return the weight of the model at each level; the weights sum to 1.

    Args:
        levels: Models of the resources, ascending.
        rng: Random number generator for posterior samples.
    """
    supported = [index for index, level in enumerate(levels) if len(level.targets) >= LEAST]
    if not supported or supported[-1] == 0:
        return [1.0, *[0.0] * (len(levels) - 1)]
    top = supported[-1]
    highest = levels[top]
    kept = np.arange(len(highest.targets))[-MOST:]
    inputs, truth = highest.posterior.inputs.take(kept), highest.targets[kept]
    losses = [discordance(_samples(level.posterior, inputs, rng), truth) for level in levels[:top]]
    losses.append(_cross_validated(highest.posterior, inputs, truth, rng))
    stacked = np.array(losses)
    best = stacked == stacked.min(axis=0)
    weights = best.sum(axis=1) / best.sum()
    weights[weights <= NEGLIGIBLE] = 0.0
    weights /= weights.sum()
    return [*weights.tolist(), *[0.0] * (len(levels) - top - 1)]


def discordance(samples: Floats, truth: Floats) -> Floats:
    """Return the fraction of pairs that each sample orders differently than `truth`, shape (samples,).

    Args:
        samples: Sampled values, shape (n, samples).
        truth: Measured values, shape (n,).
    """
    first, second = np.triu_indices(len(truth), 1)
    if not len(first):
        return np.zeros(samples.shape[1])
    predicted = samples[first] < samples[second]
    shares: Floats = (predicted != (truth[first] < truth[second])[:, None]).mean(axis=0)
    return shares


def _samples(posterior: Posterior, where: Inputs, rng: np.random.Generator) -> Floats:
    """Draw joint posterior samples at inputs, shape (n, SAMPLES)."""
    mean, covariance = posterior.joint(where)
    factor = factorise(covariance, f"the joint covariance of {len(where)} predictions is not positive definite")
    return mean[:, :1] + factor @ rng.standard_normal((len(where), SAMPLES))


def _cross_validated(posterior: Posterior, inputs: Inputs, truth: Floats, rng: np.random.Generator) -> Floats:
    """Return the cross-validated discordance of the highest resource's own model, averaged over folds, shape (SAMPLES,)."""
    n = len(truth)
    folds = max(min(n // 2, FOLDS), 2)
    total = np.zeros(SAMPLES)
    for fold in range(folds):
        held = np.arange(n) % folds == fold
        rest = np.flatnonzero(~held)
        model = Posterior(posterior.kernel, posterior.groups, inputs.take(rest)).condition(truth[rest])
        total += discordance(_samples(model, inputs.take(np.flatnonzero(held)), rng), truth[held])
    return total / folds
