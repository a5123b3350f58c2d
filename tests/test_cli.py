"""The `malva` command as a person uses it: what it prints, and that every way of getting it wrong
ends in one clear line on standard error."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
import sqlalchemy as sa

from core.cli import main
from core.keys import Keys
from core.services import guests, tills
from core.storage.database import Database
from core.storage.migrate import head
from core.storage.tables import programmes, rewards, staff, staff_cafes

ROOT = Path(__file__).parents[1]
KEY = Keys.generate()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Ran(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to work in, with no settings but a key; logging is put back as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging.root, "handlers", list(logging.root.handlers))
    monkeypatch.setattr(logging.root, "level", logging.root.level)
    for name in list(os.environ):
        if name.startswith("MALVA_") and name != "MALVA_TEST_POSTGRES":
            monkeypatch.delenv(name)
    monkeypatch.setenv("MALVA_SECRET_KEY", KEY)
    return tmp_path


@pytest.fixture
def malva(here, monkeypatch, capsys):
    """Runs a command in this process: `malva("cafe", "list", stdin="…")`."""

    def run(*arguments: str, stdin: str = "") -> Ran:
        read, write = os.pipe()
        os.write(write, stdin.encode())
        os.close(write)
        with open(read) as given, monkeypatch.context() as patched:
            patched.setattr(sys, "stdin", given)
            patched.setattr(sys, "argv", ["malva", *arguments])
            with pytest.raises(SystemExit) as ended:
                main()
        out, err = capsys.readouterr()
        return Ran(ended.value.code, out, err)

    return run


@pytest.fixture
def refused(malva):
    """The one line that a command ends with."""

    def run(*arguments: str, stdin: str = "", code: int = 1) -> str:
        ran = malva(*arguments, stdin=stdin)
        assert ran.code == code, ran
        assert re.fullmatch(r"malva: [^\n]+\n", ran.err), ran.err
        assert "Traceback" not in ran.err
        return ran.err.removeprefix("malva: ").rstrip("\n")

    return run


@pytest.fixture
def database(malva, here):
    """The database of a cafe `bife`."""
    assert malva("cafe", "add", "bife", "--name", "BIFE").code == 0
    database = Database(f"sqlite:///{here / 'malva.db'}")
    yield database
    database.close()


def rows(database: Database, query: sa.Select) -> list[tuple]:
    return [tuple(row) for row in database.read_now(lambda tx: tx.execute(query).all())]


# -- the command itself ----------------------------------------------------------------------------

COMMANDS = [
    (), ("serve",), ("demo",), ("migrate",), ("check",), ("plugins",), ("cafe",), ("cafe", "add"),
    ("cafe", "list"), ("staff",), ("staff", "add"), ("till",), ("till", "add"), ("guest",),
    ("guest", "export"), ("guest", "erase"), ("guest", "import"), ("backup",), ("restore",),
    ("plugin",), ("plugin", "new"),
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(malva, command):
    ran = malva(*command, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: {' '.join(('malva', *command))}")


@pytest.mark.parametrize("command", [(), ("cafe",), ("guest",)], ids=" ".join)
def test_a_group_alone_shows_what_there_is(malva, command):
    ran = malva(*command)
    assert (ran.code, ran.err) == (0, "")
    assert "Commands:" in ran.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nonsense"], "No such command 'nonsense'. (malva --help)"),
        (["cafe", "add"], "Missing argument 'SLUG'. (malva cafe add --help)"),
        (["cafe", "add", "bife"], "Missing option '--name'. (malva cafe add --help)"),
        (["migrate", "--fast"], "No such option '--fast'. (malva migrate --help)"),
        (["serve", "--port", "70000"], "Invalid value for '--port': 70000 is not in the range"),
        (["plugin", "new", "X", "--kind", "pos"], '"X" can\'t be its name: up to 20 of a-z'),
    ],
)
def test_a_wrong_command_line_is_one_line(refused, arguments, says):
    assert refused(*arguments, code=2).startswith(says)


def test_it_runs_as_a_module_and_starts_fast():
    """Help needs none of the heavy libraries."""
    script = "import sys, core.cli; print([m for m in ('sqlalchemy', 'aiohttp', 'pydantic', 'starlette') if m in sys.modules])"  # noqa: E501
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert loaded.stdout == b"[]\n"
    ran = subprocess.run(
        [sys.executable, "-m", "malva", "--help"], cwd=ROOT, capture_output=True, check=True
    )
    assert ran.stdout.startswith(b"Usage: malva ")


# -- cafes, staff, tills ---------------------------------------------------------------------------


def test_a_cafe_is_added_ready_to_serve(malva, here):
    added = malva("cafe", "add", "bife", "--name", "  BIFE  ")
    assert (added.code, added.err) == (0, "")
    assert malva("cafe", "list") == Ran(0, "bife\tBIFE\tRSD\tEurope/Belgrade\n", "")
    database = Database(f"sqlite:///{here / 'malva.db'}")
    try:
        p, r = programmes.c, rewards.c
        assert rows(database, sa.select(p.currency, p.earn_minor, p.earn_points, p.unit)) == [
            ("RSD", 100, 1, "points")
        ]
        assert rows(database, sa.select(r.cost, r.active, r.names)) == [
            (
                1000,
                True,
                {"en": "Free coffee", "sr": "Besplatna kafa", "ru": "Бесплатный кофе"},
            )
        ]
    finally:
        database.close()


@pytest.mark.parametrize(("currency", "minor"), [("eur", 100), ("JPY", 1), ("KWD", 1000)])
def test_a_point_is_for_a_whole_unit_of_whatever_currency(malva, database, currency, minor):
    assert malva("cafe", "add", "second", "--name", "S", "--currency", currency).code == 0
    query = sa.select(programmes.c.currency, programmes.c.earn_minor)
    assert rows(database, query)[1] == (currency.upper(), minor)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["bife", "--name", "Again"], 'there is a cafe "bife" already'),
        (["Bife", "--name", "X"], '"Bife" can\'t be a slug'),
        (["-x", "--name", "X"], "No such option"),
        (["a" * 41, "--name", "X"], "can't be a slug"),
        (["x", "--name", " "], "the name is empty"),
        (["x", "--name", "n" * 10_000], "the name is empty or longer than"),
        (["x", "--name", "X", "--currency", "RSDX"], '"RSDX" is no ISO 4217 currency'),
        (["x", "--name", "X", "--timezone", "Mars/Base"], '"Mars/Base" is no time zone'),
        (["x", "--name", "X", "--timezone", "../../etc/passwd"], "is no time zone"),
        (["x", "--name", "X", "--timezone", "Europe"], '"Europe" is no time zone'),
    ],
)
def test_a_cafe_that_can_t_be_is_refused(database, refused, arguments, says):
    code = 2 if "No such option" in says else 1
    assert says in refused("cafe", "add", *arguments, code=code)


def test_a_till_s_token_is_printed_alone_and_only_its_hash_is_kept(malva, database):
    ran = malva("till", "add", "bife", "Bar", "--station", "3")
    assert (ran.code, ran.err) == (0, "")
    assert re.fullmatch(r"mt_[A-Za-z0-9_-]{43}\n", ran.out)
    till = database.read_now(tills.by_token, ran.out.strip())
    assert till is not None
    assert till.name == "Bar"
    stored = Path(database.url.database or "").read_bytes()
    assert ran.out.strip().encode() not in stored


def test_a_till_that_can_t_be_is_refused(malva, database, refused):
    malva("till", "add", "bife", "Bar", "--station", "3")
    assert refused("till", "add", "nope", "Bar") == 'there is no cafe "nope" (there are: bife)'
    assert refused("till", "add", "bife", "Bar") == 'bife has a till "Bar" already'
    says = refused("till", "add", "bife", "Door", "--station", "3")
    assert says == 'another till of bife is station "3" already'


def test_staff_sign_in_with_a_password_of_which_only_the_hash_is_kept(malva, database):
    ran = malva("staff", "add", "Ana", "--role", "owner", "--password-stdin", stdin="long enough\n")
    assert (ran.code, ran.err) == (0, "")
    ran = malva("staff", "add", "bob", "--role", "cashier", "--cafe", "bife", "--name", "Боб",
                "--password-stdin", stdin="long enough")  # fmt: skip
    assert ran.code == 0
    found = rows(database, sa.select(staff.c.login, staff.c.name, staff.c.role))
    assert found == [("ana", "Ana", "owner"), ("bob", "Боб", "cashier")]
    hashes = rows(database, sa.select(staff.c.password_hash))
    assert all(hash_.startswith("$argon2id$") for (hash_,) in hashes)
    assert rows(database, sa.select(staff_cafes.c.staff_id, staff_cafes.c.cafe_id)) == [(2, 1)]


@pytest.mark.parametrize(
    ("arguments", "stdin", "says"),
    [
        (["ana", "--role", "owner"], "short\n", "the password is too short: at least 8"),
        (["ana", "--role", "owner"], "", "the password is too short"),
        (["ana", "--role", "owner"], "x" * 2000, "the password is too long"),
        (["a b", "--role", "owner"], "long enough", '"a b" can\'t be a login'),
        (["ana", "--role", "cashier"], "long enough", "--cafe SLUG"),
        (["ana", "--role", "owner", "--cafe", "bife"], "long enough", "an owner belongs to all"),
        (["ana", "--role", "manager", "--cafe", "x"], "long enough", 'there is no cafe "x"'),
    ],
)
def test_staff_that_can_t_be_are_refused(database, refused, arguments, stdin, says):
    said = refused("staff", "add", *arguments, "--password-stdin", stdin=stdin)
    assert says in said
    assert "long enough" not in said


def test_without_a_terminal_it_asks_for_the_password_on_standard_input(database, refused):
    assert "--password-stdin" in refused("staff", "add", "ana", "--role", "owner", code=2)


# -- guests ----------------------------------------------------------------------------------------


def test_a_guest_is_exported_and_erased_by_public_id(malva, database, refused):
    ana = {"name": "Ana", "language": "sr", "phone": "+381641234567"}
    guest_id = database.write_now(
        lambda tx: guests.add(tx, **ana, cafe_id=1, keys=Keys(KEY), now=NOW)
    )
    public_id = database.read_now(guests.profile, guest_id).public_id
    exported = malva("guest", "export", public_id.lower())
    assert "+381641234567" in json.dumps(json.loads(exported.out))
    assert malva("guest", "erase", public_id).code == 0
    assert refused("guest", "export", public_id) == f'there is no guest "{public_id}"'
    assert refused("guest", "erase", "' OR 1=1") == 'there is no guest "\' OR 1=1"'


def test_guests_are_imported_from_a_file_and_a_second_time_nothing_changes(malva, database, here):
    (here / "g.csv").write_text("phone,name,opening balance\n+381641234567,Ana,1200\n")
    assert malva("guest", "import", "g.csv").out.startswith("1 new, ")
    assert malva("guest", "import", "g.csv").out.startswith("0 new, ")


def test_bad_rows_are_each_named_by_their_line(malva, database, here):
    (here / "g.csv").write_text("phone\n+381641234567\nx\n12\n")
    ran = malva("guest", "import", "g.csv")
    assert ran.code == 1
    assert [line.split(": ")[0] for line in ran.out.splitlines()] == ["g.csv:3", "g.csv:4"]
    assert ran.err == "malva: nothing was imported: 2 rows are wrong\n"


def test_a_file_that_is_no_list_of_guests_is_refused(database, refused, here):
    assert refused("guest", "import", "none.csv") == "none.csv: No such file or directory"
    assert refused("guest", "import", ".") == ".: Is a directory"
    assert "is not UTF-8" in refused("guest", "import", "malva.db")


# -- the database ----------------------------------------------------------------------------------


def test_migrate_prints_from_and_to(malva):
    assert malva("migrate") == Ran(0, f"empty -> {head()}\n", "")
    assert malva("migrate") == Ran(0, f"{head()} -> {head()} (nothing to do)\n", "")


@pytest.mark.parametrize("command", ["migrate", "cafe list", "serve --port 0", "backup x"])
def test_a_newer_database_is_left_alone(database, refused, here, command):
    set_version(here, "9999")
    (here / "plugins.toml").touch()
    assert "schema 9999" in refused(*command.split())


def test_an_older_database_is_left_alone_but_by_serve_and_migrate(database, refused, here):
    set_version(here, "0000")
    assert refused("cafe", "list").endswith("run malva migrate")


def set_version(folder: Path, version: str) -> None:
    with closing(sqlite3.connect(folder / "malva.db")) as opened:
        opened.execute("UPDATE alembic_version SET version_num = ?", [version])
        opened.commit()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:////nonexistent/malva.db", "unable to open database file"),
        ("sqlite:///text", "file is not a database"),
        ("postgresql://malva:hunter22@127.0.0.1:1/malva", "Connection refused"),
        ("postgresql://malva:hunter22@127.0.0.1:1/malva?nonsense=1", "invalid connection option"),
        ("mysql://malva:hunter22@localhost/malva", "must begin with sqlite:/// or postgresql://"),
    ],
)
def test_a_database_that_can_t_be_opened_is_one_line(refused, here, monkeypatch, url, says):
    (here / "text").write_text("no database\n" * 100)
    monkeypatch.setenv("MALVA_DATABASE_URL", url)
    said = refused("cafe", "list")
    assert says in said
    assert "MALVA_DATABASE_URL" in said
    assert "hunter22" not in said


def test_backup_and_restore(malva, database, refused, here, monkeypatch):
    assert malva("backup", "copy").code == 0
    assert "is there already" in refused("backup", "copy")
    assert "is not empty" in refused("restore", "copy")
    monkeypatch.setenv("MALVA_DATABASE_URL", "sqlite:///other.db")
    assert malva("restore", "copy").code == 0
    assert malva("cafe", "list").out.startswith("bife\t")


# -- check and plugins -----------------------------------------------------------------------------


def test_check_prints_each_finding_and_fails_where_one_is_an_error(malva, here):
    (here / "plugins.toml").write_text('[channels.x]\nmodule = "nope"\n')
    ran = malva("check", "--offline")
    assert ran.code == 1
    assert 'MALVA-E004: plugins.toml:2: module "nope" is not there' in ran.out
    assert re.fullmatch(r"malva: 1 of \d findings are errors\n", ran.err)


def test_check_with_warnings_alone_is_good(malva, here):
    (here / "plugins.toml").write_text('[channels.w]\nmodule = "channels.webchat"\n')
    ran = malva("check", "--offline")
    assert (ran.code, ran.err) == (0, "")
    assert "MALVA-W001: MALVA_PUBLIC_URL is http://127.0.0.1:8000" in ran.out


def test_plugins_lists_them_with_secrets_masked(malva, here, refused):
    (here / "plugins.toml").write_text(
        '[channels.telegram]\nmodule = "channels.telegram"\nenabled = false\ntoken = "1:hunter22"\n'
    )
    ran = malva("plugins")
    assert (ran.code, ran.err) == (0, "")
    assert "[channels.telegram]  channels.telegram  contract 1  not enabled" in ran.out
    assert 'token = "********"' in ran.out
    (here / "plugins.toml").write_text('[channels.x]\nmodule = "nope"\n')
    assert refused("plugins") == "1 of the plugins can't be used"


# -- serve -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        (None, "plugins.toml is not there"),
        ("[channels.x", "plugins.toml:1: not TOML: "),
        ('[channels.x]\nmodule = "nope"\n', 'plugins.toml:2: module "nope" is not there'),
        ('[channels.x]\nmodule = "channels.webchat"\ntoken = "${UNSET}"', "plugins.toml:3: UNSET"),
        (
            '[channels.x]\nmodule = "channels.webchat"\n\nembed = 1',
            'plugins.toml:4: [channels.x] has no key "embed"',
        ),
    ],
)
def test_serve_does_not_start_on_a_broken_plugins_toml(refused, here, toml, says):
    if toml is not None:
        (here / "plugins.toml").write_text(toml)
    assert refused("serve", "--port", "0").startswith(says)
    assert not (here / "malva.db").exists()


def test_serve_does_not_start_without_a_key_and_says_how_to_make_one(refused, monkeypatch):
    monkeypatch.delenv("MALVA_SECRET_KEY")
    said = refused("serve")
    assert said.startswith("MALVA_SECRET_KEY is not set; make one with: ")
    command = said.partition("make one with: ")[2]
    made = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert Keys(made.stdout.strip())


def test_serve_says_that_the_port_is_taken(refused, here):
    (here / "plugins.toml").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused("serve", "--port", str(port))
    assert said.startswith(f"can't listen on 127.0.0.1:{port}: Address already in use")
    assert not (here / "malva.db").exists()


@pytest.fixture
def served(here):
    """`malva serve` in a process of its own: (its address, the process)."""
    (here / "plugins.toml").write_text(
        '[channels.webchat]\nmodule = "channels.webchat"\n[pages.portal]\nmodule = "portal"\n'
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "malva", "serve", "--port", str(port)],
        cwd=here,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield f"http://127.0.0.1:{port}", process
    process.kill()
    process.wait()


def get(url: str, **headers: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as got:
            return got.status, got.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def wait_until_ready(address: str) -> None:
    for _ in range(100):
        try:
            if get(f"{address}/readyz")[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError("never ready")


def test_serve_answers_tells_of_itself_and_ends_with_0(served, malva):
    address, process = served
    wait_until_ready(address)
    assert get(f"{address}/livez") == (200, "alive")
    ready = json.loads(get(f"{address}/readyz")[1])
    assert ready == dict.fromkeys(["database", "schema", "plugins", "outbox"], "ok") | {
        "ready": True
    }
    get(f"{address}/card/some-secret-token")
    get(f"{address}/of-my-own-making")
    status, figures = get(f"{address}/metrics")
    assert status == 200
    assert "malva_outbox_depth 0.0" in figures
    assert 'route="/livez",status="200"' in figures
    assert 'route="other",status="404"' in figures
    assert "some-secret-token" not in figures
    assert get(f"{address}/metrics", **{"X-Forwarded-For": "203.0.113.7"})[0] == 403
    assert malva("cafe", "add", "bife", "--name", "BIFE").code == 0
    assert malva("backup", "copy").code == 0
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    log = process.stderr.read()
    assert "Traceback" not in log
    assert "some-secret-token" not in log
