"""Fronts, crowding and the order that spreads over fronts, against their definitions and another library."""

import itertools
import math

import moocore
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hpo.surrogate.pareto import crowding, dominates, epsilon_net_ranks, front_ranks

LOSSES = st.integers(2, 4).flatmap(
    lambda m: st.integers(1, 25).flatmap(lambda n: arrays(np.float64, (n, m), elements=st.integers(0, 5).map(float)))
)
WHOLE = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.0, 0.5, math.inf]),
        st.one_of(st.integers(0, 4).map(float), st.just(math.inf)),
        st.integers(0, 4).map(float),
    ),
    min_size=1,
    max_size=25,
)


def better(one, other):
    """Constrained domination by its definition, of (violation, loss, loss …)."""
    one, other = ((math.inf, *result[1:]) if math.inf in result else result for result in (one, other))
    if one[0] != other[0]:
        return one[0] < other[0]
    return one != other and all(a <= b for a, b in zip(one[1:], other[1:], strict=True))


@given(LOSSES)
def test_the_fronts_are_those_of_moocore(losses):
    assert front_ranks(losses).tolist() == moocore.pareto_rank(losses).tolist()


@given(WHOLE)
def test_constrained_domination_and_its_fronts_are_those_of_the_definition(results):
    violations, *columns = np.array(results).T
    losses = np.column_stack(columns)
    expected = [[better(one, other) for other in results] for one in results]
    assert dominates(losses, violations, losses, violations).tolist() == expected
    left, ranks, rank = set(range(len(results))), {}, 0
    while left:
        front = {i for i in left if not any(better(results[j], results[i]) for j in left)}
        ranks |= dict.fromkeys(front, rank)
        left, rank = left - front, rank + 1
    assert front_ranks(losses, violations).tolist() == [ranks[i] for i in range(len(results))]
    enough = front_ranks(losses, violations, most=5).tolist()
    known = sorted(ranks.values())[: 5 + 1][-1]
    assert [min(rank, known) for rank in enough] == [min(ranks[i], known) for i in range(len(results))]


def test_crowding_is_the_sum_of_the_sides_of_the_box_between_the_neighbours():
    losses = np.array([[0.0, 10.0], [1.0, 6.0], [3.0, 5.0], [10.0, 0.0]])
    assert crowding(losses).tolist() == [math.inf, 3 / 10 + 5 / 10, 9 / 10 + 6 / 10, math.inf]
    assert crowding(np.array([[1.0, 2.0]])).tolist() == [math.inf]


def net_order(results, ranks):
    """The order by a literal loop: fronts, each begun with its best of the first loss and gone on with the farthest."""
    finite = [r for r in results if math.inf not in r]
    place = {r: [sum(other[k] < r[k] for other in finite) for k in range(1, len(r))] for r in finite}
    order = []
    for _, group in itertools.groupby(sorted(dict.fromkeys(finite), key=lambda r: ranks[r]), key=lambda r: ranks[r]):
        left = sorted(group, key=results.index)
        taken = [min(left, key=lambda r: (r[1], results.index(r)))]
        while len(taken) < len(left):
            rest = [r for r in left if r not in taken]
            distance = {r: min(math.dist(place[r], place[t]) for t in taken) for r in rest}
            taken.append(max(rest, key=lambda r: (round(distance[r], 9), -results.index(r))))
        order += taken
    return order


@given(WHOLE, st.floats(0, 25))
@settings(max_examples=200, deadline=None)
def test_positions_are_those_of_a_literal_loop_over_fronts_and_distances(results, most):
    finite = [result for result in results if math.inf not in result]
    ranks, left, rank = {}, set(finite), 0
    while left:
        front = {r for r in left if not any(better(other, r) for other in left)}
        ranks |= dict.fromkeys(front, rank)
        left, rank = left - front, rank + 1
    order = net_order(results, ranks)
    ahead = {r: sum(order.index(other) < order.index(r) for other in finite) for r in order}
    found = epsilon_net_ranks(results, most)
    for result, position in zip(results, found, strict=True):
        expected = ahead.get(result, len(results))
        assert position == expected if expected <= most else position > most


ONE_LOSS = st.tuples(st.sampled_from([0.0, 0.5, math.inf]), st.one_of(st.integers(0, 5).map(float), st.just(math.inf)))


@given(st.lists(ONE_LOSS, min_size=1))
def test_of_one_loss_a_position_counts_the_results_that_are_strictly_better(results):
    expected = [len(results) if math.inf in r else sum(o < r for o in results) for r in results]
    assert epsilon_net_ranks(results, len(results)) == expected
