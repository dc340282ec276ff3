"""The audit chain shows each kind of change: edit, removal, insertion, reordering, fork, truncation."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.audit import GENESIS, Anchor, check, digest, genuine, merkle_root, seal

AT = datetime(2026, 3, 1, tzinfo=UTC)
KEY = b"a" * 32


def chain_of(length: int, name: str = "2026-03-01/00") -> tuple[list[dict[str, Any]], dict[str, tuple[int, str]]]:
    rows: list[dict[str, Any]] = []
    previous = GENESIS
    for number in range(1, length + 1):
        row: dict[str, Any] = {
            "_id": f"{name}/{number}",
            "chain": name,
            "n": number,
            "at": AT.isoformat(),
            "actor": "a1",
            "action": "warning.acknowledge",
            "object": f"w{number}",
            "reason": "因为",
            "result": "ok",
            "detail": {},
            "prev": previous,
        }
        previous = row["hash"] = digest(row)
        rows.append(row)
    return rows, {name: (length, previous)}


def test_an_untouched_log_is_ok():
    rows, heads = chain_of(5)
    report = check(reversed(rows), heads)
    assert report.ok
    assert (report.chains, report.rows) == (1, 5)
    assert check([], {}).ok


@pytest.mark.parametrize("field", ["actor", "action", "object", "reason", "result", "at", "detail"])
def test_an_edit_is_found_at_its_row(field):
    rows, heads = chain_of(5)
    rows[2][field] = {"x": "y"} if field == "detail" else "changed"
    assert [(f.n, f.what.split(":")[0]) for f in check(rows, heads).findings] == [(3, "edited")]


def test_an_edit_with_a_new_hash_breaks_the_chain():
    rows, heads = chain_of(5)
    rows[2]["actor"] = "b"
    rows[2]["hash"] = digest(rows[2])
    assert [(f.n, f.what.split(":")[0]) for f in check(rows, heads).findings] == [(4, "broken")]


def test_a_removed_row_is_found():
    rows, heads = chain_of(5)
    del rows[1]
    assert [(f.n, f.what.split(":")[0]) for f in check(rows, heads).findings] == [(2, "missing")]


def test_an_inserted_row_is_found():
    rows, heads = chain_of(5)
    extra = copy.deepcopy(rows[-1]) | {"n": 6, "_id": "2026-03-01/00/6", "prev": rows[-1]["hash"]}
    extra["hash"] = digest(extra)
    assert [f.what.split(":")[0] for f in check([*rows, extra], heads).findings] == ["inserted"]
    assert [f.what.split(":")[0] for f in check(rows, {}).findings] == ["inserted"]


def test_rows_in_another_order_are_found():
    rows, heads = chain_of(5)
    rows[1]["n"], rows[2]["n"] = rows[2]["n"], rows[1]["n"]
    assert {"reordered"} <= {f.what.split(":")[0] for f in check(rows, heads).findings}


def test_a_fork_is_found():
    rows, heads = chain_of(5)
    other = copy.deepcopy(rows[2]) | {"_id": "fork"}
    assert "forked" in {f.what.split(":")[0] for f in check([*rows, other], heads).findings}


def test_truncation_is_found_by_the_head_and_with_the_head_by_the_anchor():
    rows, heads = chain_of(5)
    assert [f.what.split(":")[0] for f in check(rows[:3], heads).findings] == ["truncated"]
    anchor = seal(heads, KEY, AT)
    short, short_heads = chain_of(3)
    assert check(short, short_heads).ok
    assert [f.what.split(":")[0] for f in check(short, short_heads, anchor).findings] == ["truncated"]
    longer, longer_heads = chain_of(7)
    assert check(longer, longer_heads, anchor).ok


def test_a_whole_chain_written_anew_is_found_by_the_anchor():
    rows, heads = chain_of(5)
    anchor = seal(heads, KEY, AT)
    previous = GENESIS
    for row in rows:
        row["actor"], row["prev"] = "b", previous
        previous = row["hash"] = digest(row)
    again = {rows[0]["chain"]: (5, previous)}
    assert check(rows, again).ok
    assert [f.what.split(":")[0] for f in check(rows, again, anchor).findings] == ["rewritten"]


def test_an_anchor_is_signed_and_survives_json():
    _, heads = chain_of(2)
    anchor = Anchor.from_json(seal(heads, KEY, AT).to_json())
    assert genuine(anchor, KEY)
    assert not genuine(anchor, b"b" * 32)
    forged = Anchor(anchor.at, {"2026-03-01/00": (1, "0")}, anchor.root, anchor.signature)
    assert not genuine(forged, KEY)
    for text in ("{}", "[]", "null", "x", '{"at": 1, "heads": [], "root": "", "signature": ""}'):
        with pytest.raises(ValueError):
            Anchor.from_json(text)


def test_the_root_depends_on_every_head():
    heads = {f"c{i}": (i, "h") for i in range(7)}
    roots = {merkle_root({k: v for k, v in heads.items() if k != left}) for left in heads} | {merkle_root(heads)}
    assert len(roots) == 8
