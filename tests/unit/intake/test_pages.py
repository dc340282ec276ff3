"""The public pages: filing and looking up without scripts, cookies or sessions; nothing of what is typed runs as code."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape

import httpx
import pytest

from services.intake.handlers import Intake
from services.intake.pages.routes import Pages, pages_router
from services.intake.pages.words import WORDS
from services.intake.similar import FindSimilar, ScreeningClient, Similar
from services.intake.throttle import Throttle
from shared.clock import FixedClock
from shared.mongo import Unavailable
from shared.web import Problem
from tests.support.intake import INDEX_KEY, RATES, bearer, make_app, tables

FORM = {
    "purpose": "appeal",
    "jurisdiction": "379911",
    "town": "379911001",
    "topic": "labour_dispute",
    "title": "拖欠工资",
    "text": "幸福家园工地\r\n拖欠工资。",
    "name": "王小明",
    "phone": "13800138000",
}


async def nothing_similar(_county: str, _title: str, _text: str) -> list[Similar]:
    return []


def client(intake: Intake, similar: FindSimilar = nothing_similar, rate: str = "1000/second") -> httpx.AsyncClient:
    app = make_app(intake)
    throttle = Throttle({**RATES, "form": rate}, ())
    app.include_router(pages_router(Pages(intake, throttle, similar, INDEX_KEY)))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://intake")


@pytest.fixture
async def web(intake: Intake) -> AsyncIterator[httpx.AsyncClient]:
    async with client(intake) as one:
        yield one


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found
    return unescape(found[1])


async def send(web: httpx.AsyncClient, token: str | None = None, **changes: str) -> httpx.Response:
    token = token or hidden((await web.get("/")).text, "token")
    return await web.post("/", data={**FORM, "token": token, **changes})


def numbers(page: str) -> tuple[str, str]:
    receipt = re.search(r'id="receipt">([^<]+)<', page)
    code = re.search(r'id="code">([^<]+)<', page)
    assert receipt
    assert code
    return receipt[1], code[1]


async def test_a_petition_is_filed_looked_up_and_evaluated(web: httpx.AsyncClient, intake: Intake) -> None:
    made = await send(web)
    assert made.status_code == 201
    receipt, code = numbers(made.text)
    row = next(iter(tables(intake).petitions.values()))
    assert (row["channel"], row["town"], row["text"]) == ("web_portal", "379911001", "幸福家园工地\n拖欠工资。")
    address = f"/v1/petitions/{row['_id']}"
    for body in ({"type": "accepted"}, {"type": "replied", "opinion": "support"}):
        assert (await web.post(f"{address}/events", json=body, headers=bearer())).status_code == 201
    await web.post(f"{address}/identity", json={"reason": "电话核实情况"}, headers=bearer())
    seen = await web.post("/progress", data={"receipt": receipt, "code": code})
    assert seen.status_code == 200
    for said in ("已作出处理意见", "电话核实情况", "您的问题解决了吗", "拖欠工资"):
        assert said in seen.text
    answer = {"receipt": receipt, "code": code, "version": hidden(seen.text, "version"), "solved": "no"}
    for _ in range(2):  # a second click changes nothing
        thanked = await web.post("/progress/evaluation", data=answer)
        assert "已记录您的评价" in thanked.text
    last = tables(intake).outbox[-1]
    assert (last.type, last.data.solved, last.data.actor) == ("fengqiao.petition.evaluated.v1", False, "petitioner")
    assert len(tables(intake).outbox) == 4


async def test_a_second_click_files_once(web: httpx.AsyncClient, intake: Intake) -> None:
    token = hidden((await web.get("/")).text, "token")
    first, second = await send(web, token), await send(web, token)
    assert numbers(first.text) == numbers(second.text)
    assert len(tables(intake).petitions) == 1
    changed = await send(web, token, title="改了标题")
    assert changed.status_code == 409
    assert WORDS["filed_before"][0] in changed.text
    assert "aria-invalid" not in changed.text
    assert len(tables(intake).petitions) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"title": " "}, "field_title"),
        ({"text": "。。。"}, "field_text"),
        ({"text": ""}, "field_text"),
        ({"text": "a\0b"}, "field_nul"),
        ({"jurisdiction": ""}, "field_jurisdiction"),
        ({"phone": "abc"}, "field_petitioner.phone"),
        ({"id_number": "110105194912310021"}, "field_petitioner.id_number"),
        ({"accused_unit": "379911"}, "field_accused_unit"),
        ({"accused_unit": "张局长"}, "field_accused_unit"),
        ({"purpose": "revenge"}, "field_other"),
        ({"topic": "no_such"}, "field_other"),
    ],
)
async def test_what_is_wrong_is_said_in_words_and_nothing_typed_is_lost(
    web: httpx.AsyncClient, intake: Intake, changes: dict[str, str], said: str
) -> None:
    answer = await send(web, **changes)
    assert answer.status_code == 422
    assert WORDS[said][0] in unescape(answer.text)
    assert 'value="王小明"' in answer.text
    assert tables(intake).petitions == {}


async def test_all_that_is_wrong_is_said_at_once_at_its_field(web: httpx.AsyncClient, intake: Intake) -> None:
    """Whichever of the two finds it: the body's types, or the rules of a petition."""
    bad = {
        "jurisdiction": "",
        "topic": "no_such",
        "title": " ",
        "text": "。\0。",
        "accused_unit": "379911",
        "name": "王" * 101,
        "phone": "abc",
        "id_number": "110105194912310021",
    }
    page = (await send(web, **bad)).text
    assert re.findall(r'<li><a href="#([^"]+)">', page) == list(bad)
    for name in (*bad, "address"):
        field = re.search(rf'<(?:input|select|textarea) id="{name}"[^>]*>', page)
        assert field
        assert ('aria-invalid="true"' in field[0]) == (name in bad), name
        assert (f'id="{name}-error"' in page) == (f"{name}-error" in field[0]) == (name in bad), name
    assert "\0" not in page
    whole = await send(web, hidden(page, "token"))  # and then it is filed, without another round
    assert whole.status_code == 201
    assert len(tables(intake).petitions) == 1


async def test_an_old_page_says_so_on_top_with_what_is_wrong_below(web: httpx.AsyncClient, intake: Intake) -> None:
    token = hidden((await web.get("/")).text, "token")
    assert isinstance(intake.clock, FixedClock)
    intake.clock.advance(timedelta(hours=7))
    old = await send(web, token, phone="abc")
    assert old.status_code == 409
    assert WORDS["expired"][0] in old.text
    assert re.findall(r'<li><a href="#([^"]+)">', old.text) == ["phone"]
    assert re.findall(r'id="(\w+)"[^>]*aria-invalid', old.text) == ["phone"]
    for typed in ('value="拖欠工资"', "幸福家园工地", 'value="王小明"', 'value="abc"'):
        assert typed in old.text
    for name in ("purpose", "jurisdiction", "town", "topic"):
        assert f'<option value="{FORM[name]}" selected>' in old.text


async def test_a_matter_that_cannot_be_joined_any_more_keeps_nobody_from_filing(
    web: httpx.AsyncClient, intake: Intake
) -> None:
    answer = await send(web, asked="yes", joined="00000000-0000-4000-8000-000000000000")
    assert answer.status_code == 422
    assert WORDS["joined_gone"][0] in answer.text
    assert "aria-invalid" not in answer.text
    assert (await send(web, hidden(answer.text, "token"))).status_code == 201


async def test_english_is_one_switch_away(web: httpx.AsyncClient) -> None:
    page = (await web.get("/?lang=en")).text
    assert "Who will see your name" in page
    assert 'lang="en"' in page
    assert "谁会看到您的姓名" in (await web.get("/")).text
    assert all(zh.strip() and en.strip() for zh, en in WORDS.values())


async def test_markup_is_text(web: httpx.AsyncClient) -> None:
    evil = '<script>alert(1)</script>"><img src=x onerror=1>{{7*7}}'
    page = (await send(web, title=evil, phone="abc")).text
    assert "<script" not in page
    assert "<img" not in page
    assert "{{7*7}}" in page
    receipt, code = numbers((await send(web, title=evil)).text)
    shown = (await web.post("/progress", data={"receipt": receipt, "code": code})).text
    assert "<script" not in shown
    assert evil in unescape(shown)


async def test_what_people_wrote_does_not_turn_the_page_around(web: httpx.AsyncClient) -> None:
    title = "\u202eمرحبا 拖欠工资"
    receipt, code = numbers((await send(web, title=title)).text)
    shown = (await web.post("/progress", data={"receipt": receipt, "code": code})).text
    assert f"<dd><bdi>{title}</bdi></dd>" in shown
    form = (await send(web, title=title, phone="abc")).text
    for name in ("title", "text", "name", "address"):
        assert re.search(rf'<(?:input|textarea) id="{name}" [^>]*dir="auto"', form), name


async def test_errors_come_in_the_order_of_the_fields(web: httpx.AsyncClient) -> None:
    page = (await send(web, text="", town="x", accused_unit="张局长", phone="1" * 41, name="王" * 101)).text
    told = re.findall(r'<li><a href="#([^"]+)">', page)
    fields = re.findall(r'<(?:input|select|textarea) id="([^"]+)"', page)
    assert told == ["town", "text", "accused_unit", "name", "phone"]
    assert told == sorted(told, key=fields.index)


async def test_the_other_language_keeps_what_was_looked_up(web: httpx.AsyncClient) -> None:
    receipt, code = numbers((await send(web)).text)
    shown = (await web.post("/progress", data={"receipt": receipt, "code": code})).text
    switch = re.search(r'<form class="switch" method="post" action="([^"]+)"[^>]*>(.*?)</form>', shown, re.S)
    assert switch
    assert code not in unescape(switch[1])
    data = {name: hidden(switch[2], name) for name in ("receipt", "code")}
    english = await web.post(switch[1], data=data)
    assert english.status_code == 200
    assert WORDS["state_received"][1] in english.text
    assert receipt in english.text
    asked = (await web.get("/progress", params={"receipt": receipt})).text
    assert f"/progress?lang=en&receipt={receipt}" in unescape(asked)


async def test_the_other_language_keeps_receipt_and_code_of_a_filing(web: httpx.AsyncClient) -> None:
    receipt, code = numbers((await send(web)).text)
    english = await web.post("/registered?lang=en", data={"receipt": receipt, "code": code})
    assert english.status_code == 200
    assert WORDS["done"][1] in english.text
    assert numbers(english.text) == (receipt, code)
    wrong = await web.post("/registered?lang=en", data={"receipt": receipt, "code": "nothing"})
    assert wrong.status_code == 404
    assert WORDS["wrong"][1] in unescape(wrong.text)
    again = await web.get("/registered?lang=en")  # the address alone knows nothing of it
    assert (again.status_code, code in again.text) == (200, False)


@pytest.mark.parametrize("error", [Unavailable("away"), Problem(429, "rate-limited", "later")])
async def test_the_code_stays_on_the_page_when_nobody_can_say_whether_it_is_right(
    web: httpx.AsyncClient, intake: Intake, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    receipt, code = numbers((await send(web)).text)

    async def fail(*_: str) -> None:
        raise error

    monkeypatch.setattr(intake, "progress", fail)
    english = await web.post("/registered?lang=en", data={"receipt": receipt, "code": code})
    assert english.status_code == 200
    assert numbers(english.text) == (receipt, code)


async def test_the_other_language_keeps_what_was_typed_and_files_nothing(
    web: httpx.AsyncClient, intake: Intake
) -> None:
    token = hidden((await web.get("/")).text, "token")
    typed = await web.post("/?lang=en", data={**FORM, "text": "", "token": token, "switch": "yes"})
    assert typed.status_code == 200
    assert 'lang="en"' in typed.text
    assert 'value="王小明"' in typed.text
    assert hidden(typed.text, "token") == token
    assert 'class="errors"' not in typed.text
    assert tables(intake).petitions == {}
    first, second = re.findall(r'<button[^>]*form="petition"[^>]*>', typed.text)
    assert "hidden" in first  # what Enter presses
    assert 'name="switch"' in second
    assert (await send(web, token)).status_code == 201


async def test_pages_allow_no_script_and_are_not_kept(web: httpx.AsyncClient) -> None:
    for path in ("/", "/progress"):
        page = await web.get(path)
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert page.headers["cache-control"] == "no-store"
        assert "set-cookie" not in page.headers
    assert (await web.get("/static/intake.css")).headers["content-type"].startswith("text/css")


async def test_every_field_has_a_label(web: httpx.AsyncClient) -> None:
    for path in ("/", "/progress"):
        page = (await web.get(path)).text
        ids = set(re.findall(r'<(?:input|select|textarea)[^>]* id="([^"]+)"|<(?:select|textarea) id="([^"]+)"', page))
        fields = {a or b for a, b in ids} | set(re.findall(r'<input id="([^"]+)"', page))
        assert fields
        assert fields <= set(re.findall(r'<label[^>]* for="([^"]+)"', page))


async def test_another_site_cannot_send_the_form(web: httpx.AsyncClient, intake: Intake) -> None:
    token = hidden((await web.get("/")).text, "token")
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://intake"},
    ):
        answer = await web.post("/", data={**FORM, "token": token}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross-site")
    own = await web.post("/", data={**FORM, "token": token}, headers={"origin": "http://intake"})
    assert own.status_code == 201
    forged = await web.post("/", data={**FORM, "token": "aa-bb.cc"})
    assert forged.status_code == 409
    assert len(tables(intake).petitions) == 1


async def test_an_old_page_asks_to_send_again(web: httpx.AsyncClient, intake: Intake) -> None:
    token = hidden((await web.get("/")).text, "token")
    assert isinstance(intake.clock, FixedClock)
    intake.clock.advance(timedelta(hours=7))
    answer = await send(web, token)
    assert answer.status_code == 409
    assert "幸福家园工地" in answer.text
    assert (await send(web, hidden(answer.text, "token"))).status_code == 201


async def test_too_many_forms_are_429_and_keep_what_was_typed(intake: Intake) -> None:
    async with client(intake, rate="1/minute") as web:
        assert (await send(web)).status_code == 201
        answer = await send(web)
    assert answer.status_code == 429
    assert "幸福家园工地" in answer.text


async def test_a_wrong_receipt_and_a_wrong_code_look_the_same(web: httpx.AsyncClient) -> None:
    receipt, code = numbers((await send(web)).text)
    other = receipt[:-1] + ("3" if receipt.endswith("2") else "2")
    wrong = [
        await web.post("/progress", data={"receipt": receipt, "code": "A" * 10}),
        await web.post("/progress", data={"receipt": other, "code": code}),
        await web.post("/progress/evaluation", data={"receipt": receipt, "code": "A" * 10, "solved": "yes"}),
    ]
    assert {answer.status_code for answer in wrong} == {404}
    assert all("不符" in answer.text for answer in wrong)


async def test_similar_matters_are_offered_and_joining_is_a_choice(intake: Intake) -> None:
    asked: list[tuple[str, str, str]] = []
    first: list[Similar] = []

    async def similar(county: str, title: str, text: str) -> list[Similar]:
        asked.append((county, title, text))
        return first

    async with client(intake, similar) as web:
        await send(web)
        row = next(iter(tables(intake).petitions))
        first.append(Similar(row, "同一<b>工地</b>"))
        offered = await send(web, text="我叫王小明,工地欠薪")
        assert offered.status_code == 200
        assert "同一&lt;b&gt;工地" in offered.text
        assert asked[-1] == ("379911", "拖欠工资", "我叫[姓名],工地欠薪")
        token = hidden(offered.text, "token")
        joined = await send(web, token, text="我叫王小明,工地欠薪", asked="yes", joined=row)
        assert joined.status_code == 201
        assert tables(intake).outbox[-1].data.joined == row
        accused = await send(web, purpose="accusation")
        assert accused.status_code == 201
        became_one = await send(web, asked="yes", joined=row, purpose="accusation")
        assert became_one.status_code == 201
        assert tables(intake).outbox[-1].data.joined is None
    assert len(asked) == 2


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(200, text="not json"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"matters": [{"title": "x"}]}),
        httpx.ConnectError("gone"),
        httpx.ReadTimeout("slow"),
    ],
)
async def test_without_screening_there_are_no_suggestions(answer: httpx.Response | Exception) -> None:
    def reply(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    screening = ScreeningClient("http://screening", 0.5, httpx.MockTransport(reply))
    assert await screening("379911", "标题", "内容") == []
    await screening.close()


async def test_at_most_three_suggestions() -> None:
    items = [{"petition_id": str(n), "title": f"第{n}件"} for n in range(5)]
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"matters": items}))
    screening = ScreeningClient("http://screening", 0.5, transport)
    assert [one.petition_id for one in await screening("379911", "标题", "内容")] == ["0", "1", "2"]
    await screening.close()
