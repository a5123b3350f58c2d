"""Webhooks of messengers and tills: verify → parse → commit → 200.

Each event of a batch is a transaction of its own, so a bad one spoils no other; those of one guest
are taken one after the other. What is repeated meets a unique key. The only answer that asks the
provider to come again is 503, where the database is away.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

import sqlalchemy as sa
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from core.contract import (
    Channel,
    Fetch,
    Inbound,
    Outbound,
    Pos,
    Receipt,
    Received,
    Refused,
    Request,
    TillEvent,
    Unreadable,
)
from core.services import messages, receipts, reports
from core.services.errors import Refusal
from core.storage.database import Database, unavailable
from core.storage.tx import Prepared, Tx
from core.storage.types import to_micros
from core.talk import House, talk

log = logging.getLogger(__name__)

LARGEST_BODY = 1024 * 1024
T = TypeVar("T")

_NEW = Prepared(
    sa.text(
        "INSERT INTO seen_event (channel, event_id, at) VALUES (:channel, :event_id, :at) "
        "ON CONFLICT DO NOTHING"
    )
)


class _Answer(Exception):
    """The request ends here, with this response."""

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(text)
        self.response = PlainTextResponse(text, status)


class Inbox:
    """`channels` and `tills` are the running plugins by name, all there once `routes` is asked."""

    def __init__(
        self,
        database: Database,
        channels: Mapping[str, Channel],
        tills: Mapping[str, Pos],
        *,
        house: House,
        background: Callable[[Awaitable[None]], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._channels = channels
        self._tills = tills
        self._house = house
        self._background = background
        self._clock = clock

    def routes(self) -> list[Route]:
        """One for each channel and for each cafe of a till system, which run by now; their
        endpoints answer every error themselves (core/express.py)."""
        channels = [
            Route(
                f"/channels/{name}/webhook", partial(self._channel_webhook, name), methods=["POST"]
            )
            for name in self._channels
        ]
        tills = [
            Route(
                f"/pos/{name}/{cafe}/webhook",
                partial(self._till_webhook, name, cafe),
                methods=["GET", "POST"],
            )
            for name, pos in self._tills.items()
            for cafe in pos.cafes()
        ]
        return [*channels, *tills]

    # -- messengers ---------------------------------------------------------------------------

    async def _channel_webhook(self, name: str, request: HttpRequest) -> Response:
        channel = self._channels[name]
        try:
            if not (body := await _body(request)):
                return Response()
            asked = self._as_asked(request, body)
            _verified(name, lambda: channel.verify(asked))
            events = _parsed(name, lambda: channel.parse(asked))
            replies = await self.receive(name, events)
            return _with_reply(name, channel, replies)
        except _Answer as answer:
            return answer.response
        except Exception as error:
            return _come_again(name, error)

    async def receive(self, name: str, events: Sequence[Received]) -> Sequence[Outbound | None]:
        """Takes what came on the channel `name`; returns after the commit, with the reply that is
        to ride in the provider's response for each event that asked so. Raises only where the
        database is away: what was taken until then meets itself when it comes again."""
        if len(events) == 1:
            return [await self._take(name, events[0])]
        by_guest: defaultdict[str, list[int]] = defaultdict(list)
        for n, event in enumerate(events):
            if isinstance(event, Inbound):
                by_guest[f"of {event.sender.address}"].append(n)
            else:
                by_guest[f"receipt {n}"].append(n)  # their order doesn't matter
        replies: list[Outbound | None] = [None] * len(events)

        async def take_in_turn(numbers: Sequence[int]) -> None:
            for n in numbers:
                replies[n] = await self._take(name, events[n])

        outcomes = await asyncio.gather(
            *map(take_in_turn, by_guest.values()), return_exceptions=True
        )
        for outcome in outcomes:
            if outcome is not None:
                raise outcome
        return replies

    async def _take(self, name: str, event: Received) -> Outbound | None:
        channel = self._channels[name]
        try:
            reply = await self._database.write(
                _take, name, channel, event, self._house, self._clock()
            )
        except Exception as error:
            if unavailable(error):
                raise
            log.exception("%s: event left out, logged as %s", name, _incident())
            return None
        if isinstance(event, Inbound) and event.handle is not None:
            self._background(channel.acknowledge(event))
        return reply

    # -- tills --------------------------------------------------------------------------------

    async def _till_webhook(self, name: str, cafe: str, request: HttpRequest) -> Response:
        pos = self._tills[name]
        try:
            if not (body := await _body(request)):
                return Response()
            asked = self._as_asked(request, body)
            _verified(name, lambda: pos.verify(asked, cafe))
            arrived_at = self._clock()
            for event in _parsed(name, lambda: pos.parse(asked, cafe)):
                await self.report(name, cafe, event, arrived_at)
            return Response()
        except _Answer as answer:
            return answer.response
        except reports.NoSuchCafe:
            return PlainTextResponse("not found", 404)
        except Exception as error:
            return _come_again(name, error)

    async def report(
        self, pos: str, cafe: str, event: TillEvent | Fetch, arrived_at: datetime
    ) -> None:
        """Counts what a till system tells. What can't be counted goes to the event log. Raises
        NoSuchCafe, and where the database is away."""
        now = self._clock()
        about = {"arrived_at": arrived_at, "now": now}
        try:
            await self._database.write(reports.take, pos, cafe, event, **about)
        except reports.NoSuchCafe:
            raise
        except Exception as error:
            if unavailable(error):
                raise
            if not isinstance(error, Refusal):
                log.exception("%s: a report left out, logged as %s", pos, _incident())
            await self._database.write(reports.not_counted, pos, cafe, event, error, now)

    def _as_asked(self, request: HttpRequest, body: bytes) -> Request:
        """`url` is the address that the provider knows, whatever a proxy made of the request."""
        query = request.scope["query_string"].decode("latin-1")
        path = request.scope["path"] + ("?" + query if query else "")
        return Request(
            method=request.method,
            url=self._house.public_url + path,
            headers={
                name.decode("latin-1"): value.decode("latin-1")
                for name, value in request.scope["headers"]
            },
            query=dict(request.query_params) if query else {},
            body=body,
        )


def _take(
    tx: Tx, name: str, channel: Channel, event: Received, house: House, now: datetime
) -> Outbound | None:
    if isinstance(event, Receipt):
        receipts.take(tx, name, event, now)
        return None
    if not tx.changed(_NEW, channel=name, event_id=event.event_id, at=to_micros(now)):
        return None
    queued = talk(tx, name, channel.capabilities, event, house, now)
    return _riding(tx, queued, now) if event.reply_inline else None


def _riding(tx: Tx, queued: Sequence[int], now: datetime) -> Outbound | None:
    """The first that can leave in the response: a card can't, it is drawn at hand-over."""
    replies = (messages.ride_along(tx, row, now) for row in queued)
    return next((reply for reply in replies if reply is not None), None)


# -- the request -----------------------------------------------------------------------------------


async def _body(request: HttpRequest) -> bytes:
    """The body; 413 as soon as it grows too large."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_BODY:
                raise _Answer(413, "a webhook is at most 1 MiB")
    except ClientDisconnect:
        raise _Answer(400, "the request broke off") from None
    return bytes(body)


def _verified(name: str, verify: Callable[[], None]) -> None:
    try:
        verify()
    except Refused as error:
        log.warning("%s: webhook refused: %s", name, error)
        raise _Answer(401, "not signed by the provider") from None
    except Exception:
        incident = _incident()
        log.exception("%s: webhook not verified, logged as %s", name, incident)
        raise _Answer(401, f"could not be verified: {incident}") from None


def _parsed(name: str, parse: Callable[[], Sequence[T]]) -> Sequence[T]:
    """What the webhook tells. What our side broke on is answered 200: it would break again."""
    try:
        return parse()
    except Unreadable as error:
        incident = _incident()
        log.warning("%s: unreadable webhook, logged as %s: %s", name, incident, error)
        raise _Answer(200 if error.tolerate else 400, f"unreadable: {incident}") from None
    except Exception:
        incident = _incident()
        log.exception("%s: webhook not understood, logged as %s", name, incident)
        raise _Answer(200, f"not understood: {incident}") from None


def _with_reply(name: str, channel: Channel, replies: Sequence[Outbound | None]) -> Response:
    reply = next((reply for reply in replies if reply is not None), None)
    if reply is None:
        return Response()
    try:
        body, content_type = channel.render_inline(reply)
    except Exception:
        log.exception("%s: a reply could not be rendered into the response", name)
        return Response()
    return Response(body, media_type=content_type)


def _come_again(name: str, error: Exception) -> Response:
    log.error("%s: a webhook could not be kept: %s", name, type(error).__name__)
    return PlainTextResponse("the database is away, come again", 503, {"Retry-After": "5"})


def _incident() -> str:
    """What a log entry is called, so that it can be found again."""
    return secrets.token_hex(4)
