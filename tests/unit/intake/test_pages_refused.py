"""The public pages refuse what a petitioner cannot have meant: an answer to what was not shown, a form in no encoding."""

import httpx
import pytest

from services.intake.handlers import Intake
from services.intake.pages.words import WORDS
from tests.support.intake import bearer, file, tables
from tests.unit.intake.test_pages import FORM, client, hidden, numbers, send

UNIT = "379911.construction_bureau"
ACCEPTED, REPLIED = {"type": "accepted", "unit": UNIT}, {"type": "replied", "opinion": "reject"}


async def step(web: httpx.AsyncClient, intake: Intake, *bodies: dict[str, str]) -> None:
    id = next(iter(tables(intake).petitions))
    for body in bodies:
        assert (await web.post(f"/v1/petitions/{id}/events", json=body, headers=bearer())).status_code == 201


async def test_an_evaluation_from_an_old_page_is_not_of_the_reply_that_came_since(intake: Intake) -> None:
    async with client(intake) as web:
        receipt, code = numbers((await send(web)).text)
        await step(web, intake, ACCEPTED, REPLIED)
        who = {"receipt": receipt, "code": code}
        seen = hidden((await web.post("/progress", data=who)).text, "version")
        await step(web, intake, {"type": "reopened", "reasons": "复核"}, {"type": "replied", "opinion": "support"})
        answer = await web.post("/progress/evaluation", data={**who, "version": seen, "solved": "no"})
        assert answer.status_code == 409
        assert WORDS["moved_on"][0] in answer.text
        assert tables(intake).outbox[-1].type == "fengqiao.petition.replied.v1"
        seen = hidden((await web.post("/progress", data=who)).text, "version")
        answer = await web.post("/progress/evaluation?lang=en", data={**who, "version": seen, "solved": "no"})
        assert WORDS["thanks"][1] in answer.text
        assert tables(intake).outbox[-1].type == "fengqiao.petition.evaluated.v1"


@pytest.mark.parametrize("version", ["", "x", "-1", "0", "3.0", " 3", "３", "³", "03", "9" * 5000])
async def test_nor_is_one_from_a_page_that_does_not_say_what_it_showed(intake: Intake, version: str) -> None:
    async with client(intake) as web:
        receipt, code = numbers((await send(web)).text)
        await step(web, intake, ACCEPTED, REPLIED)
        sent = {"receipt": receipt, "code": code, "version": version, "solved": "yes"}
        answer = await web.post("/progress/evaluation", data=sent)
        assert answer.status_code == 409
        assert WORDS["moved_on"][0] in answer.text
        assert len(tables(intake).outbox) == 3


async def test_a_refusal_out_of_the_pool_is_evaluated_too(intake: Intake) -> None:
    async with client(intake) as web:
        filed = (await file(web)).json()
        refused = {"type": "not_accepted", "unit": "379911.petition_bureau", "reasons": "已进入诉讼程序"}
        await step(web, intake, refused)
        who = {"receipt": filed["receipt"], "code": filed["query_code"]}
        seen = hidden((await web.post("/progress", data=who)).text, "version")
        answer = await web.post("/progress/evaluation", data={**who, "version": seen, "solved": "no"})
        assert WORDS["thanks"][0] in answer.text
        assert tables(intake).outbox[-1].data.unit == "379911.petition_bureau"


def multipart(fields: dict[str, bytes]) -> bytes:
    parts = (
        b'--XX\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value)
        for name, value in fields.items()
    )
    return b"".join(parts) + b"--XX--\r\n"


@pytest.mark.parametrize("path", ["/", "/progress", "/registered", "/progress/evaluation"])
@pytest.mark.parametrize(
    ("charset", "value"),
    [
        ("utf-7", b"a+2AA-b"),
        ("unicode_escape", rb"a\ud800b"),
        ("raw_unicode_escape", rb"a\ud800b"),
        ("undefined", b"ab"),
        ('"UTF-7"', b"a+2AA-b"),
        ("utf-8; charset=utf-7", b"a+2AA-b"),
        ("utf-7; charset=utf-8", b"a+2AA-b"),
    ],
)
async def test_a_form_in_another_encoding_is_no_failure_of_ours(
    intake: Intake, path: str, charset: str, value: bytes
) -> None:
    async with client(intake) as web:
        token = hidden((await web.get("/")).text, "token")
        fields = {name: said.encode() for name, said in FORM.items()} | {"token": token.encode()}
        body = multipart(fields | dict.fromkeys(("title", "receipt", "code"), value))
        headers = {"content-type": f"multipart/form-data; boundary=XX; charset={charset}", "accept": "text/html"}
        answer = await web.post(path, content=body, headers=headers)
    assert answer.status_code == 400
    assert "form-charset" in answer.text
    assert not tables(intake).petitions


@pytest.mark.parametrize("parameter", ["", "; charset=utf-8", '; charset="UTF-8"', "; charset=utf8; x=y"])
async def test_a_form_in_utf_8_is_taken(intake: Intake, parameter: str) -> None:
    async with client(intake) as web:
        token = hidden((await web.get("/")).text, "token")
        body = multipart({name: said.encode() for name, said in FORM.items()} | {"token": token.encode()})
        headers = {"content-type": f"multipart/form-data; boundary=XX{parameter}"}
        assert (await web.post("/", content=body, headers=headers)).status_code == 201


async def test_nor_is_a_file_in_a_form_of_another_encoding(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "multipart/form-data; boundary=XX; charset=undefined", **bearer()}
    answer = await client.post("/v1/imports?channel=letter", content=multipart({"file": b"x"}), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "form-charset")
