"""What the OIDC issuer publishes of itself: its discovery document and its keys."""

from __future__ import annotations

from typing import Any

import httpx


async def discover(issuer: str) -> dict[str, Any]:
    """The issuer's OIDC discovery document; raises `httpx.HTTPError` or `ValueError`."""
    if not issuer:
        raise ValueError("FENGQIAO_OIDC_ISSUER is not set")
    async with httpx.AsyncClient(timeout=5, follow_redirects=False) as client:
        answer = await client.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        answer.raise_for_status()
        found = answer.json()
    if not isinstance(found, dict) or found.get("issuer") != issuer:
        raise ValueError("the discovery document is not this issuer's")
    return found


async def fetch_keys(issuer: str) -> dict[str, Any]:
    """The issuer's key set."""
    document = await discover(issuer)
    async with httpx.AsyncClient(timeout=5, follow_redirects=False) as client:
        answer = await client.get(str(document["jwks_uri"]))
        answer.raise_for_status()
        found = answer.json()
    if not isinstance(found, dict):
        raise TypeError("the key set is not an object")
    return found
