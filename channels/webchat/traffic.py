"""What visitors write, and what they are to see, as it comes: docs/channels/webchat.md."""

from __future__ import annotations

import hashlib
import math
from collections.abc import AsyncIterator
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

import malva
from channels.webchat import wire
from channels.webchat.visitors import Paces, Visitors, language

LARGEST_BODY = 1024 * 1024
HISTORY = 100
HEARTBEAT = 15.0


class Refusal(Exception):
    """A request that gets no further: its status, a stable code, words for a person; `wait` in
    seconds until it may be tried again."""

    def __init__(self, status: HTTPStatus, code: str, message: str, wait: float = 0) -> None:
        super().__init__(message)
        headers = {"Retry-After": str(math.ceil(wait))} if wait else None
        self.answer = JSONResponse({"error": {"code": code, "message": message}}, status, headers)


class Traffic:
    def __init__(
        self,
        gateway: malva.Gateway,
        visitors: Visitors,
        *,
        messages_per_second: float,
        visitors_per_second: float,
    ) -> None:
        self._gateway = gateway
        self._visitors = visitors
        self._message_pace = Paces(messages_per_second)
        self._visitor_pace = Paces(visitors_per_second)

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/chat/messages", self.take, methods=["POST"]),
            Route("/chat/events", self.events),
        ]

    # -- in --------------------------------------------------------------------------------------

    async def take(self, request: Request) -> Response:
        """200 after the commit; the replies come by `/chat/events`. A new visitor gets an address
        with their first message and not before: a crawler that only looks gets none."""
        try:
            self._check_origin(request)
            id_, content = _message(await _body(request))
            address = self._visitors.known(request) or self._new(request)
            _check_pace(self._message_pace, address)
        except Refusal as refusal:
            return refusal.answer
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        sender = malva.Sender(address, language=language(request))
        event_id = _event_id(address, id_)
        inbound = malva.Inbound(event_id=event_id, sender=sender, content=content)
        await self._gateway.receive([inbound])
        response = JSONResponse({"id": id_})
        self._visitors.remember(response, address)
        return response

    def _new(self, request: Request) -> str:
        _check_pace(self._visitor_pace, request.client.host if request.client else "")
        return self._visitors.new()

    def _check_origin(self, request: Request) -> None:
        """No page of another site writes in a visitor's name: a browser says where a request comes
        from, and sends another site's JSON only if it is let. A program that sends neither header
        carries no visitor's cookie."""
        if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
            raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not_json", "send application/json")
        site = request.headers.get("sec-fetch-site", "same-origin")
        origin = request.headers.get("origin")
        ours = {request.headers.get("host"), urlsplit(self._gateway.public_url).netloc}
        if site != "same-origin" or (origin is not None and urlsplit(origin).netloc not in ours):
            raise Refusal(HTTPStatus.FORBIDDEN, "other_site", "this is for the chat's own page")

    # -- out -------------------------------------------------------------------------------------

    async def events(self, request: Request) -> Response:
        """Server-sent events: first `history`, then each `message` as it is stored. A browser that
        lost the connection comes back with `Last-Event-ID` and gets what it missed."""
        address = self._visitors.known(request)
        if address is None:  # 204 tells a browser not to come again by itself
            return Response(status_code=HTTPStatus.NO_CONTENT)
        return StreamingResponse(
            self._stream(address, _seen(request)),
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
            media_type="text/event-stream",
        )

    async def _stream(self, address: str, after: int | None) -> AsyncIterator[bytes]:
        public_url = self._gateway.public_url
        woken = after is not None  # who comes back may have missed something
        async with self._gateway.listen(address) as stored:
            if after is None:
                after, history = await self._history(address)
                yield history
            while True:
                new = await self._gateway.messages_after(address, after)
                for message in new:
                    after = message.id
                    yield wire.event("message", after, wire.as_json(message, public_url))
                if woken and not new:
                    last, history = await self._history(address)
                    if last != after:  # the guest erased everything: their messages begin anew
                        after = last
                        yield history
                woken = await stored(HEARTBEAT)
                if not woken:
                    yield b": still here\n\n"

    async def _history(self, address: str) -> tuple[int, bytes]:
        """The last message's id, and the event that shows the conversation as it stands."""
        earlier = await self._everything(address)
        last = earlier[-1].id if earlier else 0
        shown = wire.folded(earlier, HISTORY)
        documents = [wire.as_json(message, self._gateway.public_url) for message in shown]
        return last, wire.event("history", last, documents)

    async def _everything(self, address: str) -> list[malva.StoredMessage]:
        found: list[malva.StoredMessage] = []
        while page := await self._gateway.messages_after(address, found[-1].id if found else 0):
            found += page
        return found


def _message(body: bytes) -> tuple[str, malva.Content]:
    try:
        return wire.read_message(body)
    except ValueError as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, "unreadable", str(error)) from None


def _event_id(address: str, id_: str) -> str:
    """Tells one message from all others without telling whose it was: it is kept for days, and an
    erased visitor's address must be nowhere left."""
    return hashlib.blake2b(f"{address}:{id_}".encode(), digest_size=16).hexdigest()


def _check_pace(paces: Paces, who: str) -> None:
    if wait := paces.wait(who):
        raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, "too_fast", "too many at once", wait)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            raise Refusal(status, "too_large", "a message is at most 1 MiB")
    return bytes(body)


def _seen(request: Request) -> int | None:
    """The id of the last event that the browser has, as it says when it comes back."""
    seen = request.headers.get("last-event-id", "")
    return int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 16 else None
