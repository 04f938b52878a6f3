"""Logs are read when the kernel tells of a change, by whoever looks; what happens to a directory is told."""

import asyncio
import shutil
import time
from contextlib import asynccontextmanager

import pytest

from hpo.events.types import Kind
from hpo.serve import hub as module
from hpo.serve.catalogue import Catalogue, id_of
from hpo.serve.feed import Feed
from hpo.serve.hub import Hub

SOON = 10.0
"""Seconds within which a change is told, on a machine that runs other tests."""


@asynccontextmanager
async def opened(root):
    hub = Hub(Catalogue([root]))
    await hub.begin()
    try:
        yield hub
    finally:
        await hub.end()


async def until(one, holds):
    """Wait for changes until something holds of what is shown."""
    async with asyncio.timeout(SOON):
        while not (one.feed.shown.complete and holds(one.feed.shown)):
            await one.changed.wait()
    return one.feed.shown


@pytest.mark.long
def test_what_is_written_is_told_and_nothing_is_looked_at_meanwhile(story, monkeypatch):
    """The bars on quiet time: no look without a reason but the question whether the tuner is still there."""
    looks = []
    look = Feed.look
    monkeypatch.setattr(Feed, "look", lambda feed: looks.append(time.monotonic()) or look(feed))
    monkeypatch.setattr(module, "TICK", 3600.0)

    async def scene():
        async with opened(story.directory.parents[3]) as hub:
            name = id_of(story.directory)
            with hub.viewing(name) as one:
                await until(one, lambda shown: shown.sequence == 1)
                while not one.feed.settled:
                    await asyncio.sleep(0.05)
                await asyncio.sleep(1.0)
                quiet = len(looks)
                await asyncio.sleep(1.0)
                assert len(looks) == quiet
                story.start(0)
                story.report(0, 1, 50.0)
                shown = await until(one, lambda shown: shown.sequence == 3)
                assert (shown.reports, shown.condition) == (1, "running")
                begun, began = len(looks), time.monotonic()
                for epoch in range(2, 40):
                    story.report(0, epoch, 50.0 + epoch)
                await until(one, lambda shown: shown.sequence == 41)
                passed = time.monotonic() - began
                assert len(looks) - begun <= 4 + passed / module.PACE, "many reports are one look"

    asyncio.run(scene())


def test_two_commits_within_one_tick_of_the_file_system_s_clock_are_both_seen(story, monkeypatch):
    """A write-ahead log that is used again keeps its size, and times of files have steps of milliseconds."""
    from hpo.serve import feed as module_of_feed

    feed = Feed(story.directory)
    frozen = module_of_feed._signature(feed.files)
    just_now = tuple((time.time_ns(), size) for _, size in frozen)
    monkeypatch.setattr(module_of_feed, "_signature", lambda _: just_now)
    feed.look()
    story.start(0)
    feed.look()
    assert feed.shown.sequence == 2


def test_many_pages_of_an_experiment_are_one_reader_and_it_is_left_alone_after_the_last(story, monkeypatch):
    monkeypatch.setattr(module, "KEPT", 0.2)
    monkeypatch.setattr(module, "PACE", 0.05)

    async def scene():
        async with opened(story.directory.parents[3]) as hub:
            name = id_of(story.directory)
            with hub.viewing(name) as one, hub.viewing(name) as other:
                assert one is other
                await until(one, lambda shown: shown.sequence == 1)
                assert one.feed.follower is not None
            async with asyncio.timeout(SOON):
                await one.task
            assert one.feed.follower is None
            with hub.viewing(name) as again:
                await until(again, lambda shown: shown.sequence == 1)

    asyncio.run(scene())


@pytest.mark.long
def test_an_experiment_that_is_deleted_overwritten_or_damaged_says_so_and_comes_back(story, tmp_path):
    async def scene():
        async with opened(tmp_path / "outputs") as hub:
            with hub.viewing(id_of(story.directory)) as one:
                first = await until(one, lambda shown: shown.sequence == 1)
                story.close()
                moved = tmp_path / "moved"
                story.directory.rename(moved)
                gone = await until(one, lambda shown: shown.condition == "missing")
                assert gone.trouble.endswith("the experiment is not here any more; it was moved or deleted")
                moved.rename(story.directory)
                back = await until(one, lambda shown: shown.condition == "running")
                assert (back.generation, back.trouble) == (first.generation, "")

                whole = (story.directory / "events.db").read_bytes()
                (story.directory / "events.db").write_bytes(b"no database at all" * 100)
                broken = await until(one, lambda shown: shown.condition == "unreadable")
                assert "cannot be read as an event store" in broken.trouble
                (story.directory / "events.db").write_bytes(whole)
                await until(one, lambda shown: not shown.trouble)

                for file in story.directory.glob("events.db*"):
                    file.unlink()
                story.begin(time_of_first=12345.0)
                story.start(0)
                anew = await until(one, lambda shown: shown.generation == "12346.000000" and shown.sequence == 2)
                assert anew.generation != first.generation
                config = story.directory / "experiment.yaml"
                text = config.read_text()
                shutil.rmtree(story.directory)
                story.directory.mkdir()
                config.write_text("a: [")
                unreadable = await until(one, lambda shown: "experiment.yaml" in shown.trouble)
                assert unreadable.condition == "missing"
                config.write_text(text)
                story.begin()
                await until(one, lambda shown: not shown.trouble and shown.sequence == 1)

    asyncio.run(scene())


@pytest.mark.parametrize(
    "body", [{}, {"configuration": 3, "until": "x"}, {"configuration": {"Op0": [1]}, "until": None}]
)
def test_events_that_are_no_events_of_hpo_are_told_and_the_others_go_on(story, tmp_path, body):
    """A stranger's directory: what lies in it may be anything that is JSON."""
    from tests.serve.conftest import Story

    sound = Story(tmp_path / "outputs" / "s" / "mine" / "RS" / "seed_1")
    story.say(Kind.STARTED, 0, body=body)
    story.say(Kind.REPORTED, 7, 1, {"metrics": [], "decision": 1})

    async def scene():
        async with opened(tmp_path / "outputs") as hub:
            with hub.viewing(id_of(story.directory)) as one, hub.viewing(id_of(sound.directory)) as other:
                await until(one, lambda shown: shown.trouble)
                sound.start(0)
                await until(other, lambda shown: shown.sequence == 2 and not shown.trouble)

    asyncio.run(scene())


def test_an_experiment_that_begins_later_appears_and_those_that_are_over_are_not_kept(story, tmp_path, monkeypatch):
    from tests.serve.conftest import Story

    monkeypatch.setattr(module, "FIND_EVERY", 0.1)

    async def scene():
        async with opened(tmp_path / "outputs") as hub:
            with hub.viewing_rows():
                later = Story(tmp_path / "outputs" / "new" / "mine" / "RS" / "seed_0")
                name = id_of(later.directory)
                later.start(0)
                later.report(0, 1, 60.0)
                later.end(0)
                later.finish()
                later.close()
                async with asyncio.timeout(SOON):
                    while name not in hub.row_versions or hub.row(name).condition != "complete":
                        await hub.rows_changed.wait()
                    while hub.followed[name].feed.follower is not None:
                        await asyncio.sleep(0.05)
                assert b'"value":60.0' in hub.row(name).row

    asyncio.run(scene())
