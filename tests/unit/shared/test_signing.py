"""Signed requests: group B36 of the bad inputs."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from shared.clock import FixedClock
from shared.signing import ChannelKey, KeyFile, SignedRequests, signed_headers
from shared.web import install
from tests.support.intake import Nonces

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEY = ChannelKey("hotline-1", "hotline_12345", b"h" * 32, "379911")
BODY = b'{"a": 1}'


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    install(app)
    checks = SignedRequests({KEY.id: KEY}.get, Nonces(), FixedClock(NOW))

    @app.post("/v1/petitions")
    async def post(request: Request, admin: int = 0) -> dict[str, str | None]:
        who = await checks.principal(request, await request.body())
        return {"account": who.account, "role": who.role, "jurisdiction": who.jurisdiction}

    return TestClient(app)


def headers(
    key: bytes = KEY.secret,
    *,
    at: datetime = NOW,
    target: str = "/v1/petitions",
    body: bytes = BODY,
    nonce: str = "nonce-001",
) -> dict[str, str]:
    return signed_headers(KEY.id, key, at=at, method="POST", target=target, body=body, nonce=nonce)


def ask(client: TestClient, sent, body: bytes = BODY, path: str = "/v1/petitions") -> tuple[int, str]:
    answer = client.post(path, content=body, headers=sent)
    return answer.status_code, answer.json().get("code", "")


def test_a_signed_request_is_its_channel(client):
    answer = client.post("/v1/petitions", content=BODY, headers=headers())
    assert answer.json() == {"account": "channel.hotline_12345", "role": "channel", "jurisdiction": "379911"}


def test_the_edge_of_the_window(client):
    for seconds in (-300, 300):
        assert ask(client, headers(at=NOW + timedelta(seconds=seconds), nonce=f"edge-{seconds}"))[0] == 200
    for seconds in (-301, 301):
        sent = headers(at=NOW + timedelta(seconds=seconds), nonce=f"edge-{seconds}")
        assert ask(client, sent) == (401, "signature-expired")


def test_a_replay_is_refused(client):
    assert ask(client, headers())[0] == 200
    assert ask(client, headers()) == (401, "signature-replayed")


@pytest.mark.parametrize(
    "change",
    [
        {"X-Signature": "0" * 64},
        {"X-Signature": "é".encode("latin-1")},
        {"X-Key-Id": "nobody"},
        {"X-Key-Id": ""},
        {"X-Timestamp": "now"},
        {"X-Timestamp": str(int(NOW.timestamp()) - 1)},
        {"X-Timestamp": "9" * 400},
        {"X-Nonce": "nonce-002"},
        {"X-Nonce": "x"},
        {"X-Nonce": "a b c d e f g h"},
    ],
)
def test_a_changed_header_is_refused(client, change):
    sent = {**headers(), **change}
    assert ask(client, sent) == (401, "signature-invalid")


@pytest.mark.parametrize("name", ["X-Key-Id", "X-Timestamp", "X-Nonce", "X-Signature"])
def test_a_missing_or_doubled_header_is_refused(client, name):
    sent = headers()
    assert ask(client, [*sent.items(), (name, sent[name])]) == (401, "signature-invalid")
    del sent[name]
    assert ask(client, sent) == (401, "signature-invalid")


def test_another_body_path_or_query_is_refused(client):
    assert ask(client, headers(), body=b'{"a": 2}')[1] == "signature-invalid"
    assert ask(client, headers(target="/v1/other"))[1] == "signature-invalid"
    assert ask(client, headers(), path="/v1/petitions?admin=1")[1] == "signature-invalid"
    assert ask(client, headers(target="/v1/petitions?admin=1"), path="/v1/petitions?admin=1")[0] == 200
    assert ask(client, headers(key=b"x" * 32, nonce="another-key"))[1] == "signature-invalid"


def test_header_names_have_no_case_and_no_order(client):
    sent = dict(reversed([(name.upper(), value) for name, value in headers().items()]))
    assert ask(client, sent)[0] == 200


def test_keys_come_from_a_file_that_is_read_again(tmp_path: Path):
    path = tmp_path / "channel_keys.json"
    keys = KeyFile(path)
    assert keys("a") is None
    path.write_text(json.dumps({"a": {"channel": "letter", "secret": base64.b64encode(b"s" * 32).decode()}}))
    assert keys("a") == ChannelKey("a", "letter", b"s" * 32)
    assert keys("b") is None
