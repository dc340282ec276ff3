"""Group B of the bad inputs: tokens, sessions, roles, scope."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import Depends, FastAPI
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from shared.access import (
    AUDIENCE,
    COOKIE,
    DEMO_ISSUER,
    SESSION_TYPE,
    Access,
    AccessSettings,
    Principal,
    demo_principal,
    demo_token,
    demo_tokens,
    may,
    require,
)
from shared.clock import FixedClock, SystemClock
from shared.directory import directory
from shared.tokens import IssuerKeys, SharedKey, TokenReader, issue
from shared.web import install

KEY = b"k" * 32
SESSION = b"s" * 32
NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


def make_access(
    clock: FixedClock, *, demo: bool = True, reader: TokenReader | None = None, gone: frozenset[str] = frozenset()
) -> Access:
    return Access(
        reader=reader or TokenReader(SharedKey(KEY), DEMO_ISSUER, AUDIENCE, clock),
        session_key=SESSION,
        clock=clock,
        units=directory(),
        demo=demo,
        settings=AccessSettings(),
        deactivated=lambda: gone,
    )


def client_of(access: Access) -> TestClient:
    app = FastAPI()
    install(app)

    @app.get("/me")
    async def me(principal: Principal = Depends(require(access))) -> dict[str, str | None]:
        return {"account": principal.account, "role": principal.role, "unit": principal.unit}

    @app.post("/act")
    async def act(principal: Principal = Depends(require(access, *may("warnings.handle")))) -> str:
        return principal.role

    return TestClient(app, base_url="https://fq.test")


def claims(**changed: object) -> dict[str, object]:
    at = int(NOW.timestamp())
    found = {"iss": DEMO_ISSUER, "aud": AUDIENCE, "sub": "a1", "role": "duty_officer", "iat": at, "exp": at + 600}
    return {key: value for key, value in {**found, **changed}.items() if value is not None}


def signed(typ: str = "at+jwt", header: dict[str, object] | None = None, **changed: object) -> str:
    return jwt.encode({"alg": "HS256", "typ": typ, **(header or {})}, claims(**changed), OctKey.import_key(KEY))


def ask(client: TestClient, token: str) -> tuple[int, str]:
    answer = client.get("/me", headers={"Authorization": f"Bearer {token}".encode("latin-1")})
    return answer.status_code, answer.json().get("code", "")


def raw(header: dict[str, object], key: bytes | None = KEY) -> str:
    """A token with any header at all; unsigned where there is no key."""
    parts = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in (header, claims())]
    signature = hmac.digest(key, b".".join(parts), "sha256") if key else b""
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def test_a_good_token_is_accepted(clock):
    assert ask(client_of(make_access(clock)), signed()) == (200, "")


@pytest.mark.parametrize(
    "token",
    [
        raw({"alg": "none", "typ": "at+jwt"}, None),
        raw({"alg": ["HS256"], "typ": "at+jwt"}),
        raw({"typ": "at+jwt"}),
        raw({"alg": "HS256"}),
        "",
        "x",
        "a.b.c",
        "é.ü.ö",
        "." * 50,
        signed(header={"kid": "../../etc/passwd"}),
        signed(header={"kid": ""}),
        signed(header={"kid": "k" * 200}),
        raw({"alg": "HS256", "typ": "at+jwt", "kid": 5}),
        signed(typ="session+jwt"),
        signed(iss="other"),
        signed(aud="other"),
        signed(aud=["other"]),
        signed(iat=int(NOW.timestamp()) + 3600),
        signed(nbf=int(NOW.timestamp()) + 3600),
        signed(exp=None),
        signed(iat=None),
        signed(exp="2099"),
        signed(exp=True),
        signed(exp=1e300),
        signed(sub=None),
        signed(sub={"$gt": ""}),
        signed(role="root"),
        signed(role=None),
        signed(role="unit"),
        signed(unit=["379911"]),
        jwt.encode({"alg": "HS256", "typ": "at+jwt"}, claims(), OctKey.import_key(b"z" * 32)),
        jwt.encode({"alg": "HS512", "typ": "at+jwt"}, claims(), OctKey.import_key(KEY), algorithms=["HS512"]),
        signed()[:-4] + "AAAA",
        signed(pad="x" * 64 * 1024),
    ],
)
def test_bad_tokens_are_refused_with_401(clock, token):
    status, code = ask(client_of(make_access(clock)), token)
    assert (status, code) == (401, "token-invalid")


def test_an_expired_token_says_so_and_leeway_is_thirty_seconds(clock):
    client = client_of(make_access(clock))
    at = int(NOW.timestamp())
    assert ask(client, signed(iat=at - 900, exp=at - 31)) == (401, "token-expired")
    assert ask(client, signed(iat=at - 900, exp=at - 29))[0] == 200
    assert ask(client, signed(iat=at + 29, nbf=at + 29))[0] == 200


def test_no_token_and_two_tokens(clock):
    client = client_of(make_access(clock))
    assert client.get("/me").json()["code"] == "token-missing"
    twice = [("Authorization", f"Bearer {signed()}"), ("Authorization", f"Bearer {signed()}")]
    assert client.get("/me", headers=twice).status_code == 401
    assert client.get("/me", headers={"Authorization": f"Basic {signed()}"}).status_code == 401


def test_an_hs256_token_signed_with_the_public_key_is_refused(clock):
    pair = RSAKey.generate_key(2048, {"kid": "r1"})
    client = client_of(make_access(clock, demo=False, reader=issuer_reader(clock, [pair])))
    forged = raw({"alg": "HS256", "typ": "at+jwt", "kid": "r1"}, pair.as_pem(private=False))
    assert ask(client, forged) == (401, "token-invalid")
    honest = jwt.encode({"alg": "RS256", "typ": "at+jwt", "kid": "r1"}, claims(), pair)
    assert ask(client, honest)[0] == 200


def issuer_reader(clock: FixedClock, keys: list[RSAKey | ECKey], asked: list[int] | None = None) -> TokenReader:
    async def fetch():
        if asked is not None:
            asked.append(1)
        return {"keys": [key.as_dict(private=False) for key in keys]}

    return TokenReader(IssuerKeys(fetch, clock), DEMO_ISSUER, AUDIENCE, clock)


def test_a_key_address_in_the_header_is_ignored(clock):
    real, attacker = RSAKey.generate_key(2048, {"kid": "r1"}), RSAKey.generate_key(2048, {"kid": "x"})
    client = client_of(make_access(clock, demo=False, reader=issuer_reader(clock, [real])))
    header = {"alg": "RS256", "typ": "at+jwt", "kid": "x", "jku": "https://evil.test/jwks"}
    assert ask(client, jwt.encode(header, claims(), attacker)) == (401, "token-invalid")
    header = {"alg": "RS256", "typ": "at+jwt", "jwk": attacker.as_dict(private=False)}
    assert ask(client, jwt.encode(header, claims(), attacker)) == (401, "token-invalid")


def test_keys_rotate_and_made_up_kids_do_not_flood_the_issuer(clock):
    asked: list[int] = []
    first, second = RSAKey.generate_key(2048, {"kid": "1"}), ECKey.generate_key("P-256", {"kid": "2"})
    keys: list[RSAKey | ECKey] = [first]
    client = client_of(make_access(clock, demo=False, reader=issuer_reader(clock, keys, asked)))
    old = jwt.encode({"alg": "RS256", "typ": "at+jwt", "kid": "1"}, claims(), first)
    assert ask(client, old)[0] == 200
    keys.append(second)
    clock.advance(timedelta(seconds=20))
    new = jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": "2"}, claims(), second)
    assert ask(client, new)[0] == 200
    assert ask(client, old)[0] == 200
    before = len(asked)
    for number in range(20):
        forged = jwt.encode({"alg": "RS256", "typ": "at+jwt", "kid": f"made-up-{number}"}, claims(), first)
        assert ask(client, forged)[0] == 401
    assert len(asked) == before


def test_an_issuer_that_is_away_is_503_and_not_a_crash(clock):
    async def fetch():
        raise ValueError("no answer")

    reader = TokenReader(IssuerKeys(fetch, clock), DEMO_ISSUER, AUDIENCE, clock)
    token = jwt.encode({"alg": "RS256", "typ": "at+jwt", "kid": "1"}, claims(), RSAKey.generate_key(2048))
    assert ask(client_of(make_access(clock, demo=False, reader=reader)), token) == (503, "issuer-unavailable")


# -- roles, sessions, other sites ----------------------------------------------------------------------


@pytest.mark.parametrize("role", ["auditor", "operator", "leader", "unit", "petitioner", "channel"])
def test_only_the_duty_officer_handles_warnings(clock, role):
    client = client_of(make_access(clock))
    answer = client.post("/act", headers={"Authorization": f"Bearer {signed(role=role, unit='379911')}"})
    assert (answer.status_code, answer.json()["code"]) == (403, "role-not-allowed")
    assert client.post("/act", headers={"Authorization": f"Bearer {signed()}"}).json() == "duty_officer"


def signed_in(access: Access, principal: Principal) -> str:
    response = PlainTextResponse("")
    access.sign_in(response, principal, secure=True)
    header = response.headers["set-cookie"]
    assert header.startswith(f"{COOKIE}=")
    for part in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert part in header
    return header.split(";")[0].split("=", 1)[1]


def test_a_session_lasts_fifteen_minutes_and_eight_hours_with_renewals(clock):
    access = make_access(clock, demo=False)
    client = client_of(access)
    cookie = signed_in(access, Principal("a1", "duty_officer"))
    started = clock.now()
    while True:
        client.cookies.set(COOKIE, cookie)
        answer = client.get("/me")
        if answer.status_code != 200:
            break
        response = PlainTextResponse("")
        import asyncio

        access.renew(response, asyncio.run(access.session_token(cookie)), secure=True)
        cookie = response.headers["set-cookie"].split(";")[0].split("=", 1)[1]
        clock.advance(timedelta(minutes=10))
    assert clock.now() - started == timedelta(hours=8, minutes=10)
    cookie = signed_in(access, Principal("a1", "duty_officer"))
    clock.advance(timedelta(minutes=16))
    client.cookies.set(COOKIE, cookie)
    assert client.get("/me").json()["code"] == "token-expired"


def test_a_cookie_that_we_did_not_sign_gives_no_role(clock):
    access = make_access(clock)
    client = client_of(access)
    forged = issue(b"q" * 32, {**claims(role="leader"), "iss": "fengqiao-session", "end": 2**31}, typ=SESSION_TYPE)
    for value in (forged, "role=leader", json.dumps({"role": "leader"})):
        client.cookies.set(COOKIE, value)
        assert client.get("/me").status_code == 401
    # a bearer token is no session, and a session no bearer token
    client.cookies.set(COOKIE, signed())
    assert client.get("/me").status_code == 401
    client.cookies.clear()
    assert ask(client, signed_in(access, Principal("a1", "leader")))[0] == 401


def test_a_post_with_a_cookie_has_to_come_from_our_own_pages(clock):
    access = make_access(clock)
    client = client_of(access)
    client.cookies.set(COOKIE, signed_in(access, Principal("a1", "duty_officer")))
    assert client.post("/act").json()["code"] == "cross-site"
    for origin in ("https://evil.test", "null", "http://fq.test", "https://fq.test.evil.test"):
        assert client.post("/act", headers={"Origin": origin}).json()["code"] == "cross-site"
    assert client.post("/act", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.post("/act", headers={"Origin": "https://fq.test"}).status_code == 200
    assert client.post("/act", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_behind_a_proxy_the_public_address_counts(clock):
    access = make_access(clock)
    access.settings = AccessSettings(public_url="https://fq.gov.test/")
    client = client_of(access)
    client.cookies.set(COOKIE, signed_in(access, Principal("a1", "duty_officer")))
    assert client.post("/act", headers={"Origin": "https://fq.gov.test"}).status_code == 200
    assert client.post("/act", headers={"Origin": "https://fq.gov.test.evil.test"}).status_code == 403


def test_a_plain_demo_cookie_is_worth_nothing_in_production(clock):
    demo, production = make_access(clock), make_access(clock, demo=False)
    response = PlainTextResponse("")
    demo.sign_in(response, demo_principal("leader"), secure=False)
    name, value = response.headers["set-cookie"].split(";")[0].split("=", 1)
    client = client_of(production)
    client.cookies.set(name, value)
    assert client.get("/me").json()["code"] == "token-missing"


def test_demo_tokens_have_all_staff_roles_in_order_and_work(tmp_path: Path):
    from shared.keys import load_key

    tokens = demo_tokens(tmp_path)
    assert list(tokens) == ["duty_officer", "operator", "leader", "unit", "auditor"]
    clock = SystemClock()
    reader = TokenReader(SharedKey(load_key(tmp_path, "token")), DEMO_ISSUER, AUDIENCE, clock)
    access = Access(reader=reader, session_key=SESSION, clock=clock, units=directory(), demo=True)
    client = client_of(access)
    for role, token in tokens.items():
        assert client.get("/me", headers={"Authorization": f"Bearer {token}"}).json()["role"] == role


def test_a_demo_token_is_refused_in_production(clock):
    reader = issuer_reader(clock, [RSAKey.generate_key(2048, {"kid": "1"})])
    token = demo_token(KEY, demo_principal("leader"), clock)
    assert ask(client_of(make_access(clock, demo=False, reader=reader)), token)[0] == 401


# -- scope -------------------------------------------------------------------------------------------------------------

BUREAU, TOWN, POLICE = "379911.construction_bureau", "379911001", "379911.public_security_branch"


@pytest.mark.parametrize(
    ("principal", "responsible", "accused", "restricted", "seen"),
    [
        (Principal("a", "duty_officer"), BUREAU, None, False, True),
        (Principal("a", "duty_officer", jurisdiction="379911"), BUREAU, None, False, True),
        (Principal("a", "duty_officer", jurisdiction="379912"), BUREAU, None, False, False),
        (Principal("a", "unit", BUREAU), BUREAU, None, False, True),
        (Principal("a", "unit", BUREAU), TOWN, None, False, False),
        (Principal("a", "unit", BUREAU), None, None, False, False),
        (Principal("a", "unit", TOWN), f"{TOWN}.petition_station", None, False, True),
        (Principal("a", "unit", f"{TOWN}.petition_station"), TOWN, None, False, False),
        # accusations: the accused unit and everything under it, whoever is responsible
        (Principal("a", "unit", TOWN), TOWN, TOWN, True, False),
        (Principal("a", "unit", "379911001001"), "379911001001", TOWN, True, False),
        (Principal("a", "unit", "379911.discipline_supervision"), "379911.discipline_supervision", TOWN, True, True),
        (Principal("a", "unit", "379911.discipline_supervision"), "379911.discipline_supervision", None, True, False),
        (Principal("a", "duty_officer", "379911.command_center"), BUREAU, "379911", True, False),
        (Principal("a", "leader", "379911.command_center"), BUREAU, "379911.command_center", True, False),
        (Principal("a", "duty_officer", "379911.command_center"), BUREAU, TOWN, True, True),
        (Principal("a", "leader", "379911001"), "379911.discipline_supervision", "379911001", True, False),
        (Principal("a", "unit", f"{TOWN}.police_station"), f"{TOWN}.police_station", POLICE, True, False),
    ],
)
def test_scope(principal, responsible, accused, restricted, seen):
    scope = principal.scope(directory())
    found = scope.shows(responsible, "379911", restricted=restricted, accused=accused, units=directory())
    assert found is seen
