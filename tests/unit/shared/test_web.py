"""Group A of the bad inputs: whatever the body is, a stable code, no 5xx, nothing echoed."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Query, Request
from pydantic import ConfigDict, Field

from shared import edge, web
from shared.mongo import Unavailable
from shared.openapi import query_names
from shared.web import Body, Instant, Problem, idempotency_key, install, json_body, parse_instant, read_json

SECRET = "王小明13800138000"


class Inner(Body):
    note: str = Field(default="", max_length=10)


class Thing(Body):
    name: str = Field(max_length=20)
    count: int = 0
    weight: float = 0.0
    at: Instant | None = None
    inner: Inner | None = None


def make_app() -> FastAPI:
    app = FastAPI()
    install(app, body_limits={"/big": 3_000_000})

    @app.post("/things", openapi_extra=json_body(Thing, key=True))
    async def things(request: Request) -> dict[str, str]:
        thing = await read_json(request, Thing, limit=2000)
        return {"name": thing.name}

    @app.post("/keyed")
    async def keyed(request: Request) -> dict[str, str]:
        return {"key": idempotency_key(request)}

    @app.post("/big")
    async def big(request: Request) -> dict[str, int]:
        return {"size": len(await web.read_body(request, 2_000_000))}

    @app.get("/crash")
    async def crash() -> None:
        raise RuntimeError(f"about {SECRET}")

    @app.get("/down")
    async def down() -> None:
        raise Unavailable("mongod")

    @app.get("/query")
    async def query(size: int) -> int:
        return size

    @app.get("/list")
    async def listed(size: int = 5, kind: Annotated[list[str] | None, Query()] = None) -> int:
        return size + len(kind or [])

    @app.get("/read-itself", openapi_extra=query_names(["state"]))
    async def read_itself(request: Request) -> list[str]:
        return request.query_params.getlist("state")

    @app.get("/page", include_in_schema=False)
    async def page() -> str:
        return "<p>"

    return app


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(make_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as one:
        yield one


JSON = {"content-type": "application/json"}
NAME = b'{"name":"a","x":%s}'

BAD_BODIES = [
    pytest.param(b"", 400, "body-empty", id="A1-empty"),
    pytest.param(b"  \n", 400, "body-empty", id="A1-blank"),
    pytest.param(b"[]", 422, "not-an-object", id="A2-array"),
    pytest.param(b"null", 422, "not-an-object", id="A2-null"),
    pytest.param(b'"x"', 422, "not-an-object", id="A2-string"),
    pytest.param(b"1", 422, "not-an-object", id="A2-number"),
    pytest.param(b'{"name":"a"', 400, "not-json", id="A3-truncated"),
    pytest.param(b'{"name":"a"} x', 400, "not-json", id="A4-trailing"),
    pytest.param(b'{"name":"a"}{"name":"b"}', 400, "not-json", id="A4-two"),
    pytest.param(b'{"name":"a","name":"b"}', 400, "duplicate-key", id="A5-duplicate"),
    pytest.param(b'{"name":"a","inner":{"note":"a","note":"a"}}', 400, "duplicate-key", id="A5-duplicate-inside"),
    pytest.param(b'{"name":"a","weight":NaN}', 400, "not-json", id="A6-nan"),
    pytest.param(b'{"name":"a","weight":-Infinity}', 400, "not-json", id="A6-infinity"),
    pytest.param(b'{"name":"a","weight":1e999}', 422, "number-out-of-range", id="A7-1e999"),
    pytest.param(b'{"name":"a","count":9223372036854775808}', 422, "number-out-of-range", id="A8-2**63"),
    pytest.param(b'{"name":"a","count":-9223372036854775809}', 422, "number-out-of-range", id="A8--2**63-1"),
    pytest.param(NAME % (b"9" * 1500), 400, "number-too-long", id="A9-long-number"),
    pytest.param(NAME % (b"[" * 900 + b"]" * 900), 400, "too-deep", id="A10-deep"),
    pytest.param(NAME % (b"[" * 40 + b"]" * 40), 400, "too-deep", id="A10-deeper-than-allowed"),
    pytest.param(b'{"name":"\\ud800"}', 422, "lone-surrogate", id="A12-surrogate"),
    pytest.param(b'{"name":"a","\\udfff":1}', 422, "lone-surrogate", id="A12-surrogate-key"),
    pytest.param(b'{"name":"a\\u0000b"}', 422, "nul-character", id="A13-nul"),
    pytest.param(b'\xef\xbb\xbf{"name":"a"}', 400, "byte-order-mark", id="A14-bom"),
    pytest.param('{"name":"扰民"}'.encode("gbk"), 400, "not-utf8", id="A15-gbk"),
    pytest.param('{"name":"扰民"}'.encode("utf-16"), 400, "byte-order-mark", id="A16-utf16"),
    pytest.param('{"name":"a"}'.encode("utf-16-le"), 400, "not-json", id="A16-utf16-no-bom"),
    pytest.param(b'{"name":"\xc0\xaf"}', 400, "not-utf8", id="A17-overlong"),
    pytest.param(b'{"name":"\xff"}', 400, "not-utf8", id="A17-invalid"),
    pytest.param(b'{"name":"a","count":true}', 422, "invalid-request", id="A22-true"),
    pytest.param(b'{"name":"a","count":"12"}', 422, "invalid-request", id="A22-string-number"),
    pytest.param(b'{"name":"a","count":1.5}', 422, "invalid-request", id="A22-fraction"),
    pytest.param(b'{"name":1}', 422, "invalid-request", id="A22-number-string"),
    pytest.param(b'{"name":"a","_id":1}', 422, "invalid-request", id="A23-_id"),
    pytest.param(b'{"name":"a","$where":"1"}', 422, "invalid-request", id="A23-where"),
    pytest.param(b'{"name":"a","__proto__":{}}', 422, "invalid-request", id="A23-proto"),
    pytest.param(b'{"name":"a","a.b":1}', 422, "invalid-request", id="A23-dot"),
    pytest.param(b'{"name":{"$gt":""}}', 422, "invalid-request", id="A24-operator"),
    pytest.param(b"{}", 422, "invalid-request", id="missing"),
]


@pytest.mark.parametrize(("body", "status", "code"), BAD_BODIES)
async def test_a_bad_body_gets_its_code(client: httpx.AsyncClient, body: bytes, status: int, code: str) -> None:
    answer = await client.post("/things", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_100_000_nested_arrays_and_a_megabyte_of_objects(client: httpx.AsyncClient) -> None:
    for body in (b"[" * 100_000, b'{"a":' * 200_000):
        answer = await client.post("/things", content=body, headers=JSON)
        assert answer.status_code == 413
        with pytest.raises(Problem) as problem:
            web.check_json(body)
        assert problem.value.status == 400


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/json; charset=gbk"},
        {"content-type": "application/jsonp"},
        {"content-type": "application/json", "content-encoding": "gzip"},
        {"content-type": "application/json", "content-encoding": "deflate"},
    ],
)
async def test_another_media_type_or_encoding_is_415(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await client.post("/things", content=gzip.compress(b'{"name":"a"}'), headers=headers)
    assert answer.status_code == 415
    assert answer.json()["code"] in {"content-type", "content-encoding"}


async def test_charset_utf8_is_the_default_said_aloud(client: httpx.AsyncClient) -> None:
    headers = {"content-type": 'application/json; charset="UTF-8"'}
    assert (await client.post("/things", content=b'{"name":"a"}', headers=headers)).status_code == 200


async def test_a_large_body_is_413_with_and_without_length(client: httpx.AsyncClient) -> None:
    async def chunks(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b" " * 100_000

    with_length = await client.post("/things", content=b" " * 20_000_000, headers=JSON)
    chunked = await client.post("/things", content=chunks(200), headers=JSON)
    lying = await client.post("/things", content=chunks(200), headers={**JSON, "content-length": "10"})
    allowed = await client.post("/big", content=chunks(19))
    over = await client.post("/big", content=chunks(21))
    beyond = await client.post("/big", content=chunks(40))
    assert [one.status_code for one in (with_length, chunked, lying, allowed, over, beyond)] == [
        413, 413, 413, 200, 413, 413
    ]  # fmt: skip


async def test_a_body_that_drips_is_408(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "BODY_SECONDS", -1000.0)

    async def drip() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    answer = await client.post("/things", content=drip(), headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (408, "body-too-slow")


async def test_no_value_and_no_foreign_key_comes_back(client: httpx.AsyncClient) -> None:
    body = f'{{"name":{{"{SECRET}":1}},"{SECRET}":1,"count":"{SECRET}","inner":{{"note":"{SECRET}超过十个字"}}}}'
    answer = await client.post("/things", content=body.encode(), headers=JSON)
    assert answer.status_code == 422
    assert "王小明" not in answer.text
    assert "138001" not in answer.text
    assert {one["field"] for one in answer.json()["errors"]} == {"name", "count", "inner.note", "(unknown)"}


async def test_text_comes_back_byte_for_byte(client: httpx.AsyncClient) -> None:
    name = "𠮷𬬭㐀 👨‍👩‍👧\u202e\u200be\u0301"
    answer = await client.post("/things", json={"name": name})
    assert answer.json() == {"name": name}


@pytest.mark.parametrize("key", [None, "", "a b", "x" * 201, "键".encode(), "a\x7f"])
async def test_the_idempotency_key_is_checked(client: httpx.AsyncClient, key: str | bytes | None) -> None:
    headers = {} if key is None else {"idempotency-key": key}
    answer = await client.post("/keyed", headers=headers)
    assert answer.status_code == 400
    assert answer.json()["code"].startswith("idempotency-key-")


async def test_two_idempotency_keys_are_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/keyed", headers=[("idempotency-key", "a"), ("idempotency-key", "b")])
    assert answer.json()["code"] == "idempotency-key-invalid"
    assert (await client.post("/keyed", headers={"idempotency-key": "x" * 200})).json()["key"] == "x" * 200


async def test_a_crash_says_nothing(client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]) -> None:
    answer = await client.get("/crash")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert "王小明" not in answer.text + "".join(capsys.readouterr())


async def test_a_store_that_is_away_is_503(client: httpx.AsyncClient) -> None:
    answer = await client.get("/down")
    assert (answer.status_code, answer.json()["code"]) == (503, "storage-unavailable")
    assert answer.headers["retry-after"] == "2"


async def test_errors_of_the_framework_are_problems_too(client: httpx.AsyncClient) -> None:
    missing = await client.get("/nothing")
    method = await client.put("/things")
    query = await client.get("/query", params={"size": SECRET})
    found = [(one.status_code, one.json()["code"]) for one in (missing, method, query)]
    assert found == [(404, "not-found"), (405, "method-not-allowed"), (422, "invalid-request")]
    assert "王" not in query.text


@pytest.mark.parametrize(
    ("address", "code", "told"),
    [
        ("/list?limit=abc", "unknown-parameter", "the parameters here are: size, kind"),
        ("/list?size=3&=", "unknown-parameter", "size, kind"),
        ("/list?size[$gt]=3", "unknown-parameter", "size, kind"),
        ("/read-itself?status=open", "unknown-parameter", "state"),
        ("/crash?x=1", "unknown-parameter", "takes no parameter"),
        ("/list?size=3&size=4", "parameter-repeated", "query.size"),
        ("/list?size=abc", "invalid-request", "query.size"),
        ("/list?size=", "invalid-request", "query.size"),
    ],
)
async def test_a_parameter_that_would_be_passed_over_is_422(
    client: httpx.AsyncClient, address: str, code: str, told: str
) -> None:
    answer = await client.get(address)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert told in answer.json()["detail"]


async def test_an_unknown_parameter_is_not_quoted(client: httpx.AsyncClient) -> None:
    answer = await client.get("/list", params={SECRET: SECRET})
    assert answer.json()["errors"][0]["field"] == "(unknown)"
    assert "王" not in answer.text
    assert "13800138000" not in answer.text


async def test_what_a_route_knows_passes_and_a_page_takes_what_comes(client: httpx.AsyncClient) -> None:
    assert (await client.get("/list?size=1&kind=a&kind=b")).json() == 3
    assert (await client.get("/read-itself?state=a&state=b")).json() == ["a", "b"]
    assert (await client.get("/page?utm_source=wechat")).status_code == 200
    assert (await client.post("/things?x=1", json={"name": "a"})).json()["code"] == "unknown-parameter"


async def test_long_and_strange_addresses(client: httpx.AsyncClient) -> None:
    assert (await client.get("/" + "a" * 20_000)).status_code == 414
    assert (await client.get("/things%00")).status_code == 400
    assert (await client.get("/%2e%2e/things")).status_code == 404


async def test_security_headers_are_on_every_answer(client: httpx.AsyncClient) -> None:
    for answer in (await client.get("/nothing"), await client.post("/things", json={"name": "a"})):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"


async def test_the_body_is_in_the_openapi_document(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    assert {"Thing", "Inner"} <= set(schemas)
    assert schemas["Thing"]["additionalProperties"] is False
    assert document["paths"]["/things"]["post"]["parameters"][0]["name"] == "Idempotency-Key"


def test_a_model_may_not_loosen_the_base() -> None:
    assert Thing.model_config == ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-03-01T09:30:00+08:00", datetime(2026, 3, 1, 1, 30, tzinfo=UTC)),
        ("2026-03-01t09:30:00z", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
        ("2026-03-01T09:30:00.1239Z", datetime(2026, 3, 1, 9, 30, 0, 123_000, tzinfo=UTC)),
        ("2028-02-29T00:00:00+14:00", datetime(2028, 2, 28, 10, tzinfo=UTC)),
        ("2026-03-01T00:00:00-12:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_that_are_read(text: str, at: datetime) -> None:
    assert parse_instant(text) == at


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-01T09:30:00",
        "2026-03-01 09:30:00+08:00",
        "2026-03-01T24:00:00+08:00",
        "2016-12-31T23:59:60Z",
        "2027-02-29T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "10000-01-01T00:00:00Z",
        "2026-03-01T09:30:00+14:01",
        "2026-03-01T09:30:00-15:00",
        "2026-03-01T09:30:00+08:60",
        "2026-03-01T09:30:00 Asia/Shanghai",
        "２０２６-03-01T09:30:00Z",
        "2026-03-01",
        "",
        0,
        1772328600,
        1772328600000,
        datetime(2026, 3, 1),  # noqa: DTZ001
    ],
)
def test_times_that_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"time|year|leap|zone|date"):
        parse_instant(value)
