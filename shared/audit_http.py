"""`GET /v1/audit`: the audit log of a service, for auditors."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from shared import audit
from shared.access import Access, Principal, may, require
from shared.mongo import Mongo
from shared.web import Problem

Named = Annotated[str, Query(min_length=1, max_length=100)]


def audit_routes(access: Access, mongo: Mongo) -> APIRouter:
    """The router. What it shows are account ids, acts, ids of objects and reasons; no text, no identity.

    Rows name no county, so an auditor of one county is refused.
    """
    router = APIRouter(prefix="/v1", tags=["staff"])
    auditor = Depends(require(access, *may("audit.read")))

    @router.get("/audit")
    async def audit_log(
        who: Principal = auditor,
        object: Named | None = None,
        actor: Named | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> dict[str, Any]:
        """Who did what to which object and why, newest first; `prev` and `hash` are the chain's."""
        if who.jurisdiction is not None:
            raise Problem(403, "jurisdiction-not-yours", "the log is of all counties; this needs an auditor of all")
        return {"rows": await audit.rows(mongo, object=object, actor=actor, limit=limit)}

    return router
