"""In which order experiments are read that are asked for at once."""

import asyncio
import time

import pytest

from hpo.serve import readers as module
from hpo.serve.readers import Readers


async def order_of(count, seconds):
    """Ask for so many experiments one after the other, and return their numbers in the order of reading."""
    readers, read = Readers(), []

    async def ask(number):
        await readers.reader().read(lambda: (time.sleep(seconds), read.append(number)))

    asked = []
    for number in range(count):
        asked.append(asyncio.ensure_future(ask(number)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await asyncio.gather(*asked)
    readers.end()
    return read


def test_what_is_asked_for_last_is_read_next_so_that_no_burst_holds_up_whoever_asks_after_it():
    assert asyncio.run(order_of(5, 0.01)) == [0, 4, 3, 2, 1]


def test_what_has_waited_for_long_comes_first_so_that_all_get_their_turn(monkeypatch):
    monkeypatch.setattr(module, "LATE", 0.0)
    assert asyncio.run(order_of(5, 0.01)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("when", ["waiting", "given"])
def test_a_request_that_breaks_off_keeps_no_other_from_being_read(when):
    async def scene():
        seat = module._Seat()
        await seat.acquire()
        other = asyncio.ensure_future(seat.acquire())
        gone = asyncio.ensure_future(seat.acquire())
        await asyncio.sleep(0)
        if when == "given":
            seat.release()
            gone.cancel()
        else:
            gone.cancel()
            await asyncio.sleep(0)
            seat.release()
        async with asyncio.timeout(5):
            await other
        assert gone.cancelled() or (await asyncio.gather(gone, return_exceptions=True))
        seat.release()
        async with asyncio.timeout(5):
            await seat.acquire()

    asyncio.run(scene())
