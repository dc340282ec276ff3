"""The published contracts hold: golden records are still read, schemas lose and tighten nothing, nobody is named."""

import json
import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from shared.events import EVENT_TYPES, InvalidEvent, decode, encode
from tests.contract.compat import broken
from tests.contract.samples import sample

HERE = Path(__file__).parent
UPDATE = os.environ.get("UPDATE_GOLDEN") == "1"
PERSONAL = {"name", "phone", "id_number", "idnumber", "address", "email", "mobile", "identity", "birth", "gender"}
SCORING = ("score", "rank", "rating", "credit", "label")


def published(folder: str, event_type: str, fresh: dict[str, Any]) -> dict[str, Any]:
    """The committed file of a type; written on purpose only, with UPDATE_GOLDEN=1."""
    path = HERE / folder / f"{event_type}.json"
    if UPDATE:
        path.write_text(json.dumps(fresh, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return dict(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("event_type", sorted(EVENT_TYPES))
def test_golden_records_are_still_read_and_written(event_type: str) -> None:
    event = sample(EVENT_TYPES[event_type])
    written = orjson.loads(encode(event))
    golden = published("golden", event_type, written)
    assert decode(orjson.dumps(golden)) == event
    assert {k: written["data"][k] for k in golden["data"]} == golden["data"]
    assert {k: v for k, v in written.items() if k != "data"} == {k: v for k, v in golden.items() if k != "data"}


@pytest.mark.parametrize("event_type", sorted(EVENT_TYPES))
def test_a_published_schema_loses_and_tightens_nothing(event_type: str) -> None:
    current = EVENT_TYPES[event_type].model_json_schema(mode="validation")
    assert broken(published("schemas", event_type, current), current) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda s: s["properties"].pop("title"), "$.title: is gone"),
        (lambda s: s["required"].append("topic"), "$.topic: is required now"),
        (lambda s: s["properties"]["jurisdiction"].update(maxLength=5), "$.jurisdiction: maxLength is tighter"),
        (lambda s: s["properties"]["title"].update(type="integer"), "$.title: type string became integer"),
        (lambda s: s["properties"]["purpose"]["enum"].remove("consult"), "$.purpose: a value is not allowed any more"),
    ],
)
def test_the_comparison_notices_what_breaks(change: Any, complaint: str) -> None:
    old = EVENT_TYPES["fengqiao.petition.filed.v1"].model_json_schema()
    new = json.loads(json.dumps(old))
    change(new)
    assert complaint in broken(old, new)


def fields(schema: dict[str, Any]) -> set[str]:
    """Every property name in a schema, nested ones too."""
    own = set(schema.get("properties", {}))
    return own.union(*(fields(d) for d in schema.get("$defs", {}).values()))


@pytest.mark.parametrize("event_type", sorted(EVENT_TYPES))
def test_no_event_names_or_scores_a_person(event_type: str) -> None:
    names = fields(EVENT_TYPES[event_type].model_json_schema())
    assert not names & PERSONAL
    assert not [n for n in names if any(word in n for word in SCORING)]


def test_a_reader_ignores_what_newer_writers_add() -> None:
    event = sample(EVENT_TYPES["fengqiao.petition.filed.v1"])
    raw = orjson.loads(encode(event))
    raw["data"]["weather"] = "rain"
    raw["futureattribute"] = "x"
    assert decode(orjson.dumps(raw)) == event


def test_errors_of_a_bad_record_quote_no_input() -> None:
    raw = orjson.loads(encode(sample(EVENT_TYPES["fengqiao.petition.filed.v1"])))
    raw["data"]["headcount"] = "王某 13812345678"
    with pytest.raises(InvalidEvent) as caught:
        decode(orjson.dumps(raw))
    assert "13812345678" not in str(caught.value)
    assert "headcount" in str(caught.value)


def test_a_county_in_full_width_digits_is_no_county() -> None:
    raw = orjson.loads(encode(sample(EVENT_TYPES["fengqiao.petition.filed.v1"])))
    raw["data"]["jurisdiction"] = "３７０９１１"
    with pytest.raises(InvalidEvent, match="jurisdiction"):
        decode(orjson.dumps(raw))
