"""The pages' icon: a maple leaf (枫), drawn."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Response

_LEAF: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path fill="#8a1f11" d="M16 1l3 7 4-2-1 8 5-4 1 4 3 1-5 5 1 3'
    '-9-1v9h-4v-9l-9 1 1-3-5-5 3-1 1-4 5 4-1-8 4 2z"/></svg>'
)


def icon_routes() -> APIRouter:
    """`/favicon.ico`, which every browser asks for."""
    router = APIRouter(include_in_schema=False)

    @router.get("/favicon.ico")
    async def favicon() -> Response:
        return Response(_LEAF, headers={"Cache-Control": "max-age=86400"}, media_type="image/svg+xml")

    return router
