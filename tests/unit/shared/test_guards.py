"""What must stay true of all services, whatever is added to them: no early acknowledgement, declared topics, clean borders."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from fastapi import FastAPI
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.subscriber.usecase import BatchSubscriber

from deploy.kafka.topics import DECLARATION, declared
from deploy.local.supervise import SERVICES
from services.alerts.policy import load_escalations, load_plans
from services.assessment.policy import load_rules
from services.screening.policyfile import read_policies
from shared import service as shared_service
from shared.deadletter import dlq_topic
from shared.directory import load_directory
from shared.events import EVENT_TYPES
from shared.observed import Observed
from shared.topics import load_lexicon

ROOT = Path(__file__).resolve().parents[3]
OWNERS = {row["name"]: row for row in yaml.safe_load(DECLARATION.read_text(encoding="utf-8"))["topics"]}


@dataclass(frozen=True)
class Built:
    """A service as its composition root builds it, with the brokers that were made on the way."""

    name: str
    app: FastAPI
    brokers: list[KafkaBroker]

    @property
    def subscribers(self) -> list[Any]:
        return [subscriber for broker in self.brokers for subscriber in broker.subscribers]

    async def asyncapi(self) -> dict[str, Any]:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return (await client.get("/asyncapi.json")).raise_for_status().json()


@pytest.fixture(params=SERVICES)
def built(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Built:
    brokers: list[KafkaBroker] = []

    def recorded(*args: Any, **options: Any) -> KafkaBroker:
        brokers.append(KafkaBroker(*args, **options))
        return brokers[-1]

    monkeypatch.setattr(shared_service, "KafkaBroker", recorded)
    settings = import_module(f"services.{request.param}.settings").Settings(
        env="demo", secrets=tmp_path, kafka="127.0.0.1:1", mongo="mongodb://127.0.0.1:1/?replicaSet=none"
    )
    app = import_module(f"services.{request.param}.app").create_app(settings)
    return Built(request.param, app, brokers)


def test_no_subscriber_acknowledges_before_the_effects_are_committed(built: Built) -> None:
    assert len(built.brokers) == 1
    assert bool(built.subscribers) == (built.name != "intake")
    for subscriber in built.subscribers:
        options = subscriber._connection_args
        assert isinstance(subscriber, BatchSubscriber)
        assert subscriber.ack_policy is AckPolicy.MANUAL
        assert options["enable_auto_commit"] is False
        assert options["auto_offset_reset"] == "earliest"
        assert options["group_instance_id"] == f"{built.name}-0"
        [topic] = subscriber.topics
        assert subscriber.group_id == f"{built.name}.{topic.name}"


def test_every_answer_of_a_service_is_observed_whatever_stands_around_its_routes(built: Built) -> None:
    first, *others = [middleware.cls for middleware in built.app.user_middleware]
    assert first is Observed
    assert others


def test_what_a_service_consumes_is_declared_with_its_dead_letters(built: Built) -> None:
    names = {topic.name for topic in declared()}
    for subscriber in built.subscribers:
        [topic] = subscriber.topics
        assert built.name in OWNERS[topic.name]["groups"]
        assert {topic.name, dlq_topic(topic.name, built.name)} <= names


async def test_what_a_service_publishes_is_declared_as_its_own(built: Built) -> None:
    document = await built.asyncapi()
    sent = {name.removeprefix("send.") for name in document["operations"] if name.startswith("send.")}
    own = {name for name, model in EVENT_TYPES.items() if OWNERS[model.topic_name]["owner"] == built.name}
    assert sent == own
    addresses = {channel["address"] for channel in document["channels"].values()}
    consumed = {topic.name for subscriber in built.subscribers for topic in subscriber.topics}
    assert addresses == consumed | {EVENT_TYPES[name].topic_name for name in own}


def test_every_topic_of_the_contracts_is_declared_and_every_declared_topic_has_contracts() -> None:
    assert {model.topic_name for model in EVENT_TYPES.values()} == set(OWNERS)
    for topic in declared():
        assert int(topic.config["retention.ms"]) >= 7 * 24 * 3600 * 1000  # no shorter than the outbox keeps
    assert {row["owner"] for row in OWNERS.values()} == set(SERVICES)


def test_the_packaged_policies_and_code_lists_load() -> None:
    policy, folder = ROOT / "deploy" / "policy", ROOT / "deploy" / "directory"
    assert read_policies(policy).all
    assert load_escalations(policy / "escalation.yaml").policies
    assert load_plans(policy / "plans.yaml")
    assert load_rules(policy / "clocks")
    units = load_directory(folder)
    assert len(units.topics) == 33
    assert load_lexicon(folder, units).topics.keys() <= units.topics.keys()


@pytest.mark.parametrize(
    "file", sorted([*ROOT.glob("*.y*ml"), *(ROOT / "deploy").rglob("*.y*ml")]), ids=lambda f: f.name
)
def test_every_configuration_file_is_yaml_without_a_key_given_twice(file: Path) -> None:
    if "templates" in file.parts:
        pytest.skip("a template is no YAML before it is filled in")

    text = file.read_text(encoding="utf-8")
    assert list(yaml.safe_load_all(text))
    waiting = list(yaml.compose_all(text, yaml.SafeLoader))
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            assert len(keys) == len(set(keys)), f"a key is given twice after line {node.start_mark.line + 1}"
            waiting += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


# -- borders ----------------------------------------------------------------------------------------------------------


def modules(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> Iterator[str]:
    """Full names of what is imported anywhere in the module, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where things come from"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_service_imports_another_and_nothing_shared_imports_a_service() -> None:
    for path, tree in modules("services", "shared"):
        own = path.parts[1] if path.parts[0] == "services" and len(path.parts) > 2 else None
        for name in imports(tree):
            top, *rest = name.split(".")
            assert top not in ("deploy", "tests"), f"{path} imports {name}"
            assert top != "services" or (rest and rest[0] == own), f"{path} imports {name}"


def test_the_domain_imports_the_standard_library_and_itself() -> None:
    numeric = {"numpy", "scipy", "numba"}
    for name in SERVICES:
        allowed = sys.stdlib_module_names | (numeric if name == "screening" else set())
        for path, tree in modules(f"services/{name}/domain"):
            for imported in imports(tree):
                inside = imported.startswith(f"services.{name}.domain")
                assert inside or imported.split(".")[0] in allowed, f"{path} imports {imported}"


IMPURE = {"now", "utcnow", "today", "uuid1", "uuid4", "token_hex", "token_bytes", "urandom", "sleep", "open", "print"}


def test_neither_domain_nor_consumer_reads_a_clock_or_draws_an_id() -> None:
    """Time is an argument, ids are derived: a batch that is applied again has the same effects."""
    seen = 0
    for path, tree in modules("services"):
        if "domain" not in path.parts and path.name != "consumers.py":
            continue
        seen += 1
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                assert called not in IMPURE, f"{path}:{node.lineno} calls {called}"
    assert seen > 20
