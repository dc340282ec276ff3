"""A large batch is computed in a thread: until it is done nothing else may touch the county, not even to read."""

import asyncio
import threading

import pytest

from services.screening.domain.engine import County
from services.screening.handlers import Desk
from services.screening.pipeline import INLINE, Screening
from shared.bus import Received
from shared.clock import FixedClock
from tests.support.memory_screening import MemoryStore
from tests.support.petitions import COUNTY, MATTERS, POLICIES, START
from tests.support.screening import filed_event

BUSY = {"matters": [], "complete": False}
DRAFT = (COUNTY, *MATTERS[0])


def batch(*numbers):
    return [Received("t", 3, n, START, None, filed_event(n, n % 4, minutes=n / 10)) for n in numbers]


class Room:
    def __init__(self):
        self.store = MemoryStore()
        self.screening = Screening(self.store, lambda: POLICIES, FixedClock(START))
        self.desk = Desk(self.store, self.screening, lambda: POLICIES, FixedClock(START))

    async def take(self, received):
        plan = await self.screening.prepare(received)
        await self.store.transaction(lambda tx: self.screening.write(tx, plan))

    def matters(self):
        return {row["_id"]: row["matter"] for row in self.store.rows["petitions"].values()}


FIRST, REST = batch(*range(20)), batch(*range(20, 20 + 4 * INLINE))


@pytest.fixture
async def room():
    room = Room()
    await room.take(FIRST)
    return room


@pytest.fixture
async def matters():
    """Where the petitions belong when nobody asks anything meanwhile."""
    room = Room()
    await room.take(FIRST)
    await room.take(REST)
    return room.matters()


class Held:
    """Keeps threads that compute a batch from going on; `inside` counts them."""

    def __init__(self, monkeypatch):
        self.inside, self.go_on = threading.Semaphore(0), threading.Event()
        work = County.apply

        def apply(county, items):
            if threading.current_thread() is not threading.main_thread():
                self.inside.release()
                assert self.go_on.wait(10)
            return work(county, items)

        monkeypatch.setattr(County, "apply", apply)

    async def entered(self):
        assert await asyncio.to_thread(self.inside.acquire, timeout=10)


async def test_a_look_up_during_a_batch_is_answered_at_once_and_touches_nothing(room, matters, monkeypatch):
    assert room.desk.similar(*DRAFT)["matters"]
    held = Held(monkeypatch)
    task = asyncio.create_task(room.take(REST))
    await held.entered()
    assert room.desk.similar(*DRAFT) == BUSY
    held.go_on.set()
    await task
    found = room.desk.similar(*DRAFT)
    assert found["complete"] and found["matters"]
    assert room.matters() == matters


async def test_look_ups_all_the_time_change_no_matter(room, matters):
    task = asyncio.create_task(room.take(REST))
    while not task.done():
        room.desk.similar(*DRAFT)
        await asyncio.sleep(0.001)
    await task
    assert room.matters() == matters


async def test_a_batch_that_is_cancelled_leaves_its_thread_a_county_of_its_own(room, matters, monkeypatch):
    held = Held(monkeypatch)
    task = asyncio.create_task(room.take(REST))
    await held.entered()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert room.desk.similar(*DRAFT) == BUSY
    again = asyncio.create_task(room.take(REST))
    await held.entered()  # two threads now
    await asyncio.sleep(0)
    assert room.desk.similar(*DRAFT) == BUSY
    held.go_on.set()
    await again
    assert room.matters() == matters
    assert room.desk.similar(*DRAFT)["complete"]


async def test_a_batch_that_fails_half_way_is_not_read_or_written_from(room, matters, monkeypatch):
    work = County.apply

    def broken(county, items):
        work(county, items)
        raise ArithmeticError

    monkeypatch.setattr(County, "apply", broken)
    with pytest.raises(ArithmeticError):
        await room.take(REST)
    assert room.screening.held(COUNTY) is None
    monkeypatch.undo()
    await room.take(REST)
    assert room.matters() == matters
