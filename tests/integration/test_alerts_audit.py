"""`fengqiao audit`: verifies what the services wrote, names what was changed, and anchors it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from deploy.local.stack import Stack
from shared import audit
from shared.mongo import Mongo
from tests.support.stack import fresh

pytestmark = pytest.mark.stack


async def test_verify_and_anchor(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = fresh("t") + "."
    for name, value in {
        "MONGO": stack.mongo,
        "PREFIX": prefix,
        "ENV": "demo",
        "SECRETS": str(tmp_path / "secrets"),
    }.items():
        monkeypatch.setenv(f"FENGQIAO_{name}", value)
    mongo = Mongo(stack.mongo, f"{prefix.replace('.', '_')}fengqiao_alerts", app_name="test")
    at = datetime(2026, 3, 1, tzinfo=UTC)
    for n in range(20):
        await mongo.transaction(
            lambda s, n=n: audit.record(mongo, s, actor="o1", action="a", object=f"w{n % 3}", at=at)
        )

    def run(*words: str) -> tuple[int, str]:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as pool:  # the command has an event loop of its own
            result = pool.submit(CliRunner().invoke, app, ["audit", *words]).result()
        return result.exit_code, result.output

    code, text = run("verify", "--service", "alerts")
    assert code == 0
    assert "20" in text
    assert run("anchor", str(tmp_path / "anchors"), "--service", "alerts")[0] == 0
    assert run("verify", "--anchors", str(tmp_path / "anchors"), "--service", "alerts")[0] == 0
    code, text = run("verify", "--anchors", str(tmp_path / "anchors"))
    assert code == 2, text  # the others have no anchor there
    chain = (await mongo["audit_heads"].find_one({"n": {"$gt": 2}}))["_id"]
    last = await mongo["audit"].find_one({"chain": chain}, sort=[("n", -1)])
    before = await mongo["audit"].find_one({"chain": chain, "n": last["n"] - 1})
    await mongo["audit"].delete_one({"_id": last["_id"]})
    await mongo["audit_heads"].update_one({"_id": chain}, {"$set": {"n": before["n"], "hash": before["hash"]}})
    assert run("verify", "--service", "alerts")[0] == 0  # head and row went together: only the anchor knows
    code, text = run("verify", "--service", "alerts", "--anchors", str(tmp_path / "anchors"))
    assert (code, "truncated" in text) == (1, True)
    await mongo["audit"].update_one({"_id": before["_id"]}, {"$set": {"actor": "o2"}})
    code, text = run("verify", "--service", "alerts")
    assert (code, f"{chain}/{before['n']}: edited" in text.replace("\n", "")) == (1, True)
    assert run("verify", "--service", "nobody")[0] == 2
    (tmp_path / "anchors" / "alerts.anchor.json").write_text("{}")
    assert run("verify", "--service", "alerts", "--anchors", str(tmp_path / "anchors"))[0] == 2
    await mongo.close()
