"""Serving: the port, the event loop, signals, and how the process ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from core import logs
from core.app import MakeDemo, running
from core.plugins import Loader
from core.pluginsfile import load_plugins_toml
from core.settings import Settings, SettingsError
from core.storage.alone import alone
from core.streams import Streams

log = logging.getLogger(__name__)

GRACE = 3
"""Seconds that open requests have when the server stops: an answer that takes longer is cut off."""


def serve(
    settings: Settings,
    plugins: Path,
    host: str,
    port: int,
    *,
    demo: MakeDemo | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT. `demo` fills the demo's database; `ready` is told the
    address. SettingsError, Served, NewerDatabase or OSError where it can't start."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    redact = logs.set_up(settings.log, settings.secrets())
    loader = Loader(load_plugins_toml(plugins, settings.environ))
    loader.load()
    redact.learn(loader.secrets())
    with (
        listening_on(host, port) as listening,
        alone(settings.database_url),
        asyncio.Runner(loop_factory=_loop_factory()) as runner,
    ):
        runner.run(_serve(settings, loader, listening, demo, ready))


def _leave(number: int, frame: FrameType | None) -> None:
    """Told to stop before there was anything to finish."""
    sys.exit(0)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    import uvloop  # here: a command that doesn't serve has no need of it

    return uvloop.new_event_loop


@contextlib.contextmanager
def listening_on(host: str, port: int) -> Iterator[socket.socket]:
    """The port is taken first: nothing is touched where somebody else has it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        why = str(error.strerror).partition(" (")[0]
        raise SettingsError(
            f"can't listen on {host}:{port}: {why}; another --port, or stop what has it"
        ) from None
    with listening:
        yield listening


async def _serve(
    settings: Settings,
    loader: Loader,
    listening: socket.socket,
    demo: MakeDemo | None,
    ready: Callable[[str], None] | None,
) -> None:
    async with running(settings, loader, demo=demo) as application:
        server = Server(config(application, settings))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, server.stop)
        _settle_memory()
        address = "http://{}:{}".format(*listening.getsockname()[:2])
        log.info("serving on %s", address)
        if ready is not None:
            ready(address)
        await server.serve(sockets=[listening])


class Server(uvicorn.Server):
    """uvicorn that leaves signals to us: it would end the process by the signal, not with 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        self.should_exit = True
        if isinstance(self.config.app, Streams):
            self.config.app.end()


def config(application: ASGIApp, settings: Settings) -> uvicorn.Config:
    """No access log: the proxy has one, the metrics count, and refusals are logged where they are
    made. Forwarded headers count from the trusted proxies alone."""
    return uvicorn.Config(
        application,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )


def _settle_memory() -> None:
    """What is loaded now stays: the collector need not look at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
