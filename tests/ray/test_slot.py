"""A slot, called in an event loop as its actor does, without Ray."""

import asyncio
import logging
import time

import pytest

from hpo.config.reading import load_config, resolve, to_plain
from hpo.events.types import Exit, Report
from hpo.ray import slot
from hpo.ray.actor import SlotOpening
from hpo.ray.messages import KillAttempt, StartAttempt, from_bytes, to_bytes

pytestmark = pytest.mark.process

START = StartAttempt(0, 0, {"x": 0.5}, 0, None)


async def ends_of(script, directory, orders):
    """Run one trial and return the ends that its slot tells, each with the time at which it does."""
    benchmark = {
        "name": "b",
        "command": ["bash", "-c", script],
        "metric": "loss",
        "mode": "min",
        "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
        "num_gpus_per_trial": 0,
    }
    config = resolve(load_config(benchmark, "RS", random_seed=1))
    of_nodes = {"nonce": "", "cwd": "", "python": "", "hpo": "", "files": {}, "environment": {}}
    opening = SlotOpening(to_plain(config), str(directory), **of_nodes)
    one = slot.Slot(opening, name="s", slots_here=1)
    one.take(to_bytes([START]))
    ends = []
    while not ends:
        told = from_bytes(await one.changes())
        ends = [(item, time.time()) for item in told if isinstance(item, Exit)]
        if any(isinstance(item, Report) for item in told):
            one.take(to_bytes(orders))
    await one.close()
    return ends


def test_a_trial_that_sigkill_ends_is_told_only_after_a_while_for_its_node_may_be_taken_away(tmp_path, monkeypatch):
    monkeypatch.setattr(slot, "_KILL_DELAY", 2.0)
    script = f"touch {tmp_path}/killed; kill -9 $$"
    ((end, told_at),) = asyncio.run(ends_of(script, tmp_path, []))
    assert end.signal == 9
    assert told_at - (tmp_path / "killed").stat().st_mtime >= 2.0


def test_a_kill_that_was_ordered_is_told_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(slot, "_KILL_DELAY", 3600.0)
    script = """trap '' TERM; echo '{"epoch": 1, "loss": 0.5}' >> $HPO_REPORT_FILE; sleep 60 & wait; sleep 60"""
    ((end, _),) = asyncio.run(ends_of(script, tmp_path, [KillAttempt(0)]))
    assert end.signal == 9


def test_a_closed_slot_forwards_no_more_messages(tmp_path):
    log = logging.getLogger("hpo")
    before = (list(log.handlers), log.level)
    asyncio.run(ends_of("exit 0", tmp_path, []))
    assert (log.handlers, log.level) == before
    log.warning("this comes after the loop has ended")
