"""Pareto dominance for several losses: non-dominated fronts, crowding distances, and a ranking that spreads over each front.

Fronts and crowding distances: Deb, Pratap, Agarwal & Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm:
NSGA-II" (IEEE Transactions on Evolutionary Computation 6, 2002), with their constrained dominance. Results that violate
no constraint rank before those that do, smaller violations before larger ones, and only then the losses are compared.
Results that are not finite in every objective rank last.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.surrogate.arrays import Flags, Floats, Integers


def dominates(losses: Floats, violations: Floats, others: Floats, other_violations: Floats) -> Flags:
    """Return whether each of n results dominates each of k others, shape (n, k).

    Args:
        losses: Losses, shape (n, m).
        violations: Constraint violations, shape (n,); 0 for none.
        others: Losses of the other results, shape (k, m).
        other_violations: Constraint violations of the other results, shape (k,).
    """
    one, other = _columns(losses, violations), _columns(others, other_violations)
    found: Flags = _as_good(one, other) & ~_as_good(other, one).T
    return found


def _columns(losses: Floats, violations: Floats) -> list[NDArray[Any]]:
    """Return the columns to compare: violations (infinite if a loss is not finite), then each loss."""
    return [np.where(np.isfinite(losses).all(axis=1), violations, math.inf), *losses.T]


def _as_good(one: Sequence[NDArray[Any]], other: Sequence[NDArray[Any]]) -> Flags:
    """Return whether each result of `one` is at least as good as each of `other`, shape (n, k)."""
    (here, *losses), (there, *others) = one, other
    found = np.ones((len(here), len(there)), dtype=np.bool_)
    for mine, theirs in zip(losses, others, strict=True):
        found &= mine[:, None] <= theirs
    if here.any() or there.any():
        found = (here[:, None] < there) | ((here[:, None] == there) & found)
    return found


def front_ranks(losses: Floats, violations: Floats | None = None, most: int | None = None) -> Integers:
    """Return the index of each result's front, shape (n,): 0 for the non-dominated ones, 1 for the next front, and so on.

    Args:
        losses: Losses, shape (n, m).
        violations: Constraint violations, shape (n,); None for none.
        most: Number of results after which ranking stops; all results that remain get the next rank.
    """
    count = len(losses)
    violations = np.zeros(count) if violations is None else violations
    # Compare ranks instead of values, which is several times as fast.
    columns = [np.unique(column, return_inverse=True)[1].astype(np.int32) for column in _columns(losses, violations)]
    as_good = _as_good(columns, columns)
    above = (as_good & ~as_good.T).view(np.uint8)
    left = above.sum(axis=0, dtype=np.int32)
    ranks = np.full(count, -1, dtype=np.intp)
    rank, ranked = 0, 0
    while ranked < (count if most is None else min(most, count)):
        front = np.flatnonzero((left == 0) & (ranks < 0))
        ranks[front] = rank
        left -= above[front].sum(axis=0, dtype=np.int32)
        rank, ranked = rank + 1, ranked + len(front)
    ranks[ranks < 0] = rank
    return ranks


def crowding(losses: Floats) -> Floats:
    """Return the crowding distances within one front, shape (n,): the gaps between neighbours, infinite at its ends.

    The gaps are summed over objectives, each divided by the objective's range.

    Args:
        losses: Finite losses, shape (n, m).
    """
    distances = np.zeros(len(losses))
    for values in losses.T:
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        distances[order[[0, -1]]] = math.inf
        if ordered[-1] > ordered[0]:
            distances[order[1:-1]] += (ordered[2:] - ordered[:-2]) / (ordered[-1] - ordered[0])
    return distances


def epsilon_net_ranks(results: Sequence[tuple[float, ...]], most: float) -> list[int]:
    """Return the rank of each result, from 0, in an order of fronts that covers each front evenly from its start.

    The order is that of Schmucker et al., "Multi-objective Asynchronous Successive Halving" (2021). A front begins with
    its best result in the first objective. The next is always the one that is farthest from those already placed.
    Distances are between ranks in each objective, which have neither units nor outliers. Ties go to the first result
    given. Equal results have equal ranks.

    Args:
        results: Tuples of the violation and the losses.
        most: Largest rank of interest; higher ones are not distinguished.

    Returns:
        Number of results ahead of each; len(results) for results that are not finite or have more than `most` ahead of them.
    """
    finite = [result for result in results if all(map(math.isfinite, result))]
    if finite and len(finite[0]) == 2:  # a violation and one loss: a front holds equal results only
        ordered = sorted(results)
        return [bisect_left(ordered, r) if all(map(math.isfinite, r)) else len(results) for r in results]
    sizes = Counter(finite)
    positions: dict[tuple[float, ...], int] = {}
    ahead = 0
    for result in _in_order(sizes, most) if sizes else ():
        if ahead > most:
            break
        positions[result] = ahead
        ahead += sizes[result]
    return [positions.get(result, len(results)) for result in results]


def _in_order(sizes: Mapping[tuple[float, ...], int], most: float) -> Iterator[tuple[float, ...]]:
    """Yield distinct results, given with their multiplicities, in rank order; those ranked above `most` in any order."""
    different, counts = list(sizes), list(sizes.values())
    violations, *columns = np.array(different).T
    losses = np.column_stack(columns)
    ranks = front_ranks(losses, violations, math.floor(most) + 1)
    places = np.column_stack([np.sort(np.repeat(column, counts)).searchsorted(column) for column in columns])
    for rank in range(ranks.max() + 1):
        front = np.flatnonzero(ranks == rank)
        yield from (different[front[member]] for member in _spread(losses[front, 0], places[front]))


def _spread(first: Floats, places: Integers) -> Iterator[int]:
    """Yield the members of a front: first the one with the smallest `first`, then always the farthest from those before."""
    exact = places.astype(np.float64)  # integers, which BLAS multiplies and adds without rounding
    squares, doubled = (exact * exact).sum(axis=1), 2.0 * exact
    nearest = np.full(len(first), math.inf)
    member = int(first.argmin())
    for _ in range(len(first)):
        yield member
        np.minimum(nearest, squares - doubled @ exact[member] + squares[member], out=nearest)
        member = int(nearest.argmax())
