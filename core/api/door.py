"""Who knocks: a request's token and body, and the till that the token is of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from pydantic import TypeAdapter
from starlette.requests import Request

from core.api import intake
from core.api.problems import Problem
from core.services import tills
from core.services.tills import Till
from core.storage.database import Database
from core.storage.tx import Tx

Clock = Callable[[], datetime]
T = TypeVar("T")


async def read(database: Database, request: Request, kind: TypeAdapter[T]) -> tuple[str, T]:
    """The token and the body. Whose token is wrong is told that first, whatever they sent."""
    token = intake.bearer(request)
    try:
        return token, await intake.read(request, kind)
    except Problem:
        await database.read(till_of, token)
        raise


def till_of(tx: Tx, token: str) -> Till:
    till = tills.by_token(tx, token)
    if till is None:
        raise intake.unauthorized()
    return till
