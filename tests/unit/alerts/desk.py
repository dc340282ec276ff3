"""A desk on the memory store, and what tests do with it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from services.alerts.console.board import Board
from services.alerts.console.remote import Remote
from services.alerts.console.visitor import Console, Visitor
from services.alerts.domain.warning import Warning
from services.alerts.handlers import Desk, Order, take
from services.alerts.policy import load_escalations, load_plans
from services.alerts.ports import Filter
from services.alerts.signals import Heard, on_findings, on_flags
from services.alerts.stream import Hub
from services.alerts.timing import fire_due
from shared.access import Access, Principal, Scope
from shared.clock import FixedClock
from shared.directory import directory
from shared.events import FlagData
from shared.tokens import SharedKey, TokenReader
from tests.support.alerts import AT
from tests.support.memory_alerts import MemoryStore

OFFICER = Principal("o1", "duty_officer")
OTHER = Principal("o2", "duty_officer")


class Bench:
    """A desk, its clock, and short ways to move both."""

    def __init__(self, policies: Any = None) -> None:
        self.clock = FixedClock(AT)
        self.store = MemoryStore(directory())
        self.desk = Desk(self.store, policies or load_escalations().policies, load_plans(), directory(), self.clock)
        self._cause = 0

    async def hear(self, *events: Any) -> None:
        """Flags or findings arrive now."""
        heard = [Heard(event, self.clock.now()) for event in events]
        flags = isinstance(events[0].data, FlagData)
        use = on_flags if flags else on_findings
        await self.store.run(lambda tx: use(tx, heard, self.desk.policies))

    async def take(self, warning: Warning | str, action: str, who: Principal = OFFICER, **order: Any) -> Warning:
        """Take an action."""
        self._cause += 1
        id = warning if isinstance(warning, str) else warning.id
        return await take(self.desk, who, id, Order(action, cause=f"c{self._cause}", **order))

    async def pass_time(self, **span: float) -> None:
        """Let time pass in small steps, firing what is due, as the ticker does."""
        left = timedelta(**span)
        step = max(left / 200, timedelta(seconds=1))
        while left > timedelta(0):
            self.clock.advance(min(step, left))
            left -= step
            while await fire_due(self.desk):
                pass

    async def warnings(self, **filter: Any) -> list[Warning]:
        """Newest first."""
        return [w for _, w in await self.store.find(Scope(), Filter(**filter), before=None, limit=500)]

    async def one(self) -> Warning:
        """The only one."""
        [warning] = await self.warnings()
        return warning

    def told(self, reason: str | None = None) -> list[str]:
        """Ids of messages in order of their making."""
        return [d.id for d in self.store.s.deliveries.values() if reason in (None, d.reason)]


def access_of(clock: FixedClock, *, demo: bool = False, gone: frozenset[str] = frozenset()) -> Access:
    reader = TokenReader(SharedKey(b"t" * 32), "issuer", "fengqiao", clock)
    return Access(
        reader=reader, session_key=b"s" * 32, clock=clock, units=directory(), demo=demo, deactivated=lambda: gone
    )


async def signed_in(access: Access, who: Principal) -> Principal:
    """The same principal, come by a session cookie."""
    return await access.session_token(access.session_of(who))


async def visitor_of(room: Bench, who: Principal = OFFICER, *, lang: Any = "zh", **more: Any) -> Visitor:
    access = more.pop("access", None) or access_of(room.clock)
    board = more.pop("board", None) or Board(room.desk, Hub(room.store))
    console = Console(room.desk, access, board, Remote(access, "", ""), {})
    principal = await signed_in(access, who)
    return Visitor(console, principal, lang, dark=False, wall=False, address="/", used_at=room.clock.now(), **more)
