"""Real messages through the whole system: each is stored, published and processed once, and known issues are warned of."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import orjson
import pytest

from deploy.commands.replay import request_of
from services.intake.domain.numbers import petition_id
from shared.events import decode
from shared.keys import load_key
from shared.messages import Message, read_messages
from tests.support.spine import ROOT
from tests.support.system import System, everything, until

pytestmark = [pytest.mark.stack, pytest.mark.data]

COUNTY = "430102"
CHANNEL = "web_portal"
COLLECTIVE = ("collective_risk", "collective_visit")


def data() -> Path:
    """Folder of the message files: `FENGQIAO_DATA`, else where a checkout has them beside it. Skips where neither is."""
    folder = Path(os.environ.get("FENGQIAO_DATA") or ROOT.parent / "shared" / "data" / "taidi2020")
    if not (folder / "messages.jsonl").is_file():
        pytest.skip(f"there are no message files in {folder}; FENGQIAO_DATA names another folder")
    return folder


def issue_of(messages: Counter[str], issues: dict[str, set[str]]) -> str | None:
    """The issue to which more than half of the messages that a warning counts belong."""
    for issue, members in issues.items():
        if 2 * sum(count for message, count in messages.items() if message in members) > messages.total():
            return issue
    return None


async def test_every_message_is_stored_published_processed_and_two_issues_are_warned_of(system: System) -> None:
    file = data() / "messages.jsonl"
    messages = [row for row in read_messages(file) if isinstance(row, Message)]
    command = [Path(sys.executable).with_name("fengqiao"), "replay", file, "--speed", "max"]
    command += ["--url", system.url("intake"), "--jurisdiction", COUNTY, "--channel", CHANNEL]
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        env={**os.environ, "COLUMNS": "120"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)

    index = load_key(system.supervisor.secrets, "index", create=False)
    of_message = {}
    for message in messages:
        key, _ = request_of(message, channel=CHANNEL, jurisdiction=COUNTY, name=file.stem)
        of_message[petition_id(index, CHANNEL, key)] = message.id
    assert len(of_message) == len(messages) == 4326

    def ids(service: str, query: dict[str, str]) -> list[str]:
        with system.database(service) as database:
            return [row["_id"] for row in database["petitions"].find(query, {"_id": 1})]

    assert set(ids("intake", {"jurisdiction": COUNTY})) == set(of_message)
    for service, query in (("screening", {"county": COUNTY}), ("assessment", {"jurisdiction": COUNTY})):
        every = partial(system.count, service, "petitions", query)
        await until(lambda every=every: every() >= len(of_message), seconds=240, what=f"all petitions in {service}")
        assert set(ids(service, query)) == set(of_message)
        assert every() == len(of_message)

    records = await everything(system.supervisor.stack.kafka, ["petition.events.v1"])
    events = {str(event.id): event for event in (decode(record.value) for record in records)}
    filed = [event.subject for event in events.values() if event.subject in of_message]
    assert sorted(filed) == sorted(of_message)

    raw = orjson.loads((file.parent / "issues_dev.json").read_bytes())
    issues = {issue["issue"]: {str(id) for id in issue["message_ids"]} for issue in raw["issues"]}
    found: Counter[str] = Counter()

    async def warned() -> bool:
        found.clear()
        async with system.client("alerts", "duty_officer") as client:
            query = {"jurisdiction": COUNTY, "limit": "200"}
            while True:
                page = (await client.get("/v1/warnings", params=query)).raise_for_status().json()
                for warning in page["warnings"]:
                    if warning["kind"] in COLLECTIVE:
                        counted = Counter(of_message[id] for id in warning["petition_ids"])
                        found[issue_of(counted, issues) or "other"] += 1
                if page["next_cursor"] is None:
                    break
                query["cursor"] = page["next_cursor"]
        return len(found.keys() & issues.keys()) >= 2

    await until(warned, seconds=60, what=found)
    print(f"collective warnings by issue: {dict(found)}")
