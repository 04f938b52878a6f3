"""Several losses: who dominates whom, how crowded a front is, and an order of all results that spreads over it.

Fronts and crowding: Deb, Pratap, Agarwal & Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II" (IEEE
Transactions on Evolutionary Computation 6, 2002), with their constrained domination: what breaks no bound before what does,
less before more, and only then by the losses. What is not finite in every objective comes behind all that is.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Truths = NDArray[np.bool_]


def dominates(losses: Floats, violations: Floats, others: Floats, other_violations: Floats) -> Truths:
    """Does each of n results dominate each of k others? Shape (n, k).

    Args:
        losses: shape (n, m).
        violations: shape (n,), 0 where no constraint is broken.
        others: shape (k, m).
        other_violations: shape (k,).
    """
    one, other = _columns(losses, violations), _columns(others, other_violations)
    found: Truths = _as_good(one, other) & ~_as_good(other, one).T
    return found


def _columns(losses: Floats, violations: Floats) -> list[NDArray[Any]]:
    """What is compared: the violations, infinite where a loss is, and each loss."""
    return [np.where(np.isfinite(losses).all(axis=1), violations, math.inf), *losses.T]


def _as_good(one: Sequence[NDArray[Any]], other: Sequence[NDArray[Any]]) -> Truths:
    """Is each result that columns hold at least as good as each other one? Shape (n, k)."""
    (here, *losses), (there, *others) = one, other
    found = np.ones((len(here), len(there)), dtype=np.bool_)
    for mine, theirs in zip(losses, others, strict=True):
        found &= mine[:, None] <= theirs
    if here.any() or there.any():
        found = (here[:, None] < there) | ((here[:, None] == there) & found)
    return found


def front_ranks(losses: Floats, violations: Floats | None = None, most: int | None = None) -> Integers:
    """The front of each result, shape (n,): 0 is dominated by none, 1 by results of front 0 alone, and so on.

    Args:
        losses: shape (n, m).
        violations: shape (n,); None: nothing is broken.
        most: when the fronts so far hold so many results the others are all of the next one.
    """
    count = len(losses)
    violations = np.zeros(count) if violations is None else violations
    # Places take the place of the values, for they are compared several times as fast.
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
    """Crowding distances within one front, shape (n,): the sides of the box between the neighbours, infinite at its ends.

    Args:
        losses: shape (n, m), finite.
    """
    distances = np.zeros(len(losses))
    for values in losses.T:
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        distances[order[[0, -1]]] = math.inf
        if ordered[-1] > ordered[0]:
            distances[order[1:-1]] += (ordered[2:] - ordered[:-2]) / (ordered[-1] - ordered[0])
    return distances


def net_positions(results: Sequence[tuple[float, ...]], most: float) -> list[int]:
    """How many results are ahead of each: of fronts that come one after the other, each spread out before it is filled.

    The order of Schmucker et al., "Multi-objective Asynchronous Successive Halving" (2021): a front begins with its best of
    the first objective and goes on with what is farthest from all that are taken. Distances are of ranks in each objective,
    which have neither units nor outliers; of equally far ones the first that was given is taken. Equal results have the same.

    Args:
        results: of each the violation, then the losses.
        most: higher positions are not told apart.

    Returns:
        for each result; their number for one that is not finite, or behind more than `most`.
    """
    finite = [result for result in results if all(map(math.isfinite, result))]
    if finite and len(finite[0]) == 2:  # a violation and one loss: each front is one result, of those that are equal
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
    """Different results, of each of which there are some; those behind more than `most` in any order."""
    different, counts = list(sizes), list(sizes.values())
    violations, *columns = np.array(different).T
    losses = np.column_stack(columns)
    ranks = front_ranks(losses, violations, math.floor(most) + 1)
    places = np.column_stack([np.sort(np.repeat(column, counts)).searchsorted(column) for column in columns])
    for rank in range(ranks.max() + 1):
        front = np.flatnonzero(ranks == rank)
        yield from (different[front[member]] for member in _spread(losses[front, 0], places[front]))


def _spread(first: Floats, places: Integers) -> Iterator[int]:
    """The members of a front, that with the least of `first` first, then whatever is farthest from those that came."""
    exact = places.astype(np.float64)  # whole numbers, which BLAS multiplies and adds without rounding
    squares, doubled = (exact * exact).sum(axis=1), 2.0 * exact
    nearest = np.full(len(first), math.inf)
    member = int(first.argmin())
    for _ in range(len(first)):
        yield member
        np.minimum(nearest, squares - doubled @ exact[member] + squares[member], out=nearest)
        member = int(nearest.argmax())
