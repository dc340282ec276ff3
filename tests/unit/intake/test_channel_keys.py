"""Who may file for a channel: signatures of channels, channels that are open, accounts for the others."""

import base64
import json
import re
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import httpx
import pytest
from pydantic import ValidationError

from services.intake.app import channel_keys, create_app
from services.intake.handlers import Intake
from services.intake.settings import OPEN_CHANNELS, Settings
from shared.directory import directory
from shared.signing import ChannelKey, KeyFileError, signed_headers
from tests.support.intake import COUNTY, NOW, bearer, client_of, make_app, petition_body, tables
from tests.support.memory_intake import Tables

ROOT = Path(__file__).resolve().parents[3]
HOTLINE = ChannelKey("hotline-1", "hotline_12345", b"h" * 32)
LETTER = ChannelKey("letter-1", "letter", b"l" * 32, "430102")
KEYS = {HOTLINE.id: HOTLINE, LETTER.id: LETTER}
IMPORTS = f"/v1/imports?channel=hotline_12345&jurisdiction={COUNTY}"
ROWS = (
    "id,petitioner,submitted_at,title,text,channel\n1,A1,2019-02-28,讨薪,工地欠薪,\n2,A2,2019-02-28,讨薪,欠薪,letter\n"
)
NUMBERS = count()


def seal(key: ChannelKey, target: str, body: bytes, nonce: str | None = None) -> dict[str, str]:
    made = nonce or f"nonce-{next(NUMBERS):04}"
    return signed_headers(key.id, key.secret, at=NOW, method="POST", target=target, body=body, nonce=made)


async def post(
    intake: Intake, headers: dict[str, str] | None = None, key: ChannelKey | None = None, **changes: Any
) -> httpx.Response:
    """File at an intake of production, where not every channel is open."""
    body = json.dumps(petition_body(**changes)).encode()
    sent = {"idempotency-key": "k1", "content-type": "application/json", **(headers or {})}
    if key is not None:
        sent |= seal(key, "/v1/petitions", body)
    async with client_of(make_app(intake, keys=KEYS, open_channels=OPEN_CHANNELS)) as client:
        return await client.post("/v1/petitions", content=body, headers=sent)


async def send_file(
    intake: Intake,
    key: ChannelKey | None,
    target: str = IMPORTS,
    *,
    files: dict[str, Any] | None = None,
    account: str | None = None,
) -> httpx.Response:
    """Send a file: signed, or with the token of the channel `account`."""
    async with client_of(make_app(intake, keys=KEYS, open_channels=OPEN_CHANNELS)) as client:
        request = client.build_request("POST", target, content=None if files else ROWS.encode(), files=files)
        body = await request.aread()
        request.headers.update(seal(key, target, body) if key else bearer("channel", channel=account))
        if not files:
            request.headers["content-type"] = "text/csv"
        return await client.send(request)


@pytest.mark.parametrize("channel", sorted(OPEN_CHANNELS))
async def test_anybody_files_by_an_open_channel(intake: Intake, channel: str) -> None:
    assert (await post(intake, channel=channel)).status_code == 201


async def test_another_channel_needs_its_key_and_says_so(intake: Intake) -> None:
    answer = await post(intake, channel="hotline_12345")
    assert (answer.status_code, answer.json()["code"]) == (401, "channel-key-missing")
    assert answer.headers["www-authenticate"] == "Signature"
    assert "sign" in answer.json()["detail"]
    assert tables(intake) == Tables()


async def test_a_channel_files_with_its_signature(intake: Intake) -> None:
    answer = await post(intake, key=HOTLINE, channel="hotline_12345")
    assert answer.status_code == 201, answer.text
    assert [row["channel"] for row in tables(intake).petitions.values()] == ["hotline_12345"]


async def test_a_signed_channel_may_say_when_it_received(intake: Intake) -> None:
    earlier = (NOW - timedelta(days=2)).isoformat()
    changes: dict[str, Any] = {"channel": "hotline_12345", "submitted_at": earlier, "received_at": earlier}
    assert (await post(intake, **changes)).json()["code"] == "channel-key-missing"
    answer = await post(intake, key=HOTLINE, **changes)
    assert answer.status_code == 201, answer.text
    petition = (await intake.petition(answer.json()["petition_id"])).petition
    assert petition.received_at == NOW - timedelta(days=2)


@pytest.mark.parametrize(("role", "status"), [("duty_officer", 201), ("unit", 201), ("leader", 403), ("auditor", 403)])
async def test_an_account_that_may_file_files_by_any_channel(intake: Intake, role: str, status: int) -> None:
    sent = bearer(role, unit="379911.construction_bureau" if role == "unit" else None)
    assert (await post(intake, sent, channel="letter")).status_code == status


@pytest.mark.parametrize(
    ("key", "changes", "code"),
    [
        (HOTLINE, {"channel": "letter"}, "channel-not-yours"),
        (HOTLINE, {"channel": "web_portal"}, "channel-not-yours"),
        (LETTER, {"channel": "letter"}, "jurisdiction-not-yours"),
    ],
)
async def test_a_key_is_good_for_its_channel_and_county_alone(
    intake: Intake, key: ChannelKey, changes: dict[str, Any], code: str
) -> None:
    answer = await post(intake, key=key, **changes)
    assert (answer.status_code, answer.json()["code"]) == (403, code)
    assert tables(intake) == Tables()


@pytest.mark.parametrize("received", [False, True])
@pytest.mark.parametrize(
    ("own", "channel", "code"),
    [
        ("hotline_12345", "hotline_12345", None),
        ("web_portal", "web_portal", None),
        ("hotline_12345", "letter", "channel-not-yours"),
        ("hotline_12345", "web_portal", "channel-not-yours"),  # open to everybody else
        (None, "hotline_12345", "channel-not-yours"),
        (None, "web_portal", "channel-not-yours"),
    ],
)
async def test_a_channels_token_files_for_its_own_channel_alone(
    intake: Intake, own: str | None, channel: str, code: str | None, received: bool
) -> None:
    at = (NOW - timedelta(days=2)).isoformat()
    more = {"submitted_at": at, "received_at": at} if received else {}
    answer = await post(intake, bearer("channel", channel=own), channel=channel, **more)
    assert (answer.status_code, answer.json().get("code")) == (403 if code else 201, code)
    file = await send_file(intake, None, f"/v1/imports?channel={channel}&jurisdiction={COUNTY}", account=own)
    assert (file.status_code, file.json().get("code")) == (403 if code else 200, code)
    if code:
        assert tables(intake) == Tables()
    else:
        told = [(one["row"], one["code"]) for one in file.json()["rejected"]]
        assert told == [(3, "channel-not-yours")]  # the row that names another channel


async def test_a_channels_token_is_good_for_its_county_alone(intake: Intake) -> None:
    own = bearer("channel", channel="letter", jurisdiction="430102")
    answer = await post(intake, own, channel="letter")
    assert (answer.status_code, answer.json()["code"]) == (403, "jurisdiction-not-yours")


async def test_a_token_that_is_there_has_to_be_good(intake: Intake) -> None:
    answer = await post(intake, {"authorization": "Bearer x.y.z"}, channel="web_portal")
    assert (answer.status_code, answer.json()["code"]) == (401, "token-invalid")
    assert tables(intake) == Tables()


@pytest.mark.parametrize("channel", ["web_portal", "hotline_12345"])
@pytest.mark.parametrize(
    "change", [{"X-Signature": "0" * 64}, {"X-Key-Id": "nobody"}, {"X-Nonce": "x"}, {"X-Timestamp": "now"}]
)
async def test_a_signature_that_is_there_has_to_be_good(intake: Intake, change: dict[str, str], channel: str) -> None:
    sealed = seal(HOTLINE, "/v1/petitions", json.dumps(petition_body(channel=channel)).encode())
    answer = await post(intake, {**bearer(), **sealed, **change}, channel=channel)
    assert (answer.status_code, answer.json()["code"]) == (401, "signature-invalid")
    assert tables(intake) == Tables()


async def test_a_request_is_taken_once_and_signed_anew_it_is_repeated(intake: Intake) -> None:
    body = json.dumps(petition_body(channel="hotline_12345")).encode()
    async with client_of(make_app(intake, keys=KEYS, open_channels=OPEN_CHANNELS)) as client:

        async def send(nonce: str) -> httpx.Response:
            sent = {"idempotency-key": "k1", "content-type": "application/json"}
            sent |= seal(HOTLINE, "/v1/petitions", body, nonce)
            return await client.post("/v1/petitions", content=body, headers=sent)

        first, replayed, anew = [await send(nonce) for nonce in ("nonce-a-1", "nonce-a-1", "nonce-a-2")]
    assert (replayed.status_code, replayed.json()["code"]) == (401, "signature-replayed")
    assert (anew.status_code, anew.json()) == (201, first.json())


@pytest.mark.parametrize("files", [None, {"file": ("rows.csv", ROWS.encode(), "text/csv")}])
async def test_a_channel_sends_a_file_of_its_own_rows(intake: Intake, files: dict[str, Any] | None) -> None:
    answer = await send_file(intake, HOTLINE, files=files)
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert (report["accepted"], [(row["row"], row["code"]) for row in report["rejected"]]) == (
        1,
        [(3, "channel-not-yours")],
    )
    assert [row["channel"] for row in tables(intake).petitions.values()] == ["hotline_12345"]


async def test_a_file_of_another_channel_is_refused(intake: Intake) -> None:
    answer = await send_file(intake, LETTER)
    assert (answer.status_code, answer.json()["code"]) == (403, "channel-not-yours")
    confined = await send_file(intake, LETTER, f"/v1/imports?channel=letter&jurisdiction={COUNTY}")
    assert (confined.status_code, confined.json()["code"]) == (403, "jurisdiction-not-yours")
    forged = await send_file(intake, ChannelKey(HOTLINE.id, HOTLINE.channel, b"x" * 32))
    assert (forged.status_code, forged.json()["code"]) == (401, "signature-invalid")
    assert tables(intake) == Tables()


def test_all_channels_are_open_in_the_demo_only() -> None:
    assert Settings(env="demo").opened() is None
    assert Settings(env="production").opened() == frozenset({"web_portal", "dept_website"})
    assert Settings(env="demo", open_channels="letter, visit").opened() == frozenset({"letter", "visit"})
    assert Settings(open_channels="").opened() == frozenset()


def test_keys_come_from_the_file_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "channel_keys.json"
    with pytest.raises(ValidationError):
        Settings(channel_keys=path)
    path.write_text(json.dumps({"a": {"channel": "letter", "secret": base64.b64encode(b"s" * 32).decode()}}))
    keys = channel_keys(Settings(channel_keys=path).channel_keys)
    assert keys is not None
    assert keys("a") == ChannelKey("a", "letter", b"s" * 32)
    assert channel_keys(None) is None
    for bad in ("{", "", "[]", '{"a": {"channel": "letter"}}', '{"a": {"channel": "letter", "secret": "aGg="}}'):
        path.write_text(bad)
        with pytest.raises(KeyFileError) as error:
            channel_keys(path)
        assert str(path) in str(error.value)
        assert "aGg=" not in str(error.value)


def test_the_document_lists_the_channels_of_the_directory() -> None:
    """The table of docs/intake.md is made from `codes.channel` of deploy/directory/routing.yaml."""
    text = (ROOT / "docs" / "intake.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z0-9_]+)` \| ([^|]+) \| ([^|]+) \| ([^|]*) \|$", text, re.MULTILINE)
    channels = directory().codes["channel"]

    def notes(slug: str) -> str:
        told = [
            word
            for word, holds in (
                ("open to everybody", slug in OPEN_CHANNELS),
                ("face to face", channels[slug].face_to_face),
            )
            if holds
        ]
        return ", ".join(told)

    assert rows == [(slug, code.name("zh"), code.name("en"), notes(slug)) for slug, code in channels.items()]


def test_a_key_file_that_may_be_read_again_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "channel_keys.json"
    path.write_text(json.dumps({"a": {"channel": "letter", "secret": base64.b64encode(b"s" * 32).decode()}}))
    keys = channel_keys(path)
    assert keys is not None
    with monkeypatch.context() as barred:
        barred.setattr(Path, "read_bytes", Mock(side_effect=PermissionError))
        path.chmod(0)
        assert "cannot be read" in (keys.trouble() or "")
    path.chmod(0o600)
    assert keys.trouble() is None


async def test_a_slip_in_the_key_file_stops_no_channel_and_shows_in_health(tmp_path: Path) -> None:
    path = tmp_path / "channel_keys.json"

    def write(text: str) -> None:
        path.write_text(text, encoding="utf-8")

    def row(secret: bytes) -> str:
        return json.dumps({"a": {"channel": "letter", "secret": base64.b64encode(secret).decode()}})

    write(row(b"s" * 32))
    settings = Settings(
        env="demo",
        secrets=tmp_path,
        channel_keys=path,
        kafka="127.0.0.1:1",
        mongo="mongodb://127.0.0.1:1/?replicaSet=no",
    )
    keys = channel_keys(path)
    assert keys is not None
    health = create_app(settings)

    async def warnings() -> list[str]:
        async with client_of(health) as client:
            return list((await client.get("/health")).json()["warnings"])

    for bad in (row(b"n" * 32)[:-3], "", '{"a": {"channel": "letter", "secret": 5}}'):
        write(bad)
        assert keys("a") == ChannelKey("a", "letter", b"s" * 32)
        assert keys.trouble()
    [told] = await warnings()
    assert "a.secret" in told
    path.unlink()
    assert keys("a") == ChannelKey("a", "letter", b"s" * 32)
    assert "gone" in (keys.trouble() or "")
    write(row(b"n" * 32))
    assert keys("a") == ChannelKey("a", "letter", b"n" * 32)
    assert (keys.trouble(), await warnings()) == (None, [])
    write("{}")
    assert keys("a") is None
