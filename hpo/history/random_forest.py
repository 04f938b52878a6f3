"""A random forest over the unit cube, grown on a grid of cells with all trees at once, in NumPy.

Each coordinate is cut into equal cells, so that a tree is a list of boxes of cells. Growing means counting (one
histogram per level of the tree), and the marginals that functional ANOVA needs are exact sums over boxes. 200 trees
over 1,000 points take about a second.
"""

from dataclasses import dataclass

import numpy as np

from hpo.surrogate.arrays import Floats, Integers

DEPTH = 8
LEAF = 3
"""Fewest points, counted with their bootstrap weights, on either side of a split."""
SHARE = 0.7
"""Share of the coordinates that are considered for each split."""


@dataclass(frozen=True, eq=False, slots=True)
class Forest:
    """The leaves of all trees of a random forest, as boxes of cells with a value, in no particular order."""

    tree: Integers
    """Index of the tree that each leaf belongs to, shape (leaves,)."""
    low: Integers
    """First cell of each box, shape (leaves, coordinates)."""
    high: Integers
    """Cell after the last one of each box, shape (leaves, coordinates)."""
    value: Floats
    cells: Integers
    """Number of cells of each coordinate."""
    trees: int

    def variance(self) -> Floats:
        """Return the variance of each tree's prediction over the cube, shape (trees,)."""
        volume = self._shares().prod(axis=1)
        mean = self._sum(volume * self.value)
        return self._sum(volume * (self.value - mean[self.tree]) ** 2)

    def main_effects(self) -> Floats:
        """Return the variance of each tree's marginal along each coordinate, shape (trees, coordinates)."""
        shares = self._shares()
        volume = shares.prod(axis=1)
        mean = self._sum(volume * self.value)
        found = np.zeros((self.trees, len(self.cells)))
        for d, count in enumerate(self.cells):
            others = volume / shares[:, d] * self.value
            steps = np.zeros((self.trees, count + 1))
            np.add.at(steps, (self.tree, self.low[:, d]), others)
            np.add.at(steps, (self.tree, self.high[:, d]), -others)
            marginal = np.cumsum(steps, axis=1)[:, :-1]
            found[:, d] = ((marginal - mean[:, None]) ** 2).mean(axis=1)
        return found

    def _shares(self) -> Floats:
        return (self.high - self.low) / self.cells

    def _sum(self, per_leaf: Floats) -> Floats:
        return np.asarray(np.bincount(self.tree, per_leaf, minlength=self.trees).astype(float))


def grow(
    points: Integers, targets: Floats, weights: Integers, cells: Integers, rng: np.random.Generator
) -> tuple[Forest, Floats]:
    """Grow one tree per row of weights.

    Args:
        points: Cell of each point along each coordinate, shape (n, coordinates).
        targets: Value of each point, shape (n,).
        weights: Bootstrap weight of each point, shape (trees, n); 0 leaves it out.
        cells: Number of cells of each coordinate.
        rng: Random generator for the coordinates that a split considers, and for ties.

    Returns:
        Forest, and the prediction of each tree for each point, shape (trees, n).
    """
    trees, n = weights.shape
    dimensions, most = len(cells), int(cells.max())
    tree = np.arange(trees)
    low, high = np.zeros((trees, dimensions), int), np.tile(cells, (trees, 1))
    where = np.repeat(tree[:, None], n, axis=1)  # the open node of each (tree, point); -1 in a leaf
    predicted = np.zeros((trees, n))
    done: list[tuple[Integers, Integers, Integers, Floats]] = []
    for depth in range(DEPTH + 1):
        inside = where >= 0
        nodes, columns = where[inside], np.nonzero(inside)[1]
        weight = weights[inside].astype(float)
        count: Floats = np.bincount(nodes, weight, minlength=len(tree)).astype(float)
        total: Floats = np.bincount(nodes, weight * targets[columns], minlength=len(tree)).astype(float)
        mean = total / np.maximum(count, 1)
        gain, axis, cut = _best_splits(nodes, points[columns], weight, targets[columns], most, (count, total), rng)
        splits = (gain > 1e-12) & (depth < DEPTH)
        done.append((tree[~splits], low[~splits], high[~splits], mean[~splits]))
        leaves = np.zeros_like(inside)
        leaves[inside] = ~splits[nodes]
        predicted[leaves] = mean[where[leaves]]
        where[leaves] = -1
        if not splits.any():
            break
        rank = np.cumsum(splits) - 1
        kept = np.nonzero(splits)[0]
        inside = where >= 0
        nodes, columns = where[inside], np.nonzero(inside)[1]
        right = points[columns, axis[nodes]] >= cut[nodes]
        where[inside] = 2 * rank[nodes] + right
        tree = np.repeat(tree[kept], 2)
        low, high = np.repeat(low[kept], 2, axis=0), np.repeat(high[kept], 2, axis=0)
        order = np.arange(len(kept))
        high[2 * order, axis[kept]] = cut[kept]
        low[2 * order + 1, axis[kept]] = cut[kept]
    parts = [np.concatenate(column) for column in zip(*done, strict=True)]
    return Forest(parts[0], parts[1], parts[2], parts[3], cells, trees), predicted


def _best_splits(
    nodes: Integers,
    points: Integers,
    weight: Floats,
    targets: Floats,
    most: int,
    totals: tuple[Floats, Floats],
    rng: np.random.Generator,
) -> tuple[Floats, Integers, Integers]:
    """Return gain, coordinate and first cell to the right of the best split of each node; gain 0 if there is none."""
    count, total = totals
    dimensions, open_nodes = points.shape[1], len(count)
    shape = (open_nodes, dimensions, most)
    index = ((nodes[:, None] * dimensions + np.arange(dimensions)) * most + points).ravel()
    size = open_nodes * dimensions * most
    left = np.bincount(index, np.repeat(weight, dimensions), minlength=size).reshape(shape).cumsum(axis=2)
    part = np.bincount(index, np.repeat(weight * targets, dimensions), minlength=size).reshape(shape).cumsum(axis=2)
    right = count[:, None, None] - left
    allowed = (left >= LEAF) & (right >= LEAF)
    seen = rng.random((open_nodes, dimensions)) < SHARE
    seen[np.arange(open_nodes), rng.integers(0, dimensions, open_nodes)] = True
    allowed &= seen[:, :, None]
    rest = total[:, None, None] - part
    gain = part**2 / np.maximum(left, 1) + rest**2 / np.maximum(right, 1)
    gain -= (total**2 / np.maximum(count, 1))[:, None, None]
    # Cuts between the same two points have equal gain: choose among them at random, not always the first.
    gain = np.where(allowed, gain * (1 + 1e-9 * rng.random(shape)), 0.0).reshape(open_nodes, -1)
    best = gain.argmax(axis=1)
    return gain[np.arange(open_nodes), best], best // most, best % most + 1
