"""Verifying a whole log: row by row, while the service writes, and whatever a row holds."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from shared import audit
from shared.mongo import Mongo
from tests.unit.shared.test_audit import chain_of

CHAIN = "2026-03-01/00"


class Row(dict[str, Any]):
    """A row whose end can be noticed."""


class Cursor:
    """Stands for motor's: gives fresh documents, whatever it was asked to sort by."""

    def __init__(self, documents: Callable[[], AsyncIterator[dict[str, Any]]]) -> None:
        self._documents = documents

    def sort(self, *_: Any) -> Cursor:
        return self

    def allow_disk_use(self, *, allow_disk_use: bool) -> Cursor:
        return self

    def batch_size(self, _: int) -> Cursor:
        return self

    def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        return self._documents()


class Log:
    """A database with one chain; counts the rows that are held at once, and calls `meanwhile` halfway."""

    def __init__(self, length: int, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.rows, self.heads = chain_of(length, CHAIN)
        self.held = self.most = 0
        self._meanwhile = meanwhile

    def __getitem__(self, name: str) -> Log:
        self._name = name
        return self

    def find(self, _: object) -> Cursor:
        return Cursor(self._all_rows if self._name == audit.ROWS else self._all_heads)

    async def _all_rows(self) -> AsyncIterator[dict[str, Any]]:
        halfway = len(self.rows) // 2
        for number, plain in enumerate(self.rows):  # sees what is added meanwhile
            if number == halfway:
                self._meanwhile()
            row = Row(plain)
            weakref.finalize(row, self._gone)
            self.held += 1
            self.most = max(self.most, self.held)
            yield row

    def _gone(self) -> None:
        self.held -= 1

    async def _all_heads(self) -> AsyncIterator[dict[str, Any]]:
        for name, (n, hashed) in self.heads.items():
            yield {"_id": name, "n": n, "hash": hashed}


async def verified(log: Log) -> audit.Report:
    return await audit.verify(cast(Mongo, log))


async def test_rows_are_not_kept() -> None:
    log = Log(500)
    report = await verified(log)
    assert (report.ok, report.chains, report.rows) == (True, 1, 500)
    assert log.most <= 3


async def test_what_a_service_writes_meanwhile_is_no_finding() -> None:
    longer, heads = chain_of(8, CHAIN)

    def write() -> None:
        log.rows.extend(longer[5:7])  # of three new rows two are seen, and the head after the third
        log.heads = {**heads, "2026-03-02/00": (1, "of a chain that began meanwhile")}

    log = Log(5, write)
    report = await verified(log)
    assert (report.findings, report.rows, report.chains) == ((), 7, 2)


async def test_a_new_row_that_is_read_without_the_new_one_before_it_is_no_finding() -> None:
    longer, heads = chain_of(8, CHAIN)

    def write() -> None:
        log.rows.extend(longer[6:])
        log.heads = heads

    log = Log(5, write)
    assert (await verified(log)).findings == ()


async def test_a_row_after_the_head_is_a_finding_also_when_it_comes_meanwhile() -> None:
    longer, _ = chain_of(6, CHAIN)
    log = Log(5, lambda: log.rows.extend(longer[5:]))
    assert [(found.n, found.what.split(":")[0]) for found in (await verified(log)).findings] == [(5, "inserted")]


async def test_a_head_that_is_put_back_meanwhile_is_a_finding() -> None:
    _, heads = chain_of(3, CHAIN)
    log = Log(5, lambda: log.heads.update(heads))
    assert [found.what.split(":")[0] for found in (await verified(log)).findings] == ["inserted"]


@pytest.mark.parametrize("change", [{"n": "3"}, {"n": None}, {"hash": None}, {"at": datetime(2026, 3, 1, tzinfo=UTC)}])
async def test_a_row_that_holds_something_strange_is_a_finding(change: dict[str, Any]) -> None:
    log = Log(5)
    log.rows[2].update(change)
    assert not (await verified(log)).ok
