"""The plugins' instances without their work: nothing is received, sent or polled.

For the commands that ask providers something: `malva check`, `malva cafe poster`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from core.bell import Bell
from core.contract import Received
from core.domain.business import Business
from core.gateway import Background, Gateways
from core.holding import Holder
from core.keys import Keys
from core.plugins import Loader, Plugins
from core.services.desk import Desk
from core.settings import Settings
from core.storage.database import Database
from core.wire import Wire


@asynccontextmanager
async def at_rest(settings: Settings, loader: Loader, database: Database) -> AsyncIterator[Plugins]:
    """One instance of each plugin that `loader` has loaded. SettingsError where one can't start."""
    wire, background = Wire(), Background()
    try:
        gateways = _gateways(settings, loader, database, wire, background)
        desk = Desk(database, gateways.keys, Business(gateways.business), {})
        yield loader.start(lambda config: gateways.of(config.name), desk)
    finally:
        await background.finish(0)
        await wire.close()


def _gateways(
    settings: Settings, loader: Loader, database: Database, wire: Wire, background: Background
) -> Gateways:
    """As the server's, but nothing that a guest does is taken."""

    async def deaf(channel: str, events: Sequence[Received]) -> Sequence[None]:
        raise RuntimeError("nothing is received at rest")

    def clock() -> datetime:
        return datetime.now(UTC)

    return Gateways(
        database=database,
        bell=Bell(database),
        holder=Holder(database, clock),
        keys=Keys(settings.secret_key or Keys.generate()),
        http=wire,
        background=background,
        receive=deaf,
        business=loader.file.business.name,
        public_url=settings.public_url,
        clock=clock,
    )
