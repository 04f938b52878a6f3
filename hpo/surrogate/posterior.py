"""The posterior of a Gaussian process with fixed hyperparameters: predictions, appended data, samples of pending results."""

from collections.abc import Callable

import numpy as np

from hpo.surrogate.arrays import Floats, Integers
from hpo.surrogate.gp_fit import factorise
from hpo.surrogate.kernel import ROOT5, Inputs, Kernel


class Posterior:
    """The posterior of a Gaussian process given noisy targets at some inputs.

    The factorisation depends on the inputs alone, so that new targets cost O(n²).

    Args:
        kernel: Covariance function and noise variances.
        groups: Index of the length-scale of each column of x.
        inputs: Inputs at which targets are known, n of them.

    Raises:
        NumericalError: The covariance matrix of the inputs cannot be factorised.
    """

    def __init__(self, kernel: Kernel, groups: Integers, inputs: Inputs) -> None:
        self.kernel, self.groups, self.inputs = kernel, groups, inputs
        self._places = kernel.place(inputs, groups)
        covariance = kernel.covariance(self._places, self._places)
        covariance[np.diag_indices_from(covariance)] += kernel.noise[inputs.level]
        wrong = f"the covariance of {len(inputs)} measurements is not positive definite"
        self._factor = factorise(covariance, wrong) if len(inputs) else covariance
        # Targets = Cholesky factor @ `_whitened` @ `_mixture` (None: identity), so that any number of fantasies
        # needs only a few columns.
        self._whitened: Floats = np.zeros((len(inputs), 1))
        self._mixture: Floats | None = None
        self._solved: Floats | None = None  # cache of `_weights`

    def __len__(self) -> int:
        return len(self.inputs)

    def extend(self, more: Inputs) -> "Posterior":
        """Return a posterior with m more inputs, whose targets are yet to be set; costs O(n² m) instead of O((n + m)³).

        Raises:
            NumericalError: The covariance of the new inputs cannot be factorised.
        """
        if not len(more):
            return self
        n, m = len(self), len(more)
        places = self.kernel.place(more, self.groups)
        cross = self._solve(self.kernel.covariance(places, self._places).T, overwrite=True)
        block = self.kernel.covariance(places, places) - cross.T @ cross
        block[np.diag_indices_from(block)] += self.kernel.noise[more.level]
        corner = factorise(block, f"{m} measurements cannot be added to the {n} known ones")
        result = Posterior.__new__(Posterior)
        result.kernel, result.groups, result.inputs = self.kernel, self.groups, self.inputs.joined(more)
        result._places = self.kernel.place(result.inputs, self.groups)
        factor = np.empty((n + m, n + m), order="F")
        factor[:n, :n] = self._factor
        factor[:n, n:] = 0.0
        factor[n:, :n] = cross.T
        factor[n:, n:] = corner
        result._factor = factor
        result._whitened, result._mixture, result._solved = np.zeros((n + m, 1)), None, None
        return result

    def condition(self, targets: Floats) -> "Posterior":
        """Set the targets, shape (n,), or (n, s) for s alternative sets, and return the same object."""
        self._whitened, self._mixture, self._solved = self._solve(targets.reshape(len(self), -1)), None, None
        return self

    def mean(self, where: Inputs) -> Floats:
        """Return posterior means, shape (m, s), for each of the s sets of targets."""
        return self._mixed(self._cross(where) @ self._weights)

    def means_of_known(self) -> Floats:
        """Return posterior means at the known inputs: the targets minus what noise explains; faster than `mean`."""
        noise = np.einsum("ij,ij->i", self._factor, self._factor) - self.kernel.variance  # jitter included
        return self._mixed(self._factor @ self._whitened - noise[:, None] * self._weights)

    def predict(self, where: Inputs) -> tuple[Floats, Floats]:
        """Return posterior means, shape (m, s), and standard deviations of noise-free values, shape (m,)."""
        solved = self._solve(self._cross(where).T, overwrite=True).T
        variance = self.kernel.variance - np.einsum("ij,ij->i", solved, solved)
        return self._mixed(solved @ self._whitened), np.sqrt(np.maximum(variance, 1e-12))

    def predict_with_gradient(self, where: Inputs) -> tuple[Floats, Floats, Callable[[Floats, Floats], Floats]]:
        """Return means and standard deviations as `predict` does, and a function that carries gradients back to the inputs.

        The function takes gradients by means and by standard deviations, in their shapes, and returns the gradient by x.
        """
        places = self.kernel.place(where, self.groups)
        solved = self._solve(self.kernel.covariance(places, self._places).T, overwrite=True)
        deviation = np.sqrt(np.maximum(self.kernel.variance - np.einsum("ij,ij->j", solved, solved), 1e-12))
        weights = self._mixed(self._weights)

        def by_inputs(by_mean: Floats, by_deviation: Floats) -> Floats:
            by_covariance = by_mean @ weights.T
            by_covariance -= (by_deviation / deviation)[:, None] * self._solve(solved, transposed=True).T
            by_covariance *= self.kernel.slopes(places, self._places)
            moved = by_covariance.sum(axis=1)[:, None] * places.x - by_covariance @ self._places.x
            scaled: Floats = moved * (ROOT5 / self.kernel.lengths)[self.groups]
            return scaled

        return self._mixed(solved.T @ self._whitened), deviation, by_inputs

    def joint(self, where: Inputs) -> tuple[Floats, Floats]:
        """Return posterior means, shape (m, s), and the joint covariance of noise-free values, shape (m, m)."""
        places = self.kernel.place(where, self.groups)
        solved = self._solve(self.kernel.covariance(places, self._places).T, overwrite=True).T
        return self._mixed(solved @ self._whitened), self.kernel.covariance(places, places) - solved @ solved.T

    def fantasise(self, pending: Inputs, targets: Floats, normals: Floats) -> "Posterior":
        """Return a posterior that also knows joint samples (fantasies) of pending measurements, noise included.

        Args:
            pending: Inputs of the pending measurements, p of them.
            targets: Known targets, shape (n,).
            normals: Standard normal random numbers, shape (p, s), for s samples.

        Raises:
            NumericalError: The covariance of the pending inputs cannot be factorised.
        """
        if not len(pending):
            return self
        result = self.extend(pending)
        # Known targets and samples together = factor @ (whitened targets above, normals below).
        n, p = len(self), len(pending)
        result._whitened = np.zeros((n + p, 1 + p))
        result._whitened[:n, :1] = self._solve(targets.reshape(n, 1))
        result._whitened[n:, 1:] = np.eye(p)
        result._mixture = np.concatenate((np.ones((1, normals.shape[1])), normals))
        return result

    @property
    def _weights(self) -> Floats:
        """The weights that turn covariances into posterior means, one column for each column of `_whitened`."""
        if self._solved is None:
            self._solved = self._solve(self._whitened, transposed=True)
        return self._solved

    def _mixed(self, means: Floats) -> Floats:
        """Combine means for the columns of `_whitened` into means for each set of targets."""
        return means if self._mixture is None else means @ self._mixture

    def _cross(self, where: Inputs) -> Floats:
        """Return the covariance of inputs with the known ones, shape (m, n)."""
        return self.kernel.covariance(self.kernel.place(where, self.groups), self._places)

    def _solve(self, right: Floats, *, transposed: bool = False, overwrite: bool = False) -> Floats:
        """Return the inverse of the Cholesky factor, or of its transpose, times a matrix, which may be overwritten."""
        from scipy.linalg import lapack

        if not len(self):
            return right
        solved: Floats = lapack.dtrtrs(self._factor, right, lower=1, trans=transposed, overwrite_b=overwrite)[0]
        return solved
