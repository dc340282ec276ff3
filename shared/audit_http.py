"""`GET /v1/audit`: the audit log of a service, for auditors."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from shared import audit
from shared.access import Access, Principal, may, require
from shared.mongo import Mongo

Named = Annotated[str, Query(min_length=1, max_length=100)]


def audit_routes(access: Access, mongo: Mongo) -> APIRouter:
    """The router. What it shows are account ids, acts, ids of objects and reasons; no text, no identity."""
    router = APIRouter(prefix="/v1", tags=["staff"])
    auditor = Depends(require(access, *may("audit.read")))

    @router.get("/audit")
    async def audit_log(
        _: Principal = auditor,
        object: Named | None = None,
        actor: Named | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> dict[str, Any]:
        """Who did what to which object and why, newest first; `prev` and `hash` are the chain's."""
        return {"rows": await audit.rows(mongo, object=object, actor=actor, limit=limit)}

    return router
