"""`malva serve` in a process of its own, to be stopped, killed, and begun again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import httpx2

from core.keys import Keys

CHECKOUT = Path(__file__).parents[2]
SECRET_KEY = Keys.generate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def environment(database_url: str, port: int, **more: str) -> dict[str, str]:
    """What a `malva` command is told, besides where Python is."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(CHECKOUT),
        "MALVA_DATABASE_URL": database_url,
        "MALVA_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "MALVA_SECRET_KEY": SECRET_KEY,
        **more,
    }


def command(
    folder: Path, told: dict[str, str], *arguments: str, timeout: float = 30
) -> subprocess.CompletedProcess[str]:
    """Runs `malva …` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "malva", *arguments],
        cwd=folder,
        env=told,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


class Serving:
    """`malva serve` in `folder`, whose `malva.log` it writes; on the same port every time."""

    def __init__(self, folder: Path, database_url: str, plugins: str, **more: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.told = environment(database_url, self.port, **more)
        self.folder = folder
        folder.mkdir(exist_ok=True)
        (folder / "plugins.toml").write_text(plugins, encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.kill()

    def start(self, arguments: Sequence[str] = ()) -> None:
        """Returns once it is ready."""
        with (self.folder / "malva.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "malva", "serve", "--port", str(self.port), *arguments],
                cwd=self.folder,
                env=self.told,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + 30
        while not self._is_ready():
            assert self._process.poll() is None, f"it ended:\n{self.log}"
            assert time.monotonic() < until, f"not ready:\n{self.log}"
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx2.TransportError:
            return False

    def kill(self) -> None:
        """As `kill -9` does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def terminate(self) -> tuple[int, float]:
        """SIGTERM: the exit code, and the seconds that it took."""
        assert self._process is not None
        begun = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(30)
        self._process = None
        return code, time.monotonic() - begun

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return (self.folder / "malva.log").read_text(encoding="utf-8")
