"""What somebody may do who can write below a served folder: nothing of it stalls other experiments or is told to a page."""

import asyncio
import os
import sqlite3
import threading
import time

import pytest

from hpo.serve import feed as module
from hpo.serve.catalogue import Catalogue, id_of
from hpo.serve.feed import Feed
from hpo.serve.readers import Readers
from tests.serve.conftest import Story
from tests.serve.test_hub import opened, until

SECRET = "token: xK9-the-token-that-steers\n{"


def look(directory):
    feed = Feed(directory)
    while feed.look():
        pass
    return feed


def told(feed):
    return feed.shown.board.decode() + feed.shown.row.decode() + feed.shown.trouble


@pytest.mark.parametrize("content", [SECRET, "seed: 1\nxK9-the-token-that-steers: 7\n", "xK9-the-token-that-steers"])
@pytest.mark.parametrize("way", ["linked", "written"])
def test_no_page_is_told_what_stands_in_an_experiment_yaml_that_cannot_be_read(story, tmp_path, content, way):
    config = story.directory / "experiment.yaml"
    config.unlink()
    (tmp_path / "elsewhere").write_text(content)
    if way == "linked":
        config.symlink_to(tmp_path / "elsewhere")
    else:
        config.write_text(content)
    shown = told(look(story.directory))
    assert "xK9" not in shown
    assert ("it is a link" if way == "linked" else "is not a configuration as hpo stores it") in shown


def test_a_link_that_comes_into_the_place_of_a_served_folder_is_not_followed(story, tmp_path):
    """What is private is another experiment of whoever serves, which lies outside of what is served."""
    private = Story(tmp_path / "private" / "t" / "mine" / "RS" / "seed_0")
    private.start(0)
    private.store.close()
    catalogue = Catalogue([tmp_path / "outputs"])
    catalogue.look()
    listed = catalogue.experiments[id_of(story.directory)]
    story.store.close()
    (tmp_path / "outputs" / "s").rename(tmp_path / "outputs" / "away")
    (tmp_path / "outputs" / "s").symlink_to(tmp_path / "private" / "t")
    feed = look(listed.directory)
    assert "a link is in its place" in feed.shown.trouble
    assert feed.follower is None


def test_a_database_that_is_damaged_after_it_was_read_is_not_complete_any_more(story):
    for trial in range(40):
        story.start(trial)
        story.report(trial, 1, 50.0)
        story.end(trial)
    story.finish()
    story.store.close()
    feed = look(story.directory)
    assert feed.shown.condition == "complete"
    path = story.directory / "events.db"
    data = bytearray(path.read_bytes())
    at = data.index(b'"val_acc":50.0', len(data) // 2)
    data[at + 10 : at + 14] = b"99.9"
    path.write_bytes(data)
    for _ in range(2):  # and it stays so
        feed.look()
        assert feed.shown.condition == "unreadable"
        assert "is not what was written" in feed.shown.trouble


def pipe(directory):
    (directory / "metadata.json").unlink()
    os.mkfifo(directory / "metadata.json")


def device(directory):
    (directory / "metadata.json").unlink()
    (directory / "metadata.json").symlink_to("/dev/zero")


def endless(path):
    with sqlite3.connect(path) as db:
        db.executescript(
            "ALTER TABLE events RENAME TO old; DROP VIEW reports; DROP VIEW trials; CREATE VIEW events AS WITH RECURSIVE "
            "n(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n) SELECT seq, 'noted' AS kind, 0.0 AS elapsed, 0.0 AS time, "
            "1 AS trial, 0 AS attempt, 1 AS resource, '{}' AS body, 1 AS crc FROM n WHERE seq < 0"
        )


HOSTILE = [
    pipe,
    device,
    lambda directory: os.truncate(directory / "experiment.yaml", 300 << 20),
    lambda directory: endless(directory / "events.db"),
]


@pytest.mark.long
def test_hostile_experiments_stall_neither_the_others_nor_the_event_loop(tmp_path):
    stories = [Story(tmp_path / "outputs" / "t" / "mine" / "RS" / f"seed_{i}") for i in range(8)]
    for number, one in enumerate(stories):
        one.start(0)
        one.store.close()
        (one.directory / "metadata.json").write_text('{"status": "running"}')
        if number < len(HOSTILE):
            HOSTILE[number](one.directory)

    async def scene():
        slowest = 0.0

        async def beat():
            nonlocal slowest
            while True:
                began = time.monotonic()
                await asyncio.sleep(0.01)
                slowest = max(slowest, time.monotonic() - began)

        async with opened(tmp_path / "outputs") as hub, asyncio.timeout(60):
            beating = asyncio.get_running_loop().create_task(beat())
            with hub.viewing_rows():
                for one in stories:
                    with hub.viewing(id_of(one.directory)) as watched:
                        shown = await until(watched, lambda _: True)
                    if one in stories[len(HOSTILE) :]:
                        assert (shown.trouble, shown.sequence) == ("", 2)
            beating.cancel()
        assert slowest < 5

    asyncio.run(scene())


def test_a_reading_that_never_comes_back_keeps_no_other_experiment_waiting(story, tmp_path, monkeypatch):
    stuck = Story(tmp_path / "outputs" / "s" / "mine" / "RS" / "seed_1")
    never, at_it = threading.Event(), threading.Event()
    look = Feed.look

    def looked(feed):
        if feed.files.path == stuck.directory:
            at_it.set()
            never.wait()
        return look(feed)

    monkeypatch.setattr(Feed, "look", looked)

    async def scene():
        async with opened(tmp_path / "outputs") as hub, asyncio.timeout(30):
            with hub.viewing_rows(), hub.viewing(id_of(stuck.directory)):
                while not at_it.is_set():
                    await asyncio.sleep(0.01)
                with hub.viewing(id_of(story.directory)) as one:
                    assert (await until(one, lambda shown: shown.sequence == 1)).trouble == ""
                story.start(0)
                async with asyncio.timeout(10):
                    while '"trials":1' not in hub.row(id_of(story.directory)).row.decode():
                        await asyncio.sleep(0.01)

    try:
        asyncio.run(scene())
    finally:
        never.set()


def test_threads_that_are_done_are_used_again_and_readings_of_one_experiment_never_overlap():
    async def scene():
        readers = Readers()
        one, at_once, most = readers.reader(), [0], [0]

        def work():
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
            time.sleep(0.001)
            at_once[0] -= 1
            return threading.get_ident()

        found = await asyncio.gather(*(one.read(work) for _ in range(50)))
        readers.end()
        return most[0], len(set(found))

    assert asyncio.run(scene()) == (1, 1)


@pytest.mark.parametrize("what", ["configuration", "log"])
def test_files_that_could_not_be_read_are_not_read_again_until_they_change_or_time_has_gone_by(
    story, monkeypatch, what
):
    for trial in range(40):
        story.start(trial)
    story.store.close()
    path = story.directory / {"configuration": "experiment.yaml", "log": "events.db"}[what]
    whole, looks = path.read_bytes(), []
    path.write_bytes(whole[:-2000] + bytes(2000))
    time.sleep(0.2)  # a change a moment ago might not be the last with that time

    class Counting(module.Follower):
        def advance(self, *arguments, **keys):
            looks.append("log")
            return super().advance(*arguments, **keys)

        def _begin(self):
            looks.append("configuration")
            super()._begin()

    monkeypatch.setattr(module, "Follower", Counting)
    feed = look(story.directory)
    trouble, so_far = feed.shown.trouble, len(looks)
    assert trouble
    assert looks
    for _ in range(5):
        feed.look()
    assert feed.shown.trouble == trouble
    assert len(looks) == so_far, "nothing was read again"
    later = time.monotonic() + 2 * module.RETRY
    monkeypatch.setattr(module.time, "monotonic", lambda: later)
    feed.look()
    assert len(looks) > so_far, "it may have been the machine's trouble: no file can be opened when too many are open"
    path.write_bytes(whole)
    while feed.look():
        pass
    assert (feed.shown.trouble, feed.shown.sequence) == ("", 41)


def test_a_configuration_that_would_take_long_to_parse_is_not_read_for_a_page(story):
    (story.directory / "experiment.yaml").write_text("[" + "[]," * 200_000 + "[]]")
    began = time.thread_time()
    feed = look(story.directory)
    assert time.thread_time() - began < 1
    assert "experiment.yaml: has more than 262,144 bytes, too many for the page; see hpo status" in feed.shown.trouble


def test_a_log_that_another_one_of_the_same_beginning_replaces_is_read_from_its_beginning(story, tmp_path):
    story.start(0)
    story.report(0, 1, 50.0)
    feed = look(story.directory)
    assert feed.subject().state.trials[0].resource == 1
    mended = Story(tmp_path / "mended")
    mended.store.close()
    (tmp_path / "mended" / "events.db").unlink()
    mended.begin(story.first)
    mended.start(0)
    mended.report(0, 7, 60.0)
    mended.start(1)
    mended.store.close()
    story.store.close()
    (tmp_path / "mended" / "events.db").replace(story.directory / "events.db")
    while feed.look():
        pass
    assert feed.subject().state.trials[0].resource == 7
