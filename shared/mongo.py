"""The driver's only door: connections, transactions, and the clean-up after a killed predecessor.

motor is imported here and in the stores' type hints only; see docs/decisions for when it will be PyMongo's own async API.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from bson import Binary
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorClientSession, AsyncIOMotorCollection
from pymongo import (
    ASCENDING,
    DESCENDING,
    DeleteMany,
    DeleteOne,
    IndexModel,
    InsertOne,
    ReplaceOne,
    UpdateMany,
    UpdateOne,
)
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WTimeoutError,
)
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from shared.failpoint import failpoint

__all__ = [
    "ASCENDING",
    "DESCENDING",
    "BulkWriteError",
    "Collection",
    "DeleteMany",
    "DeleteOne",
    "Document",
    "DuplicateKeyError",
    "IndexModel",
    "InsertOne",
    "Mongo",
    "PyMongoError",
    "ReplaceOne",
    "Session",
    "Unavailable",
    "UpdateMany",
    "UpdateOne",
]

Document = dict[str, Any]
Session = AsyncIOMotorClientSession
Collection = AsyncIOMotorCollection
T = TypeVar("T")

_MAJORITY: Final = WriteConcern(w="majority", j=True)
_SNAPSHOT: Final = ReadConcern("snapshot")
_BOUND_S: Final = 20.0
"""How long one transaction is retried. with_transaction of the driver would go on for 120 s and cannot be told."""

_DEPENDENCY_CODES: Final = frozenset({6, 7, 50, 64, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 14031})
"""The server's words for away, stepping down, busy, and out of disk space (14031)."""


class Unavailable(Exception):  # noqa: N818 - a state of the world, not a mistake
    """The database does not answer now; nothing is known to be wrong with the data. Wait and try again."""


def is_unavailable(error: BaseException) -> bool:
    """Whether `error` says that the database is away or busy, not that the request is wrong."""
    if isinstance(
        error, Unavailable | AutoReconnect | ConnectionFailure | ServerSelectionTimeoutError | NetworkTimeout
    ):
        return True
    if isinstance(error, WTimeoutError | ExecutionTimeout):
        return True
    if isinstance(error, OperationFailure):
        return error.code in _DEPENDENCY_CODES or error.has_error_label("TransientTransactionError")
    return isinstance(error, PyMongoError) and error.timeout


class Mongo:
    """One service's database. Creating it connects to nothing."""

    def __init__(self, uri: str, database: str, *, app_name: str) -> None:
        self.app_name = app_name
        self._client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
            uri,
            appname=app_name,
            tz_aware=True,
            uuidRepresentation="standard",
            serverSelectionTimeoutMS=5_000,
            connectTimeoutMS=5_000,
            timeoutMS=15_000,
            maxPoolSize=50,
            retryWrites=True,
        )
        self.name = database
        self._database = self._client.get_database(
            database, write_concern=_MAJORITY, read_concern=ReadConcern("majority")
        )
        self._after_commit: list[Callable[[], None]] = []

    def __getitem__(self, collection: str) -> Collection[Document]:
        return self._database[collection]

    def on_commit(self, call: Callable[[], None]) -> None:
        """Call this after every commit of this process: a wake-up, never a duty."""
        self._after_commit.append(call)

    async def ping(self) -> None:
        """Ask for an answer. Raises `Unavailable`."""
        try:
            await self._client.admin.command("ping")
        except PyMongoError as error:
            raise Unavailable(type(error).__name__) from error

    async def close(self) -> None:
        """Close the connections."""
        self._client.close()

    async def ensure_indexes(
        self, indexes: Mapping[str, Sequence[IndexModel]], retired: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        """Create what is missing, drop those of an earlier version by name; others are left as they are."""
        for collection, names in (retired or {}).items():
            there = await self._database[collection].index_information()
            for name in names:
                if name in there:
                    await self._database[collection].drop_index(name)
        existing = set(await self._database.list_collection_names())
        for collection, models in indexes.items():
            if collection not in existing:
                await self._database.create_collection(collection)
            if models:
                await self._database[collection].create_indexes(list(models))

    async def transaction(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """Run `work` in one transaction (snapshot, majority, journaled) and commit.

        `work` may run several times and must touch nothing but the session. What it raises escapes after a roll-back;
        conflicts with other writers are tried again; a database that stays away raises `Unavailable` when an attempt fails
        after 20 s. An attempt itself waits 15 s at the longest.
        """
        deadline = time.monotonic() + _BOUND_S
        attempt = 0
        while True:
            attempt += 1
            try:
                result = await self._attempt(work, deadline)
            except PyMongoError as error:
                if isinstance(error, ConfigurationError) or not is_unavailable(error):
                    raise
                if time.monotonic() > deadline:
                    raise Unavailable(type(error).__name__) from error
                await asyncio.sleep(min(0.5, 0.005 * 2 ** min(attempt, 7)) * random.uniform(0.5, 1.5))
                continue
            for call in self._after_commit:
                call()
            return result

    async def _attempt(self, work: Callable[[Session], Awaitable[T]], deadline: float) -> T:
        session = await self._client.start_session()
        try:
            session.start_transaction(
                read_concern=_SNAPSHOT, write_concern=_MAJORITY, read_preference=ReadPreference.PRIMARY
            )
            try:
                result = await work(session)
            except BaseException:
                if bool(session.in_transaction):
                    await _quietly(session.abort_transaction())
                raise
            await failpoint("mongo.before_commit")
            await self._commit(session, deadline)
            return result
        finally:
            await session.end_session()

    async def _commit(self, session: Session, deadline: float) -> None:
        """Commit until the outcome is known: the same commit may be asked for again (the server remembers it)."""
        while True:
            try:
                await session.commit_transaction()
                return
            except PyMongoError as error:
                unknown = error.has_error_label("UnknownTransactionCommitResult")
                if not unknown or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)

    async def end_orphans(self) -> int:
        """End the transactions that a killed process of the same name left open; returns how many.

        Without it their locks stand in the way of this process until mongod gives them up. It looks at the sessions of its
        own database user only, which needs no privilege.
        """
        pipeline: list[Document] = [
            {"$currentOp": {"allUsers": False, "idleSessions": True}},
            {"$match": {"appName": self.app_name, "transaction": {"$exists": True}, "lsid": {"$exists": True}}},
            {"$project": {"lsid": 1}},
        ]
        try:
            found = await self._client.admin.aggregate(pipeline).to_list(None)
            if found:
                ended = [{"id": Binary.from_uuid(row["lsid"]["id"])} for row in found]
                await self._client.admin.command("killSessions", ended)
        except PyMongoError as error:
            raise Unavailable(type(error).__name__) from error
        return len(found)


async def _quietly(call: Awaitable[Any]) -> None:
    """Finish an abort whatever happens: a server that is gone aborts by itself."""
    with contextlib.suppress(PyMongoError, asyncio.CancelledError):
        await asyncio.shield(call)
