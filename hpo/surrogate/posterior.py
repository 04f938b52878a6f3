"""The posterior of a Gaussian process with fixed hyperparameters: predictions, appended data, fantasies."""

import numpy as np

from hpo.surrogate.fit import factorise
from hpo.surrogate.kernel import Floats, Inputs, Integers, Kernel


class NumericalError(ArithmeticError):
    """A covariance could not be factorised."""


class Posterior:
    """Given noisy targets at some inputs. The factor depends on the inputs alone, so that new targets cost O(n²).

    Args:
        kernel: covariance and noise.
        groups: which length-scale each column of x belongs to.
        inputs: where targets are known, n of them.

    Raises:
        NumericalError: their covariance cannot be factorised.
    """

    def __init__(self, kernel: Kernel, groups: Integers, inputs: Inputs) -> None:
        self.kernel, self.groups, self.inputs = kernel, groups, inputs
        covariance = kernel.covariance(inputs, inputs, groups)
        covariance[np.diag_indices_from(covariance)] += kernel.noise[inputs.level]
        factor = factorise(covariance) if len(inputs) else covariance
        if factor is None:
            raise NumericalError(f"the covariance of {len(inputs)} measurements is not positive definite")
        self._factor = factor
        self._alpha: Floats = np.zeros((len(inputs), 1))

    def __len__(self) -> int:
        return len(self.inputs)

    def extended(self, more: Inputs) -> "Posterior":
        """With more inputs appended, their targets still to be given; costs O(n² m) instead of O((n + m)³).

        Raises:
            NumericalError: the new block cannot be factorised.
        """
        if not len(more):
            return self
        n, m = len(self), len(more)
        cross = self._solve(self.kernel.covariance(self.inputs, more, self.groups))
        block = self.kernel.covariance(more, more, self.groups) - cross.T @ cross
        block[np.diag_indices_from(block)] += self.kernel.noise[more.level]
        corner = factorise(block)
        if corner is None:
            raise NumericalError(f"{m} measurements cannot be added to the {n} known ones")
        result = Posterior.__new__(Posterior)
        result.kernel, result.groups, result.inputs = self.kernel, self.groups, self.inputs.joined(more)
        factor = np.zeros((n + m, n + m), order="F")
        factor[:n, :n] = self._factor
        factor[n:, :n] = cross.T
        factor[n:, n:] = corner
        result._factor = factor
        result._alpha = np.zeros((n + m, 1))
        return result

    def condition(self, targets: Floats) -> "Posterior":
        """Set the targets, shape (n,) or (n, s) for s sets of them. Returns the same object."""
        from scipy.linalg import lapack

        columns = targets.reshape(len(self), -1)
        self._alpha = lapack.dpotrs(self._factor, columns, lower=1)[0] if len(self) else np.zeros((0, columns.shape[1]))
        return self

    def mean(self, where: Inputs) -> Floats:
        """Shape (m, s): for each set of targets."""
        result: Floats = self.kernel.covariance(where, self.inputs, self.groups) @ self._alpha
        return result

    def predict(self, where: Inputs) -> tuple[Floats, Floats]:
        """Means, shape (m, s), and the standard deviations of noise-free values, shape (m,)."""
        cross = self.kernel.covariance(self.inputs, where, self.groups)
        solved = self._solve(cross)
        variance = self.kernel.variance - np.einsum("ij,ij->j", solved, solved)
        return cross.T @ self._alpha, np.sqrt(np.maximum(variance, 1e-12))

    def joint(self, where: Inputs) -> tuple[Floats, Floats]:
        """Means, shape (m, s), and covariance of noise-free values, shape (m, m)."""
        cross = self.kernel.covariance(self.inputs, where, self.groups)
        solved = self._solve(cross)
        return cross.T @ self._alpha, self.kernel.covariance(where, where, self.groups) - solved.T @ solved

    def fantasise(self, pending: Inputs, targets: Floats, normals: Floats) -> "Posterior":
        """Also given joint draws, noise included, of what pending measurements will bring.

        Args:
            pending: p inputs.
            targets: those known, shape (n,).
            normals: standard normal numbers, shape (p, s).

        Raises:
            NumericalError: the pending block cannot be factorised.
        """
        if not len(pending):
            return self
        n = len(self)
        result = self.extended(pending)
        # L z for the joint vector: its first part are the known targets, its second the draws.
        known = _solve_lower(self._factor, targets.reshape(n, 1)) if n else np.zeros((0, 1))
        draws = result._factor[n:, :n] @ known + result._factor[n:, n:] @ normals
        return result.condition(np.concatenate((np.repeat(targets.reshape(n, 1), normals.shape[1], axis=1), draws)))

    def _solve(self, right: Floats) -> Floats:
        return _solve_lower(self._factor, right) if len(self) else right


def _solve_lower(factor: Floats, right: Floats) -> Floats:
    from scipy.linalg import lapack

    result: Floats = lapack.dtrtrs(factor, right, lower=1)[0]
    return result
