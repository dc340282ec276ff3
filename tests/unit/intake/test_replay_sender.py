"""`fengqiao replay` in production: who sends is said by a token or by the channel's signature."""

import base64
import http.server
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner

from deploy.cli import app as cli
from deploy.commands.replay import PATIENCE_S, Outcome, Sender, waiting
from deploy.credentials import Bearer, Signed, credentials
from services.intake.settings import OPEN_CHANNELS
from shared.clock import FixedClock
from shared.signing import ChannelKey, signature
from tests.support.intake import NOW, bearer, make_app, make_intake, petition_body

HOTLINE = ChannelKey("hotline-1", "hotline_12345", b"h" * 32)
SECRET = base64.b64encode(HOTLINE.secret).decode()
TOKEN = bearer()["authorization"].removeprefix("Bearer ")
ROW = {"id": "1", "petitioner": "A1", "submitted_at": "2026-11-01", "title": "讨薪", "text": "工地欠薪三个月。"}


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "channel_keys.json"
    path.write_text(json.dumps({HOTLINE.id: {"channel": HOTLINE.channel, "secret": SECRET}}), encoding="utf-8")
    return path


async def sent(auth: httpx.Auth | None, channel: str, times: int = 1) -> Outcome:
    """What an intake of production makes of one message, sent so often."""
    app = make_app(make_intake(), keys={HOTLINE.id: HOTLINE}, open_channels=OPEN_CHANNELS)
    outcome = Outcome()
    async with httpx.AsyncClient(base_url="http://intake", transport=httpx.ASGITransport(app), auth=auth) as client:
        sender = Sender([client], outcome, lambda: None)
        for _ in range(times):
            await sender.send(1, "k1", petition_body(channel=channel))
    return outcome


async def test_a_closed_channel_takes_its_key_or_an_account_and_nothing_else() -> None:
    assert [code for _, code, _ in (await sent(None, "hotline_12345")).rejected] == ["channel-key-missing"]
    assert (await sent(Bearer(TOKEN), "hotline_12345")).accepted == 1
    assert (await sent(Signed(HOTLINE, FixedClock(NOW)), "hotline_12345")).accepted == 1
    assert [code for _, code, _ in (await sent(Signed(HOTLINE, FixedClock(NOW)), "letter")).rejected] == [
        "channel-not-yours"
    ]


async def test_what_is_sent_again_is_signed_anew() -> None:
    outcome = await sent(Signed(HOTLINE, FixedClock(NOW)), "hotline_12345", times=3)
    assert (outcome.accepted, outcome.duplicates, outcome.rejected) == (1, 2, [])


class Seen(http.server.BaseHTTPRequestHandler):
    """Takes every petition and remembers the request."""

    requests: list[tuple[dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(201)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def intake() -> Iterator[str]:
    Seen.requests = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Seen)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def replay(tmp_path: Path, url: str, *options: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    file = tmp_path / "m.jsonl"
    file.write_text(json.dumps(ROW, ensure_ascii=False) + "\n", encoding="utf-8")
    result = CliRunner().invoke(cli, ["replay", str(file), "--url", url, *options], env=env)
    return result.exit_code, result.output


def test_the_command_signs_with_the_key_of_its_channel(tmp_path: Path, intake: str, keys: Path) -> None:
    code, said = replay(tmp_path, intake, "--channel", "hotline_12345", "--channel-key", str(keys))
    assert code == 0, said
    [(headers, body)] = Seen.requests
    made = signature(
        HOTLINE.secret,
        timestamp=headers["x-timestamp"],
        method="POST",
        target="/v1/petitions",
        body=body,
        nonce=headers["x-nonce"],
    )
    assert (headers["x-key-id"], headers["x-signature"]) == ("hotline-1", made)
    assert "authorization" not in headers


@pytest.mark.parametrize("by_environment", [False, True])
def test_the_command_sends_a_token(tmp_path: Path, intake: str, by_environment: bool) -> None:
    options, env = ([], {"FENGQIAO_TOKEN": TOKEN}) if by_environment else (["--token", TOKEN], {})
    code, said = replay(tmp_path, intake, *options, env=env)
    assert code == 0, said
    [(headers, _)] = Seen.requests
    assert headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--channel-key", "{keys}", "--channel", "letter"], "no key of the channel letter"),
        (["--channel-key", "{keys}", "--token", "abc"], "not both"),
        (["--channel-key", "{broken}"], "JSON"),
        (["--token", "a b"], "one word"),
    ],
)
def test_what_cannot_be_sent_is_told_before_anything_is(
    tmp_path: Path, intake: str, keys: Path, options: list[str], told: str
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{", encoding="utf-8")
    code, said = replay(tmp_path, intake, *(one.format(keys=keys, broken=broken) for one in options))
    assert (code, told in said.replace("\n", " ")) == (2, True), said
    assert "channel_keys_refused" not in said
    assert SECRET not in said
    assert Seen.requests == []


def test_nothing_is_needed_for_an_open_channel() -> None:
    assert credentials("", None, "web_portal") is None


def test_waiting_for_the_intake_is_said_once_and_how_long():
    said = io.StringIO()
    hook = waiting(Console(file=said, width=200), "http://intake[1]:8001")
    for _ in range(5):
        hook(None)
    assert said.getvalue().count("does not answer") == 1
    assert "http://intake[1]:8001" in said.getvalue() and f"{PATIENCE_S:.0f} s" in said.getvalue()
