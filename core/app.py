"""The composition root: everything is put together here and nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.types import ASGIApp

from core import api
from core.bell import Bell
from core.contract import Channel, DomainEvent, Pos
from core.express import Express
from core.gateway import Background, Gateways
from core.health import away, health_routes
from core.holding import Holder
from core.inbox import Inbox
from core.keys import Keys
from core.metrics import Measured, Metrics, metrics_route
from core.outbox import Outbox
from core.plugins import Loader
from core.rotation import retire_older_keys
from core.scheduler import Scheduler
from core.services.desk import Demo, Desk
from core.settings import Settings
from core.storage.database import UNAVAILABLE, Database
from core.storage.migrate import migrate
from core.streams import Streams
from core.talk import House
from core.wire import Wire

log = logging.getLogger(__name__)

GRACE = 3
"""Seconds that work beside the requests has when everything stops."""
RESTART_AFTER = 5.0
"""Seconds before a channel's own work that broke off is begun again."""

Clock = Callable[[], datetime]
MakeDemo = Callable[[Database, Keys], Demo]


def utc_now() -> datetime:
    return datetime.now(UTC)


@contextlib.asynccontextmanager
async def running(
    settings: Settings, loader: Loader, *, demo: MakeDemo | None = None, clock: Clock = utc_now
) -> AsyncIterator[ASGIApp]:
    """Everything at work, from the migrated database to the senders, and the application that
    answers. At the end what was begun is finished, in the opposite order."""
    keys = Keys(settings.secret_key)
    async with contextlib.AsyncExitStack() as stack:
        database = Database(settings.database_url)
        stack.callback(database.close)
        migrate(database)
        house = Malva(settings, loader, database, keys, clock)
        application = house.build(demo(database, keys) if demo else None)
        await house.start(stack)
        yield application


class Malva:
    """One running Malva: its parts, and how they know each other."""

    def __init__(
        self,
        settings: Settings,
        loader: Loader,
        database: Database,
        keys: Keys,
        clock: Clock,
    ) -> None:
        self._settings, self._loader = settings, loader
        self._database, self._keys, self._clock = database, keys, clock
        self._business = loader.file.business
        self._bell, self._wire = Bell(database), Wire()
        self._holder, self._background = Holder(database, clock), Background()
        self._metrics = Metrics()
        self._channels: dict[str, Channel] = {}
        self._tills: dict[str, Pos] = {}
        self._troubled: dict[str, str] = {}

    def build(self, demo: Demo | None) -> ASGIApp:
        """Makes the plugins' instances and the application with all its routes."""
        inbox = Inbox(
            self._database,
            self._channels,
            self._tills,
            house=House(
                self._business.name,
                self._settings.public_url,
                self._keys,
                self._business.privacy_url,
                channels=self._channels,
            ),
            background=self._background,
            clock=self._clock,
        )
        desk = Desk(self._database, self._keys, self._business, self._channels, demo)
        gateways = self._gateways(inbox)
        self._plugins = self._loader.start(lambda config: gateways.of(config.name), desk)
        self._channels.update(self._plugins.channels)
        self._tills.update(self._plugins.pos)
        busiest = [*api.routes(self._database, self._clock), *inbox.routes()]
        routes = [
            *busiest,
            *health_routes(self._database, lambda: self._troubled),
            metrics_route(self._metrics, self._database, self._settings.metrics_token),
            *self._plugins.pages,
        ]
        answering = Starlette(routes=routes, exception_handlers=dict.fromkeys(UNAVAILABLE, away))
        return Streams(Measured(Express(answering, busiest), self._metrics, routes))

    def _gateways(self, inbox: Inbox) -> Gateways:
        return Gateways(
            database=self._database,
            bell=self._bell,
            holder=self._holder,
            keys=self._keys,
            http=self._wire,
            background=self._background,
            receive=inbox.receive,
            business=self._business.name,
            public_url=self._settings.public_url,
            clock=self._clock,
        )

    async def start(self, stack: contextlib.AsyncExitStack) -> None:
        """Sets everything to work; `stack` is told how each part is brought to an end."""
        stack.push_async_callback(self._wire.close)
        self._bell.start()
        stack.push_async_callback(self._bell.stop)
        self._listen(asyncio.get_running_loop())
        outbox = Outbox(
            self._database,
            self._channels,
            bell=self._bell,
            holder=self._holder,
            keys=self._keys,
            public_url=self._settings.public_url,
            clock=self._clock,
        )
        outbox.start()
        stack.push_async_callback(outbox.stop)
        scheduler = Scheduler(
            self._database, self._tills, bell=self._bell, holder=self._holder, clock=self._clock
        )
        scheduler.start()
        stack.push_async_callback(scheduler.stop)
        stack.push_async_callback(self._background.finish, GRACE)
        if self._keys.several:
            self._background(retire_older_keys(self._database, self._keys))
        runs = [asyncio.create_task(self._keep(*one)) for one in self._channels.items()]
        stack.push_async_callback(_cancel, runs)

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Events reach the plugins and the metrics on the event loop, after their commit."""

        def tell(events: Sequence[DomainEvent]) -> None:
            for event in events:
                self._metrics.tell(event)
                self._plugins.tell(event)

        def committed(rings: Sequence[str], events: Sequence[DomainEvent]) -> None:
            if events:
                with contextlib.suppress(RuntimeError):  # the loop has just closed
                    loop.call_soon_threadsafe(tell, events)

        self._database.on_commit(committed)

    async def _keep(self, name: str, channel: Channel) -> None:
        """A channel's own work; where it breaks off, it is told and begun again."""
        while True:
            try:
                await channel.run()
            except Exception as error:
                log.exception("channel %s broke off; it begins again", name)
                self._troubled[name] = type(error).__name__
                await asyncio.sleep(RESTART_AFTER)
                self._troubled.pop(name, None)
            else:
                return


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
