"""A plugin on trial: a whole Malva that runs it, the adapter alone, and the vendor's side."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import logging
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Generic, Self, TypeVar
from urllib.parse import urlsplit

import sqlalchemy as sa

from core.contract import Request
from core.plugins import Loader
from core.pluginsfile import Kind, load_plugins_toml
from core.storage import tables
from core.testkit.gateway import ImpatientWire, OneGateway
from core.testkit.provider import Provider, unpacked
from core.testkit.running import Running, run
from core.testkit.simulator import Fault
from core.testkit.vendors import Event, Vendor, provider_of

T = TypeVar("T")
V = TypeVar("V", bound=Vendor)

CAFE = "bife"
HOUSE = '[business]\nname = "BIFE"\n\n[pages.portal]\nmodule = "portal"\n\n'
KEPT = (
    tables.seen_events,
    tables.contacts,
    tables.messages,
    tables.early_receipts,
    tables.orders,
    tables.refunds,
    tables.tasks,
)
"""What a webhook may leave behind."""


class Trial(Generic[V]):
    """`vendor` is the vendor's side, `malva` runs the plugin; numbers are never given twice."""

    kind: Kind
    path: str
    """Of the plugin's webhook."""

    def __init__(self, vendor: V, provider: Provider, malva: Running, plugins: str) -> None:
        self.vendor = vendor
        self.provider = provider
        self.malva = malva
        self._plugins = plugins
        self._numbers = itertools.count(1)

    @classmethod
    @contextlib.contextmanager
    def of(cls, vendor_class: Callable[[Provider], V]) -> Iterator[Self]:
        """Everything started, and stopped at the end."""
        with provider_of(vendor_class) as provider, TemporaryDirectory() as folder:
            vendor = vendor_class(provider)
            plugins = f"[{cls.kind}.{vendor.name}]\n{cls.table(vendor)}\n"
            with run(f"sqlite:///{folder}/malva.db", HOUSE + plugins, cafes=(CAFE,)) as malva:
                yield cls(vendor, provider, malva, plugins)

    @staticmethod
    def table(vendor: Any) -> str:
        """The plugin's table in plugins.toml."""
        raise NotImplementedError

    @property
    def address(self) -> str:
        return self.malva.url + self.path.format(name=self.vendor.name)

    def alone(self) -> Alone:
        """The adapter without a Malva, to be entered."""
        return Alone(self.kind, self.vendor.name, self._plugins, self.malva.url)

    def number(self) -> int:
        return next(self._numbers)

    # -- what a plugin of this kind is for -----------------------------------------------------

    def event(self) -> Event:
        """A new one that has one effect: somebody new says something, an order is paid."""
        raise NotImplementedError

    def effects(self) -> int:
        """How many effects there have been: guests' first words answered, orders counted."""
        raise NotImplementedError

    def expect(self, effects: int) -> None:
        """Waits for so many effects; there may be no more."""
        eventually(lambda: self.effects() >= effects, what=f"{effects} effects")
        assert self.effects() == effects

    # -- webhooks ------------------------------------------------------------------------------

    def webhook(self, *events: Event) -> Request:
        return self.vendor.webhook(self.address, events)

    def signed(self, body: bytes) -> Request:
        return self.vendor.signed(self.address, body)

    def tell(self, *events: Event) -> int:
        """Delivers them in one webhook; the status of the answer."""
        return post(self.webhook(*events))

    def at_once(self, requests: Sequence[Request]) -> list[int]:
        """Delivers them at the same moment, each on a connection of its own."""
        with ThreadPoolExecutor(len(requests)) as pool:
            return list(pool.map(post, requests))

    def stored(self) -> dict[str, int]:
        """How many rows there are of what a webhook may leave behind."""
        counts = [sa.select(sa.func.count()).select_from(table).scalar_subquery() for table in KEPT]
        row = self.malva.database.read_now(lambda tx: tx.execute(sa.select(*counts)).one())
        return {table.name: count for table, count in zip(KEPT, row, strict=True)}

    # -- the provider --------------------------------------------------------------------------

    def refuses(self, meaning: str, times: int | None = 1, calls: str | None = None) -> Fault:
        """The API's next calls, or all of them, are refused in the vendor's own words."""
        status, body, headers = unpacked(self.vendor.refusals[meaning])
        return self.provider.fail(
            calls or self.vendor.calls, status, body=body, headers=headers, times=times
        )

    def recover(self) -> None:
        """Nothing is wrong with the provider any more."""
        self.provider.heal()
        self.provider.start()


def post(request: Request) -> int:
    """Sends it as the provider would; the status of the answer."""
    address = urlsplit(request.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)
    try:
        connection.putrequest(request.method, f"{address.path or '/'}?{address.query}".rstrip("?"))
        for name, value in request.headers.items():
            connection.putheader(name, value.encode())
        connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body)
        return connection.getresponse().status
    finally:
        connection.close()


def eventually(happened: Callable[[], T], timeout: float = 10.0, what: str = "") -> T:
    """What `happened()` gives as soon as it is true; AssertionError when time is up."""
    until = time.monotonic() + timeout
    while not (found := happened()):
        assert time.monotonic() < until, f"not within {timeout:g} s: {what or happened}"
        time.sleep(0.01)
    return found


class Alone:
    """An adapter beside a gateway and an event loop of its own: `with trial.alone() as alone`.
    A provider that hangs is waited for half a second."""

    def __init__(self, kind: Kind, name: str, plugins: str, public_url: str) -> None:
        self._kind, self._name, self._plugins = kind, name, plugins
        self._public_url = public_url

    def __enter__(self) -> Self:
        with TemporaryDirectory() as folder:
            path = Path(folder, "plugins.toml")
            path.write_text(self._plugins, encoding="utf-8")
            loader = Loader(load_plugins_toml(path, {}))
            loader.load()
        self._runner = asyncio.Runner()
        self.adapter: Any = self.run(self._start(loader))
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._wire.close())
        self._runner.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(work)

    async def for_a_moment(self, work: Coroutine[Any, Any, None]) -> None:
        """Lets it run, and ends it as the server does."""
        task = asyncio.create_task(work)
        await asyncio.sleep(0.2)
        task.cancel()
        _, late = await asyncio.wait([task], timeout=5)
        assert not late, "it did not end"
        if not task.cancelled():
            assert task.exception() is None, task.exception()

    async def _start(self, loader: Loader) -> Any:
        self._wire = ImpatientWire()
        self.gateway = OneGateway(self._name, self._wire, self._public_url)
        started = loader.start(lambda config: self.gateway, None)
        return getattr(started, self._kind)[self._name]


class Log(logging.Handler):
    """Everything that is logged while it stands open, down to DEBUG."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def __enter__(self) -> Self:
        self._level = logging.root.level
        logging.root.setLevel(logging.DEBUG)
        logging.root.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.root.removeHandler(self)
        logging.root.setLevel(self._level)

    def telling(self, secrets: Sequence[str]) -> list[str]:
        """The lines that hold one of them."""
        return [line for line in self.lines if any(secret in line for secret in secrets)]
