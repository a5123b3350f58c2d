"""`/livez` and `/readyz`: whether the process lives, and whether it can do its work."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from core.i18n import best_language, words
from core.services.messages import NOTIFICATION, OPEN
from core.storage.database import Database
from core.storage.migrate import head
from core.storage.tables import messages
from core.storage.tx import Tx

_log = logging.getLogger(__name__)

PATIENCE = 3.0
"""Seconds that the database has for its answer."""

OVERDUE = timedelta(minutes=5)
"""A message that a guest waits for and that nobody has taken up for so long: something stands."""

_SCHEMA = sa.text("SELECT version_num FROM alembic_version")


def health_routes(database: Database, plugins: Callable[[], Mapping[str, str]]) -> list[Route]:
    """`plugins()`: what is wrong with a running plugin, by its name; empty where all is well."""

    async def livez(request: Request) -> Response:
        return PlainTextResponse("alive")

    async def readyz(request: Request) -> Response:
        found = await readiness(database, plugins())
        ready = all(part == "ok" for part in found.values())
        return JSONResponse({"ready": ready, **found}, 200 if ready else 503)

    return [Route("/livez", livez), Route("/readyz", readyz)]


async def away(request: Request, error: Exception) -> Response:
    """The database does not answer: not the guest's fault, and soon over."""
    _log.warning("%s asked for while the database is away", request.url.path.split("/")[1])
    w = words(best_language(request.headers.get("accept-language", "").split(",")[0]))
    text = w.text("We'll be right back. Please try again in a moment.")
    return PlainTextResponse(text, 503, headers={"Retry-After": "5"})


async def readiness(database: Database, troubled: Mapping[str, str]) -> dict[str, str]:
    """`ok`, or what is wrong, of the database, its schema, the plugins and the outbox."""
    found = dict.fromkeys(("database", "schema", "plugins", "outbox"), "ok")
    if troubled:
        found["plugins"] = "; ".join(f"{name}: {what}" for name, what in troubled.items())
    try:
        look = database.read(_look, datetime.now(UTC))
        schema, overdue = await asyncio.wait_for(look, PATIENCE)
    except Exception as error:
        _log.warning("not ready: the database does not answer: %s", type(error).__name__)
        return {**found, "database": "no answer", "schema": "unknown", "outbox": "unknown"}
    if schema != head():
        found["schema"] = f"at {schema}, wanted {head()}"
    if overdue > OVERDUE:
        found["outbox"] = f"a message has been due for {int(overdue.total_seconds())} s"
    return found


def _look(tx: Tx, now: datetime) -> tuple[str, timedelta]:
    """The schema's revision, and how long the oldest message that a guest waits for is overdue."""
    oldest = tx.scalar(
        sa.select(sa.func.min(messages.c.due_at)).where(
            OPEN, messages.c.status == "queued", messages.c.lane <= NOTIFICATION
        )
    )
    overdue = max(timedelta(0), now - oldest) if oldest else timedelta(0)
    return str(tx.scalar(_SCHEMA)), overdue
