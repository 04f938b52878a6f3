"""A page gets what is new since the number it has: nothing twice, nothing left out, whatever happens in between."""

import asyncio
import json
import time

import pytest

from hpo.serve import streams
from hpo.serve.catalogue import id_of
from hpo.serve.streams import experiment_stream, log_stream, rows_stream
from tests.serve.test_hub import SOON, opened


def parsed(message):
    """(kind, cursor, content) of an event of a stream."""
    fields = dict(line.split(": ", 1) for line in message.decode().strip().splitlines())
    return fields.get("event", ""), fields.get("id"), json.loads(fields["data"])


async def read(stream, holds):
    """All events up to the first of which something holds."""
    found = []
    async with asyncio.timeout(SOON):
        async for message in stream:
            found.append(parsed(message))
            if holds(*found[-1]):
                return found
    raise AssertionError(found)


def at(sequence):
    def holds(_kind, _cursor, content):
        return (content.get("board") or {}).get("sequence") == sequence and content["new"] is not None

    return holds


def numbers(found):
    return [n for _, _, content in found if content.get("new") for n in content["new"]["n"]]


def scene(story, play):
    async def run():
        async with opened(story.directory.parents[3]) as hub:
            return await play(hub, id_of(story.directory))

    return asyncio.run(run())


@pytest.mark.long
def test_a_page_that_comes_back_goes_on_where_it_was(story):
    story.start(0)
    story.report(0, 1, 50.0)

    async def play(hub, name):
        first = experiment_stream(hub, name, "")
        (*_, (_, cursor, content)) = await read(first, at(3))
        assert content["new"]["n"] == []  # its figures have what was before
        story.report(0, 2, 51.0)
        found = await read(first, at(4))
        assert numbers(found) == [4]
        assert found[-1][2]["new"] == {"n": [4], "trial": [0], "x": [2], "y": [51.0], "t": [4.0], "ok": [1]}
        await first.aclose()
        story.report(0, 3, float("nan"))
        story.report(0, 4, 53.0)
        again = experiment_stream(hub, name, found[-1][1])
        back = await read(again, at(6))
        assert numbers(back) == [5, 6]
        assert back[-1][2]["new"]["y"] == [None, 53.0]
        await again.aclose()
        assert cursor != found[-1][1]

    scene(story, play)


def test_all_pages_that_are_as_far_get_the_same_bytes(story):
    async def play(hub, name):
        pages = [experiment_stream(hub, name, "") for _ in range(3)]
        for page in pages:
            await read(page, at(1))
        story.start(0)
        story.report(0, 1, 50.0)
        got = [[part async for part in _until(page, 3)][-1] for page in pages]
        assert got[0] == got[1] == got[2]
        for page in pages:
            await page.aclose()

    async def _until(page, sequence):
        async for message in page:
            yield message
            if at(sequence)(*parsed(message)):
                return

    scene(story, play)


def test_another_experiment_in_the_same_place_is_begun_anew_for_old_cursors_too(story):
    async def play(hub, name):
        page = experiment_stream(hub, name, "")
        found = await read(page, at(1))
        story.close()
        for file in story.directory.glob("events.db*"):
            file.unlink()
        story.begin(time_of_first=777.0)
        story.start(0)
        story.report(0, 1, 1.0)
        anew = await read(page, lambda kind, _, content: at(3)(kind, "", content) if content.get("board") else False)
        assert "reset" in [kind for kind, _, _ in anew]
        assert anew[-1][1] == "778.000000-3"
        await page.aclose()
        late = experiment_stream(hub, name, found[-1][1])
        assert "reset" in [kind for kind, _, _ in await read(late, at(3))]
        await late.aclose()

    scene(story, play)


@pytest.mark.long
def test_a_page_that_is_far_behind_loads_its_figures_again(story, monkeypatch):
    monkeypatch.setattr(streams, "MOST_BEHIND", 3)

    async def play(hub, name):
        page = experiment_stream(hub, name, "")
        found = await read(page, at(1))
        await page.aclose()
        story.start(0)
        for epoch in range(1, 6):
            story.report(0, epoch, 50.0)
        late = experiment_stream(hub, name, found[-1][1])
        kinds = await read(late, lambda kind, *_: kind == "reset")
        assert kinds[-1][2]["board"]["reports"] == 5
        story.report(0, 6, 51.0)
        assert numbers(await read(late, at(8))) == [8]
        await late.aclose()

    scene(story, play)


def test_cursors_that_are_none_begin_now(story):
    async def play(hub, name):
        for cursor in ("x", "-", "1-", "-5", "9" * 400, "1.5-" + "9" * 400, "é-²"):
            page = experiment_stream(hub, name, cursor)
            await read(page, at(1))
            await page.aclose()

    scene(story, play)


def test_a_quiet_stream_says_that_it_is_there_with_the_clock_of_the_server(story, monkeypatch):
    monkeypatch.setattr(streams, "BEAT", 0.05)

    async def play(hub, name):
        for page in (experiment_stream(hub, name, ""), rows_stream(hub, "")):
            (*_, (_, _, content)) = await read(page, lambda kind, *_: kind == "beat")
            assert abs(content["now"] - time.time()) < 60
            await page.aclose()

    scene(story, play)


@pytest.mark.long
def test_rows_are_sent_once_then_those_that_change(story):
    async def play(hub, name):
        page = rows_stream(hub, "")
        found = await read(page, lambda _, __, c: any(one["row"].get("trials") == 0 for one in c["rows"]))
        cursor = found[-1][1]
        story.start(0)
        found = await read(page, lambda _, __, c: any(one["row"].get("trials") == 1 for one in c["rows"]))
        assert [one["id"] for one in found[-1][2]["rows"]] == [name]
        assert found[-1][2]["total"] == 1
        await page.aclose()
        again = rows_stream(hub, cursor)
        assert (await read(again, lambda *_: True))[-1][2]["rows"][0]["row"]["trials"] == 1
        await again.aclose()

    scene(story, play)


def test_a_log_is_followed_and_a_lost_one_ends_its_stream(story):
    folder = story.directory / "trials" / "0" / "attempt_0"
    folder.mkdir(parents=True)
    log = folder / "stdout.log"
    log.write_bytes(b"one\n")

    async def play(hub, _):
        page = log_stream(hub, story.directory, 0, 0, "stdout")
        assert (await read(page, lambda *_: True))[0][2] == {"text": "one\n", "reset": True, "cut": False, "size": 4}
        with log.open("ab") as file:
            file.write(b"two \xff\n")
        assert (await read(page, lambda *_: True))[0][2] == {
            "text": "two �\n",
            "reset": False,
            "cut": False,
            "size": 10,
        }
        log.unlink()
        assert "gone" in (await read(page, lambda *_: True))[0][2]

    scene(story, play)
