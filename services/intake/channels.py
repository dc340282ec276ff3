"""Who may file for a channel: anybody where the channel is open, else the channel itself or an account."""

from __future__ import annotations

from typing import Final

from fastapi import Request

from services.intake.bodies import PetitionIn
from shared.access import Access, Principal, check_role, may
from shared.signing import SignedRequests
from shared.web import Problem

_NONE_OPEN: Final = "no channel is open to petitioners' accounts here; file on the page of the petition form"


class Channels:
    """The intake's check of senders. `open_channels` None: every channel is open."""

    def __init__(self, access: Access, signed: SignedRequests, open_channels: frozenset[str] | None) -> None:
        self._access = access
        self._signed = signed
        self._open = open_channels

    async def signer(self, request: Request) -> Principal | None:
        """The channel that signed, None for a request without a signature; raises `Problem` 401 for one that is not good.

        Reads the body, which stays there for the request's other readers.
        """
        if not self._signed.present(request):
            return None
        self._signed.check_key(request)
        return await self._signed.principal(request, await request.body())

    async def check(self, request: Request, signer: Principal | None, body: PetitionIn) -> None:
        """Raise `Problem` 401 or 403 unless the sender may file this."""
        if signer is not None:
            check_channel(signer, body.channel)
            check_county(signer, body.jurisdiction)
            return
        is_open = self._open is None or body.channel in self._open
        has_token = "authorization" in request.headers
        if not is_open and not has_token and await self._access.session(request) is None:
            raise Problem(
                401,
                "channel-key-missing",
                "this channel is not open to everybody: sign the request with a key of the channel, or sign in",
                headers={"WWW-Authenticate": "Signature"},
            )
        if is_open and not has_token and body.received_at is None:
            return
        account = await self._access.request(request)
        if account.role == "channel":
            check_channel(account, body.channel)
        if account.role != "petitioner":  # who writes to whichever county the matter is of
            check_county(account, body.jurisdiction)
        elif not is_open:  # what an organ heard or found, how many came and before whom, the organ says
            channels = ", ".join(sorted(self._open or ()))
            detail = f"an account of a petitioner files by an open channel: {channels}" if channels else _NONE_OPEN
            raise Problem(403, "channel-not-open", detail)
        if body.received_at is not None:  # it starts a unit's clock: not for everybody to say
            check_role(account, may("petitions.enter"))
        elif not is_open:
            check_role(account, may("petitions.file"))

    async def importer(self, request: Request) -> Principal:
        """Who sends a file: a channel by its signature, else an account that may enter petitions."""
        signer = await self.signer(request)
        if signer is not None:
            return signer
        account = await self._access.request(request)
        check_role(account, may("petitions.enter"))
        return account


def check_channel(sender: Principal, channel: str) -> None:
    """Raise `Problem` 403 `channel-not-yours` unless the key or the token is one of this channel."""
    if sender.channel != channel:
        raise Problem(403, "channel-not-yours", "the key or the token is not one of this channel")


def check_county(principal: Principal, jurisdiction: str | None) -> None:
    """Raise `Problem` 403 `jurisdiction-not-yours` where the sender files for another county only."""
    if principal.jurisdiction and jurisdiction not in {None, principal.jurisdiction}:
        raise Problem(403, "jurisdiction-not-yours", "an account of a county files for that county")
