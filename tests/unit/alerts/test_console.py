"""What stands behind the console's pages: the shared board, the lines of the list, the map, who may do what and until when."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Request

from services.alerts import queries
from services.alerts.console import panels
from services.alerts.console.board import Board
from services.alerts.console.map import areas, picture
from services.alerts.console.remote import Remote
from services.alerts.console.rows import Choice, may_see, next_act, row, spark
from services.alerts.console.visitor import Console, SignedOut, Visitor, arrive
from services.alerts.domain.lifecycle import Refused
from services.alerts.domain.warning import Warning
from services.alerts.labels import basis
from services.alerts.policy import load_escalations
from services.alerts.reports import of_warning
from services.alerts.stream import Hub
from shared.access import COOKIE, Principal
from shared.directory import directory
from shared.mongo import Unavailable
from tests.support.alerts import BUREAU, finding, flag
from tests.unit.alerts.desk import OFFICER, Bench, access_of, visitor_of

CHINESE = re.compile("[\u3400-\u9fff]")
UNIT = Principal("unit.a", "unit", BUREAU)


async def raised(room: Bench, **more: Any) -> Warning:
    before = set(room.store.s.warnings)
    await room.hear(flag(**more))
    [id] = set(room.store.s.warnings) - before
    return room.store.s.warnings[id]


# -- the board ------------------------------------------------------------------------------------------------------------


async def started(room: Bench) -> tuple[Board, Hub]:
    hub = Hub(room.store)
    room.store.on_commit = hub.wake
    await hub.start()
    board = Board(room.desk, hub)
    await board.start()
    await asyncio.wait_for(board.loaded.wait(), 5)
    return board, hub


async def test_a_change_is_read_once_however_many_pages_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Bench()
    warning = await raised(room)
    board, hub = await started(room)
    assert set(board.warnings) == {warning.id}
    reads: list[str] = []
    many = room.store.many

    async def counted(ids: Collection[str]) -> list[Warning]:
        reads.extend(ids)
        return await many(ids)

    monkeypatch.setattr(room.store, "many", counted)
    watches = [board.watch() for _ in range(50)]
    pages = [watch.__enter__() for watch in watches]
    await room.take(warning, "verify")
    assert [await page.news(5) for page in pages] == [{warning.id}] * 50
    assert reads == [warning.id]
    assert board.warnings[warning.id].state == "verified"
    for watch in watches:
        watch.__exit__(None, None, None)
    assert board.pages == 0
    await board.stop()
    await hub.stop()


async def test_a_page_that_does_not_look_keeps_ids_and_nothing_else() -> None:
    room = Bench()
    warning = await raised(room)
    board, hub = await started(room)
    with board.watch() as slow, board.watch() as quick:
        for action in ("verify", "acknowledge", "settle"):
            await room.take(warning, action, reason="核实")
            assert await quick.news(5) == {warning.id}
        assert slow.changed == {warning.id}
    assert board.warnings == {}
    await board.stop()
    await hub.stop()


async def test_silence_is_not_taken_for_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Bench()
    trouble: list[str] = []
    monkeypatch.setattr("services.alerts.console.board.CHECK_S", 0.02)
    hub = Hub(room.store)
    board = Board(room.desk, hub, lambda: trouble)
    await hub.start()
    await board.start()

    async def becomes(wanted: str | None) -> None:
        async with asyncio.timeout(5):
            while board.pulse.trouble != wanted:
                await asyncio.sleep(0.01)

    await becomes(None)
    trouble.append("behind and not moving")
    await becomes("source")
    trouble.clear()
    await becomes(None)
    head = room.store.head

    async def away() -> int:
        raise Unavailable

    monkeypatch.setattr(room.store, "head", away)
    await becomes("store")

    async def ahead() -> int:
        return hub.at + 3

    monkeypatch.setattr(room.store, "head", ahead)
    await becomes("behind")
    monkeypatch.setattr(room.store, "head", head)
    await becomes(None)
    await hub.stop()
    await becomes("stopped")
    await board.stop()


async def test_a_board_ends_though_its_check_has_just_been_answered() -> None:
    bench = Bench()
    board, hub = await started(bench)
    asyncio.get_running_loop().call_soon(lambda: [task.cancel() for task in board._tasks])
    async with asyncio.timeout(5):
        await board.stop()
        await hub.stop()


# -- lines ----------------------------------------------------------------------------------------------------------------


async def test_the_button_of_a_line_is_the_next_step_of_this_visitor() -> None:
    room = Bench()
    warning = await raised(room, kind="collective_visit", level="II")
    officer, unit, leader = (
        await visitor_of(room, OFFICER),
        await visitor_of(room, UNIT),
        await visitor_of(room, Principal("leader.a", "leader")),
    )

    def button(visitor: Visitor) -> str | None:
        act = next_act(visitor, room.store.s.warnings[warning.id])
        return act["action"] if act else None

    assert (button(officer), button(unit), button(leader)) == ("acknowledge", "acknowledge", None)
    seen = []
    for action, order in (
        ("acknowledge", {}), ("verify", {}), ("step_done", {"item": "report"}), ("assign", {"unit": BUREAU}),
    ):  # fmt: skip
        await room.take(warning.id, action, **order)
        seen.append(button(officer))
    assert seen == ["verify", "report", "assign", "plan"]
    assert button(unit) == "plan"


async def test_a_line_says_what_it_shows_and_no_more() -> None:
    room = Bench()
    warning = await raised(room)
    line = row(await visitor_of(room, lang="en"), warning, room.clock.now())
    assert (line["place"], line["people"], line["stateName"]) == ("Xidong Subdistrict", 5, "raised")
    assert "petition_ids" not in line
    assert "matter" not in line


@pytest.mark.parametrize("lang", ["zh", "en"])
async def test_every_number_under_the_title_says_what_it_counts(lang: str) -> None:
    room = Bench()
    warning = await raised(room)
    visitor = await visitor_of(room, lang=lang)
    flag = replace(warning.flag, distinct_petitioners=16, petition_ids=tuple(f"p{n}" for n in range(17)), headcount=37)
    facts = panels.facts(visitor, replace(warning, flag=flag, episode=2))
    numbers = {int(n[0]): tip for words, tip in facts if tip and (n := re.findall(r"\d+", words))}
    assert set(numbers) == {16, 17, 37, 2}
    assert len(set(numbers.values())) == 4
    assert all(bool(CHINESE.search(words + tip)) == (lang == "zh") for words, tip in facts if tip)


@pytest.mark.parametrize(
    ("state", "left"),
    [
        ("due_soon", "its reason fell away; whoever has it settles it"),
        ("breached", "its reason fell away; somebody still has to look at it"),  # the acknowledgement has lapsed
    ],
)
async def test_the_systems_own_titles_and_reasons_are_in_the_visitors_language(state: str, left: str) -> None:
    room = Bench()
    zh, en = await visitor_of(room), await visitor_of(room, lang="en")
    await room.hear(finding("p1", state, started_by="s"))
    warning = await room.one()
    assert CHINESE.search(row(zh, warning, room.clock.now())["title"])
    line = row(en, warning, room.clock.now())
    assert line["title"].startswith("1 petition is ")
    shown = {key: line[key] for key in ("title", "levelName", "kindName", "stateName", "step", "act", "unit", "place")}
    assert not CHINESE.search(str(shown))
    assert Choice(q="PETITION IS").fits(warning, directory())
    await room.take(warning, "acknowledge")
    await room.hear(finding("p1", "withdrawn", started_by="s", minute=5))
    await room.pass_time(hours=9)
    detail = await queries.detail(room.desk, OFFICER, warning.id)
    assert detail.warning.cleared_at is not None
    assert left in dict(panels.facts(en, detail.warning))
    said = [panels._reason(en, line) for line in detail.log]
    assert "the last of these petitions is not owed any more: extended under Art. 34" in said
    assert not CHINESE.search(" ".join(said))
    assert all(CHINESE.search(words) for line in detail.log if (words := panels._reason(zh, line)))
    assert not CHINESE.search(str(of_warning(detail, room.desk, "en")))


async def test_receivers_and_laws_have_names_in_both_languages() -> None:
    room = Bench()
    zh, en = await visitor_of(room), await visitor_of(room, lang="en")
    escalations = load_escalations()
    assert set(escalations.names) == set(escalations.receivers)
    for visitor in (zh, en):
        visitor.console = replace(visitor.console, receivers=escalations.names)
    assert [v.receiver("leader_on_duty") for v in (zh, en)] == ["带班领导", "leader on duty"]
    assert zh.receiver("pager_of_a_deployment") == "pager_of_a_deployment"
    assert (
        basis("internal practice; 信访工作条例 Art. 20", "en")
        == "internal practice; Regulations on Petition Work Art. 20"
    )
    assert basis("internal practice; 信访工作条例 Art. 20") == "内部做法; 信访工作条例 Art. 20"
    assert basis("《信访工作条例》(2022) Art. 34", "en") == "Regulations on Petition Work (2022) Art. 34"


async def test_the_trend_counts_what_was_there_by_then() -> None:
    room = Bench()
    warning = await raised(room)
    counts = spark(warning, warning.flag.evidence[-1].at)
    assert counts[-1] == len(warning.flag.evidence)
    assert counts == sorted(counts)
    assert len(counts) == 14


def test_a_choice_survives_its_address_and_takes_no_nonsense() -> None:
    choice = Choice(frozenset({"I", "III"}), "overdue", "raised", BUREAU, "379911001", "车库 & 门")
    query = dict(httpx.QueryParams(choice.query()))
    assert Choice.of(query, directory()) == (choice, ())
    nonsense = {"level": "I,V,<script>", "kind": "x", "state": "settled", "unit": "y", "town": BUREAU, "q": "x"}
    assert Choice.of(nonsense, directory()) == (
        Choice(frozenset({"I"}), q="x"),
        ("level", "kind", "state", "unit", "town"),
    )
    assert Choice.of({"unit": "370911.construction_bureau"}, directory())[1] == ()
    assert Choice.of({}, directory()) == (Choice(), ())
    assert Choice().query() == ""


async def test_an_accusation_is_not_there_for_the_accused() -> None:
    room = Bench()
    warning = await raised(room, restricted=True, accused_unit=BUREAU, unit=BUREAU, kind="reprisal_risk")
    assert may_see(await visitor_of(room), warning)
    assert not may_see(await visitor_of(room, UNIT), warning)


# -- who, and until when --------------------------------------------------------------------------------------------------


def request(path: str = "/", cookie: str | None = None, query: str = "") -> Request:
    headers = [(b"cookie", cookie.encode())] if cookie else []
    return Request(
        {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": headers,
         "server": ("alerts", 80), "scheme": "http"}
    )  # fmt: skip


async def test_nobody_is_let_in_without_a_sign_in() -> None:
    room = Bench()
    access = access_of(room.clock)
    console = Console(room.desk, access, Board(room.desk, Hub(room.store)), Remote(access, "", ""), {})
    for cookie in (None, f"{COOKIE}=forged"):
        answer = await arrive(console, request("/warnings/1", cookie, "do=plan"))
        assert not isinstance(answer, Visitor)
        assert answer.headers["location"] == "/auth/login?next=%2Fwarnings%2F1%3Fdo%3Dplan"
    visitor = await arrive(console, request(cookie=f"{COOKIE}={access.session_of(OFFICER)}", query="wall=1&lang=en"))
    assert isinstance(visitor, Visitor)
    assert (visitor.who.account, visitor.lang, visitor.wall, visitor.dark) == (OFFICER.account, "en", True, True)
    gone = access_of(room.clock, gone=frozenset({OFFICER.account}))
    console = Console(room.desk, gone, console.board, console.remote, {})
    answer = await arrive(console, request(cookie=f"{COOKIE}={access.session_of(OFFICER)}"))
    assert not isinstance(answer, Visitor)
    assert answer.status_code == 401


async def test_an_action_needs_a_sign_in_that_was_used_and_a_page_one_that_stands() -> None:
    room = Bench()
    visitor = await visitor_of(room)
    room.clock.advance(timedelta(minutes=14))
    visitor.use()
    room.clock.advance(timedelta(minutes=14))
    visitor.use()
    room.clock.advance(timedelta(minutes=16))
    with pytest.raises(SignedOut):
        visitor.use()
    assert visitor.watching()
    room.clock.advance(timedelta(hours=8))
    assert not visitor.watching()
    gone = await visitor_of(room)
    gone.console.access._deactivated = lambda: frozenset({OFFICER.account})
    assert not gone.watching()


async def test_the_loser_reads_who_won() -> None:
    room = Bench()
    warning = await raised(room)
    other = Principal("officer.b", "duty_officer")
    await room.take(warning, "acknowledge", other)
    with pytest.raises(Refused) as refused:
        await room.take(warning, "settle", reason="已了结", expected_version=1)
    assert "officer.b 已在" in (await visitor_of(room)).refusal(refused.value)
    assert "officer.b was first" in (await visitor_of(room, lang="en")).refusal(refused.value)


# -- the map --------------------------------------------------------------------------------------------------------------


def test_a_map_is_drawn_from_plain_geojson() -> None:
    square = [[[117.0, 36.0], [117.2, 36.0], [117.2, 36.1], [117.0, 36.1], [117.0, 36.0]]]
    document = {
        "type": "FeatureCollection",
        "features": [
            {"properties": {"code": "379911001"}, "geometry": {"type": "Polygon", "coordinates": square}},
            {
                "properties": {"adcode": 379911002},
                "geometry": {"type": "MultiPolygon", "coordinates": [square, square]},
            },
            {"properties": {"code": '"><script>'}, "geometry": {"type": "Polygon", "coordinates": square}},
            {"properties": {"code": "379911003"}, "geometry": {"type": "Point", "coordinates": [1, 2]}},
        ],
    }
    found = areas(document)
    assert [(area.code, len(area.rings)) for area in found] == [("379911001", 1), ("379911002", 2)]
    drawn = picture(found)
    assert drawn.width == 600
    assert drawn.height == pytest.approx(600 * 0.1 / (0.2 * 0.8085), rel=0.01)
    assert drawn.areas[0].path.startswith("M0.0 ")
    assert areas({}) == []
    assert picture([]).areas == ()


def test_the_styles_and_scripts_name_nothing_outside() -> None:
    folder = Path(__file__).parents[3] / "services" / "alerts" / "console"
    for file in folder.glob("*.[cj]s*"):
        assert "http://" not in file.read_text(encoding="utf-8")
        assert "https://" not in file.read_text(encoding="utf-8")
