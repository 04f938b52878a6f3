"""The optional searcher that BoTorch computes."""

import pytest

from hpo import build_scheduler

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning"),
    pytest.mark.timeout(600),
]
SPACE = {"x": {"type": "float", "lower": 0.0, "upper": 1.0}, "c": {"type": "choice", "values": ["a", "b", "c"]}}


def told(count):
    searcher = build_scheduler("BOTORCH", SPACE, max_resource=1, seed=0, num_candidates=50).searcher
    for _ in range(count):
        configuration = searcher.suggest()
        searcher.update(configuration, 1, (configuration["x"] - 0.7) ** 2 + 0.3 * (configuration["c"] != "b"))
    return searcher


@pytest.mark.long
def test_its_proposals_are_reproducible_and_good():
    pytest.importorskip("botorch", reason="botorch is not installed: pip install -e '.[botorch]'")
    searcher = told(10)
    searcher.on_pending({"x": 0.5, "c": "a"}, 1)
    proposal = searcher.propose()
    assert searcher.pop_log_messages() == []
    assert proposal == searcher.propose()
    assert proposal["c"] == "b"
    assert abs(proposal["x"] - 0.7) < 0.2
