"""A provider's stand-in on loopback: a server in its thread, a log of calls, faults, waiting.

Simulators of real vendors subclass it; `provider.Provider` is for those who only describe one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Self

import aiohttp
from aiohttp import web

HTML_ERROR = "<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>"


@dataclass
class Call:
    """One request that reached the simulator. `status` stays None when no answer was sent."""

    name: str
    params: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    body: bytes = b""
    token: str = ""
    at: float = field(default_factory=time.monotonic)
    status: int | None = None
    answer: Any = None


def named(call: Call, pattern: str) -> bool:
    """Names know no case, as Telegram's methods don't."""
    return fnmatchcase(call.name.lower(), pattern.lower())


@dataclass
class Fault:
    """What goes wrong with the next calls of a name; `used` counts how often it did."""

    name: str
    kind: str
    times: int | None = 1
    when: Callable[[Call], bool] | None = None
    seconds: float = 0.0
    status: int = 500
    body: str = ""
    content_type: str = "application/json"
    retry_after: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    used: int = 0

    def matches(self, call: Call) -> bool:
        if self.times is not None and self.used >= self.times:
            return False
        return named(call, self.name) and (self.when is None or self.when(call))

    def response(self) -> web.Response:
        after = {} if self.retry_after is None else {"Retry-After": f"{self.retry_after:g}"}
        return web.Response(
            status=self.status,
            text=self.body,
            content_type=self.content_type,
            headers={**after, **self.headers},
        )


@dataclass
class Delivery:
    """One webhook request that the simulator made; `error` where no answer came."""

    url: str
    body: bytes
    headers: dict[str, str]
    at: float = field(default_factory=time.monotonic)
    status: int | None = None
    answer: str = ""
    error: str | None = None

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def over(self) -> bool:
        return self.status is not None or self.error is not None


class Simulator:
    """A provider's server on a free loopback port; it keeps that and its memory over a stop()."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.deliveries: list[Delivery] = []
        self.faults: list[Fault] = []
        self.port = 0
        self.lock = threading.RLock()
        self._changed = threading.Condition(self.lock)
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._ready = threading.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    # What a provider fills in

    async def read(self, request: web.Request) -> Call:
        """Turns a request into a `Call`; the name is what faults are addressed to."""
        raise NotImplementedError

    async def answer(self, call: Call) -> web.Response:
        """Carries the call out."""
        raise NotImplementedError

    def error_body(self, status: int, description: str | None, retry_after: float | None) -> str:
        """The vendor's way of wording an error."""
        raise NotImplementedError

    def background(self) -> list[Coroutine[Any, Any, None]]:
        """What runs beside the server for as long as it is up."""
        return []

    # Running

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        if self._thread is not None:
            return
        self._ready.clear()
        self._failure = None
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        if self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._thread = None

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as failure:  # handed to whoever called start()
            self._failure = failure
        finally:
            self._ready.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._wake = asyncio.Event()
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._serve)
        # A long poll whose client has gone must end, or it would swallow the next poll's place.
        runner = web.AppRunner(
            app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None
        )
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        self.port = runner.addresses[0][1]
        async with aiohttp.ClientSession() as self.http:
            for work in self.background():
                self._keep(asyncio.create_task(work))
            self._ready.set()
            await self._stopping.wait()
            await self._end_tasks()
            await runner.cleanup()

    async def _end_tasks(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Starts work on the simulator's own loop, from any thread."""
        self._loop.call_soon_threadsafe(lambda: self._keep(self._loop.create_task(work)))

    # Serving

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        call = await self.read(request)
        with self.lock:
            self.calls.append(call)
            fault = next((fault for fault in self.faults if fault.matches(call)), None)
            if fault is not None:
                fault.used += 1
        self.touch()
        response = await self._respond(call, fault, request)
        if response is None:
            return web.Response()  # nobody is listening any more
        call.status = response.status
        with contextlib.suppress(ValueError, TypeError):
            call.answer = json.loads(response.text or "null")
        self.touch()
        return response

    async def _respond(
        self, call: Call, fault: Fault | None, request: web.Request
    ) -> web.Response | None:
        """None where the caller gets nothing but a closed connection."""
        if fault is None:
            return await self.answer(call)
        if fault.kind == "answer":
            return fault.response()
        if fault.kind == "reset":
            cut(request, hard=True)
            return None
        if fault.kind == "drop":
            await self.answer(call)
            cut(request, hard=False)
            return None
        await asyncio.sleep(fault.seconds)
        return await self.answer(call)

    # Faults: for the next `times` calls (None: until `heal`) whose name matches (`*` and `?` work)

    def fail(
        self,
        name: str = "*",
        status: int = 500,
        *,
        description: str | None = None,
        retry_after: float | None = None,
        html: bool = False,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
        times: int | None = 1,
        when: Callable[[Call], bool] | None = None,
    ) -> Fault:
        """Answers with an error, nothing else. `html`: a proxy's page, not the vendor's JSON."""
        fault = Fault(name, "answer", times, when, status=status, retry_after=retry_after)
        fault.headers = headers or {}
        if html:
            fault.body, fault.content_type = HTML_ERROR, "text/html"
        else:
            fault.body = self.error_body(status, description, retry_after) if body is None else body
        return self._add(fault)

    def slow(
        self,
        name: str = "*",
        seconds: float = 1.0,
        *,
        times: int | None = 1,
        when: Callable[[Call], bool] | None = None,
    ) -> Fault:
        """Carries the call out and answers, both after a while."""
        return self._add(Fault(name, "slow", times, when, seconds=seconds))

    def hang(
        self, name: str = "*", *, times: int | None = 1, when: Callable[[Call], bool] | None = None
    ) -> Fault:
        """Takes the request and never answers; nothing is carried out."""
        return self._add(Fault(name, "slow", times, when, seconds=24 * 3600))

    def reset(
        self, name: str = "*", *, times: int | None = 1, when: Callable[[Call], bool] | None = None
    ) -> Fault:
        """Resets the connection; nothing is carried out."""
        return self._add(Fault(name, "reset", times, when))

    def drop_answer(
        self, name: str = "*", *, times: int | None = 1, when: Callable[[Call], bool] | None = None
    ) -> Fault:
        """The uncertain case: the call is carried out, but the connection closes unanswered."""
        return self._add(Fault(name, "drop", times, when))

    def heal(self) -> None:
        """Takes all faults away."""
        with self.lock:
            self.faults.clear()

    def _add(self, fault: Fault) -> Fault:
        with self.lock:
            self.faults.append(fault)
        return fault

    # Waiting

    def calls_of(self, name: str) -> list[Call]:
        return [call for call in list(self.calls) if named(call, name)]

    def touch(self) -> None:
        """Says that something changed, to waiting tests and to waiting handlers."""
        with self._changed:
            self._changed.notify_all()
        with contextlib.suppress(RuntimeError, AttributeError):  # not started yet, or stopped
            self._loop.call_soon_threadsafe(self._wake.set)

    def wait_until(self, happened: Callable[[], Any], timeout: float = 5.0, what: str = "") -> Any:
        """Blocks until `happened()` is true and gives what it gave; AssertionError when time is up.

        For a program in another thread or process; a coroutine takes `wait_until_async`.
        """
        with self._changed:
            if not self._changed.wait_for(happened, timeout):
                raise AssertionError(f"not within {timeout:g} s: {what or 'what was waited for'}")
            return happened()

    async def wait_until_async(
        self, happened: Callable[[], Any], timeout: float = 5.0, what: str = ""
    ) -> Any:
        return await asyncio.to_thread(self.wait_until, happened, timeout, what)

    def wait_for_calls(self, name: str, count: int = 1, timeout: float = 5.0) -> list[Call]:
        self.wait_until(lambda: len(self.calls_of(name)) >= count, timeout, f"{count} × {name}")
        return self.calls_of(name)

    def wait_for_deliveries(self, count: int = 1, timeout: float = 5.0) -> list[Delivery]:
        """Waits until so many webhooks have been answered or have failed; gives all that have."""

        def done() -> list[Delivery]:
            return [delivery for delivery in self.deliveries if delivery.over]

        self.wait_until(lambda: len(done()) >= count, timeout, f"{count} deliveries")
        return done()

    async def until(self, happened: Callable[[], Any], timeout: float | None) -> bool:
        """The same inside the simulator's own loop; False when time is up."""
        deadline = None if timeout is None else self._loop.time() + timeout
        while not happened():
            self._wake.clear()
            left = None if deadline is None else deadline - self._loop.time()
            if left is not None and left <= 0:
                return False
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), left)
        return True

    # Webhooks

    async def post(
        self, url: str, body: bytes, headers: dict[str, str], timeout: float = 60.0
    ) -> Delivery:
        """Delivers a webhook once and logs it."""
        delivery = Delivery(url, body, headers)
        with self.lock:
            self.deliveries.append(delivery)
        limit = aiohttp.ClientTimeout(total=timeout)
        try:
            async with self.http.post(url, data=body, headers=headers, timeout=limit) as answer:
                delivery.answer = await answer.text(errors="replace")
                delivery.status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            delivery.error = f"{type(error).__name__}: {error}"
        self.touch()
        return delivery


def cut(request: web.Request, *, hard: bool) -> None:
    """Closes the caller's connection without an answer; `hard` by a TCP reset (SO_LINGER 0)."""
    transport = request.transport
    if transport is None:
        return
    if not hard:
        transport.close()
        return
    transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    transport.abort()
