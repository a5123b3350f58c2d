"""Servers in a process of their own: Malva as `malva serve` starts it, and a bare endpoint."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from core.keys import Keys

HOST = "127.0.0.1"

PLUGINS = '[business]\nname = "Bench"\ncontact = "bench@example.com"\n'


@contextlib.contextmanager
def malva(folder: Path, database_url: str, plugins: str = PLUGINS, **env: str) -> Iterator[int]:
    """`malva serve` on a database that is there; gives its port. `plugins` is a plugins.toml."""
    (folder / "plugins.toml").write_text(plugins)
    settings = {
        "MALVA_DATABASE_URL": database_url,
        "MALVA_SECRET_KEY": Keys.generate(),
        "MALVA_PLUGINS": str(folder / "plugins.toml"),
        **env,
    }
    port = free_port()
    command = [sys.executable, "-m", "malva", "serve", "--host", HOST, "--port", str(port)]
    with _process(command, port, settings):
        yield port


@contextlib.contextmanager
def bare() -> Iterator[int]:
    """A Starlette endpoint that answers 200 and does nothing, under the same uvicorn."""
    with program("bench.support.bare") as port:
        yield port


@contextlib.contextmanager
def program(module: str, *arguments: str) -> Iterator[int]:
    """`python -m module PORT arguments…`, which listens on that port; gives it."""
    port = free_port()
    with _process([sys.executable, "-m", module, str(port), *arguments], port, {}):
        yield port


@contextlib.contextmanager
def _process(command: list[str], port: int, env: Mapping[str, str]) -> Iterator[None]:
    with subprocess.Popen(command, env={**os.environ, **env}, stdout=subprocess.DEVNULL) as process:
        try:
            _wait(process, port)
            yield
        finally:
            process.terminate()
            process.wait(15)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{process.args!r} did not start") from None
            time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
