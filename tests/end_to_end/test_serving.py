"""`malva serve` as a process: how it starts, or says why not; how it ends; what it lets out."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
import sqlalchemy as sa

from core.services import ledger
from core.storage import tables
from core.storage.database import Database
from core.storage.tx import Tx
from tests.end_to_end.around import (
    STATION,
    WEBHOOK_TOKEN,
    Till,
    Visitor,
    eventually,
    plugins,
)
from tests.end_to_end.guests import regulars, settle
from tests.end_to_end.process import SECRET_KEY, Serving, command, environment, free_port
from tests.simulators.octopos import OctoposSimulator
from tests.simulators.telegram import TelegramSimulator
from tests.simulators.telegram_chats import Guest
from tests.support import running


@pytest.fixture
def telegram() -> Iterator[TelegramSimulator]:
    with TelegramSimulator() as simulator:
        yield simulator


@pytest.fixture
def octopos() -> Iterator[OctoposSimulator]:
    with OctoposSimulator() as simulator:
        yield simulator


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    opened = Database(sqlite_url)
    yield opened
    opened.close()


# -- the end ---------------------------------------------------------------------------------------


def test_sigterm_in_the_middle_of_everything(
    database: Database, sqlite_url: str, telegram: TelegramSimulator, tmp_path: Path
) -> None:
    """Event streams are open, orders come in, messages are on their way."""
    guests = regulars(telegram, 3)
    token = settle(database, SECRET_KEY, guests)
    telegram.slow("send*", 0.3, times=None)
    with (
        Serving(tmp_path / "served", sqlite_url, plugins(telegram)) as malva,
        Till(malva.url, token) as till,
        Visitor(malva.url) as visitor,
        ThreadPoolExecutor(8) as pool,
    ):
        visitor.starts()
        streaming = threading.Event()
        stream = pool.submit(listen, visitor, streaming)
        assert streaming.wait(5)
        visit = till.identify(phone=str(guests[0].phone))["visit"]
        busy = [pool.submit(order_until_it_ends, till, visit, n) for n in range(6)]
        eventually(lambda: telegram.calls_of("sendMessage"))
        code, seconds = malva.terminate()
        assert (code, seconds < 10) == (0, True), malva.log
        answered = [points for one in busy for points in one.result()]
        stream.result()
    assert "Traceback" not in malva.log
    assert "Unclosed" not in malva.log
    assert database.read_now(all_points) >= sum(answered) > 0
    sent = [message.text for guest in guests for message in guest.messages]
    assert len(sent) == len(set(sent)), "what was in the air was finished and marked"
    assert database.read_now(statuses) <= {"sent", "queued"}


def listen(visitor: Visitor, streaming: threading.Event) -> None:
    try:
        for _ in visitor.events(timeout=20):
            streaming.set()
    except httpx2.TransportError:
        pass


def order_until_it_ends(till: Till, visit: str, who: int) -> list[int]:
    """The points of the orders that were answered; no answer is an error of the server's."""
    points = []
    for n in range(10_000):
        try:
            answer = till.order(f"{who}-{n}", "1.00", visit=visit)
        except httpx2.TransportError:
            return points
        assert answer.status_code == 201, answer.text
        points.append(answer.json()["points"])
    return points


def all_points(tx: Tx) -> int:
    assert ledger.prove(tx) == []
    return int(tx.scalar(sa.select(sa.func.sum(tables.ledger_entries.c.points))) or 0)


def statuses(tx: Tx) -> set[str]:
    return set(tx.execute(sa.select(tables.messages.c.status).distinct()).scalars())


# -- no start --------------------------------------------------------------------------------------

WEB_CHAT = '[channels.webchat]\nmodule = "channels.webchat"\n'
BROKEN = {
    "no TOML": ("[channels.webchat\n", "plugins.toml:1: "),
    "an unknown key": (WEB_CHAT + 'colour = "red"', "plugins.toml:3: ", 'no key "colour"'),
    "a wrong type": (WEB_CHAT + "embed_on = 7", "plugins.toml:3: ", "embed_on"),
    "no such module": (
        '[channels.webchat]\nmodule = "channels.web"',
        'plugins.toml:2: module "channels.web" is not there',
    ),
    "an unset variable": (
        '[channels.telegram]\nmodule = "channels.telegram"\ntoken = "${TELEGRAM_TOKEN}"',
        "plugins.toml:3: ",
        "TELEGRAM_TOKEN",
    ),
    "an unknown table": ('[chanels.webchat]\nmodule = "x"', "plugins.toml:1: ", "chanels"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_plugins_toml_names_its_line(broken: str, tmp_path: Path) -> None:
    toml, *expected = BROKEN[broken]
    (tmp_path / "plugins.toml").write_text(toml)
    refused(tmp_path, environment(f"sqlite:///{tmp_path}/m.db", free_port()), *expected)
    assert not (tmp_path / "m.db").exists(), "nothing was touched"


def test_without_a_secret_key_it_says_how_to_make_one(tmp_path: Path) -> None:
    (tmp_path / "plugins.toml").write_text(plugins())
    told = environment(f"sqlite:///{tmp_path}/m.db", free_port(), MALVA_SECRET_KEY="")
    refused(tmp_path, told, "MALVA_SECRET_KEY is not set; ")


def test_a_port_in_use(tmp_path: Path) -> None:
    (tmp_path / "plugins.toml").write_text(plugins())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = environment(f"sqlite:///{tmp_path}/m.db", port)
        refused(tmp_path, told, f"can't listen on 127.0.0.1:{port}: Address already in use")
    assert not (tmp_path / "m.db").exists(), "nothing was touched"


def test_a_file_that_is_served_already(sqlite_url: str, tmp_path: Path) -> None:
    with Serving(tmp_path / "served", sqlite_url, plugins()) as malva:
        second = environment(sqlite_url, free_port())
        refused(malva.folder, second, f"malva.db is being served by process {malva.pid} already")
        for beside in (("cafe", "add", "bife", "--name", "BIFE"), ("check", "--offline")):
            done = command(malva.folder, malva.told, *beside)
            assert done.returncode == 0, done.stdout + done.stderr
        malva.kill()
        malva.start()
        assert malva.terminate()[0] == 0
        malva.start()


def test_a_newer_database(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "plugins.toml").write_text(plugins())
    newer = Database(database_url)
    newer.write_now(lambda tx: tx.execute(sa.text("UPDATE alembic_version SET version_num='9999'")))
    newer.close()
    told = environment(database_url, free_port())
    refused(tmp_path, told, "the database is at schema 9999, this Malva knows up to ")


def test_an_empty_database_is_filled_by_one_node_while_others_wait(
    empty_postgres_url: str, tmp_path: Path
) -> None:
    nodes = [Serving(tmp_path / f"node {n}", empty_postgres_url, plugins()) for n in range(3)]
    with ExitStack() as stack, ThreadPoolExecutor(3) as pool:
        list(pool.map(stack.enter_context, nodes))
        for node in nodes:
            assert httpx2.get(f"{node.url}/readyz").json()["ready"] is True


def refused(folder: Path, told: dict[str, str], *expected: str) -> None:
    """`malva serve` ends at once, with one line that says what is wrong."""
    port = told["MALVA_PUBLIC_URL"].rpartition(":")[2]
    ended = command(folder, told, "serve", "--port", port)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("malva: ")
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert all(part in ended.stderr for part in expected), ended.stderr


# -- what gets out ---------------------------------------------------------------------------------


def test_no_secret_phone_or_token_reaches_the_log(
    telegram: TelegramSimulator, octopos: OctoposSimulator, sqlite_url: str, tmp_path: Path
) -> None:
    """A busy session in which a lot goes wrong."""
    toml = plugins(telegram, octopos)
    with Serving(tmp_path / "served", sqlite_url, toml, MALVA_LOG="json") as malva:
        added = command(malva.folder, malva.told, "cafe", "add", "bife", "--name", "BIFE")
        assert added.returncode == 0, added.stderr
        made = command(malva.folder, malva.told, "till", "add", "bife", "Bar", "--station", "11")
        token = made.stdout.strip()
        octopos.deliver_to(f"{malva.url}/pos/octopos/bife/webhook", token=WEBHOOK_TOKEN)
        secrets = busy_session(malva, telegram, octopos, token)
        assert malva.terminate()[0] == 0
        log = malva.log
    for wrong in ("getUpdates", "octopos: webhook refused", "poll of bife"):
        assert wrong in log, f"the session had no trouble with {wrong}"
    for name, secret in secrets.items():
        assert secret not in log, f"{name} is in the log"


def busy_session(
    malva: Serving, telegram: TelegramSimulator, octopos: OctoposSimulator, token: str
) -> dict[str, str]:
    """What must not be seen of it, by name."""
    guest = telegram.guest(first_name="Ana", phone="381601234567")
    telegram.fail("getUpdates", 502, html=True)
    telegram.fail("sendMessage", 500)
    telegram.reset("sendPhoto")
    octopos.fail("GET /orders/*", 500)
    octopos.fail("POST /get_orders_by_filter", 503, times=2)
    guest.starts()
    for button in ("English", "Ana", "📱 Share my number"):
        guest.wait_for(button=button, timeout=10)
        guest.presses(button)
    card = guest.wait_for(kind="photo", timeout=10).text
    link = re.search(r"/card/(\S+)", card)
    assert link is not None
    octopos.expire_tokens()
    with Till(malva.url, token) as till, Till(malva.url, "mt_wrong-token") as stranger:
        assert till.post("identify", {"phone": "+381601234567"}).status_code == 200
        assert till.post("identify", {"phone": "+381609999999"}).status_code == 404
        assert stranger.post("identify", {"phone": "+381601234567"}).status_code == 401
        octopos.pays(station=STATION, lines=[("Tea", 1, "120.00")])
        guest.wait_for(text="+120 points", timeout=15)
    cookie = strangers(malva, link[1])
    number, _, secret_part = telegram.token.partition(":")
    return {
        "the phone": "601234567",
        "a phone that nobody has": "609999999",
        "the bot's token": secret_part,
        "the bot's number": f"{number}:",
        "the webhook's token": WEBHOOK_TOKEN,
        "the forged webhook's token": "forged-webhook-token",
        "Octopos' password": octopos.password,
        "the secret key": SECRET_KEY,
        "the till's token": token,
        "the stranger's token": "mt_wrong-token",
        "the card's link": link[1],
        "the chat's cookie": cookie,
        "the code": card.split(": ")[1][:7],
    }


def strangers(malva: Serving, card: str) -> str:
    """Webhooks that nobody signed, pages that nobody should open; a visitor's cookie."""
    forged = {"Authorization": "Bearer forged-webhook-token", "Cookie": "malva_chat=forged"}
    with httpx2.Client(base_url=malva.url, headers=forged) as http:
        for path in ("/pos/octopos/bife/webhook", "/channels/telegram/webhook"):
            assert http.post(path, json={"phone": "+381601234567"}).status_code == 401
        for path in (f"/card/{card}", f"/card/{card}x", f"/media/{card}", f"/privacy/data/{card}"):
            assert http.get(path).status_code < 500
        assert http.post(f"/card/{card}/code").status_code == 200
    with Visitor(malva.url) as visitor:
        visitor.starts()
        visitor.says("+381601234567")
        return visitor.http.cookies["malva_chat"]


# -- faults of others ------------------------------------------------------------------------------


def test_what_telegram_fails_to_take_arrives_later(
    sqlite_url: str, telegram: TelegramSimulator
) -> None:
    with running.run(sqlite_url, plugins(telegram), cafes=()) as malva:
        guests = regulars(telegram, 6)
        token = settle(malva.database, running.SECRET_KEY, guests)
        telegram.fail("sendMessage", 500, when=telegram.to(guests[0]))
        telegram.fail("sendMessage", 502, html=True, times=2, when=telegram.to(guests[1]))
        telegram.reset("sendMessage", when=telegram.to(guests[2]))
        telegram.fail("sendMessage", 429, retry_after=1, when=telegram.to(guests[3]))
        telegram.drop_answer("sendMessage", when=telegram.to(guests[4]))
        with Till(malva.url, token) as till:
            for n, guest in enumerate(guests):
                visit = till.identify(phone=str(guest.phone))["visit"]
                assert till.order(f"o{n}", "7.00", visit=visit).status_code == 201
        for guest in guests:
            guest.wait_for(text="+7 points", timeout=15)
        eventually(lambda: malva.database.read_now(statuses) == {"sent"})
        times = [len(guest.messages) for guest in guests]
        uncertain = malva.database.read_now(uncertain_chats)
    assert times == [1, 1, 1, 1, 2, 1], "twice only where nobody could know"
    assert uncertain >= {str(guests[4].id)}


def uncertain_chats(tx: Tx) -> set[str]:
    found = (
        sa.select(tables.contacts.c.address)
        .join_from(tables.messages, tables.contacts)
        .where(tables.messages.c.uncertain)
    )
    return set(tx.execute(found).scalars())


def test_a_guest_who_blocks_the_bot_gets_nothing_until_they_return(
    sqlite_url: str, telegram: TelegramSimulator
) -> None:
    with running.run(sqlite_url, plugins(telegram), cafes=()) as malva:
        (guest,) = regulars(telegram, 1)
        token = settle(malva.database, running.SECRET_KEY, [guest])
        with Till(malva.url, token) as till:
            visit = till.identify(phone=str(guest.phone))["visit"]
            guest.blocked = True  # the update about it has not come yet
            till.order("o1", "7.00", visit=visit)
            eventually(lambda: malva.database.read_now(statuses) == {"failed"})
            till.order("o2", "8.00", visit=visit)
            guest.unblocks()
            guest.says("🏆 Points")
            guest.wait_for(text="Balance: 15 points")
            till.order("o3", "9.00", visit=visit)
            guest.wait_for(text="+9 points")
        notices = [m.text.split("\n")[0] for m in guest.messages if m.text.startswith("☕ BIFE")]
        assert notices == ["☕ BIFE: +9 points"]


# -- a copy ----------------------------------------------------------------------------------------


def test_a_backup_taken_while_serving_gives_the_same_balances_elsewhere(
    database: Database, sqlite_url: str, telegram: TelegramSimulator, tmp_path: Path
) -> None:
    guests = regulars(telegram, 3)
    token = settle(database, SECRET_KEY, guests)
    with (
        Serving(tmp_path / "served", sqlite_url, plugins()) as malva,
        Till(malva.url, token) as till,
        ThreadPoolExecutor(1) as pool,
    ):
        busy = pool.submit(order_for_a_while, till, guests)
        early = tmp_path / "early.backup"
        assert command(malva.folder, malva.told, "backup", str(early)).returncode == 0
        ordered = busy.result()
        late = tmp_path / "late.backup"
        assert command(malva.folder, malva.told, "backup", str(late)).returncode == 0

    for file in (early, late):
        url = f"sqlite:///{tmp_path / file.stem}.db"
        told = environment(url, malva.port)
        restored = command(malva.folder, told, "restore", str(file))
        assert restored.returncode == 0, restored.stderr
        checked = command(malva.folder, told, "check", "--offline")
        assert checked.returncode == 0, checked.stdout
    with Serving(tmp_path / "elsewhere", url, plugins()) as other, Till(other.url, token) as till:
        assert [till.identify(phone=str(g.phone))["balance"] for g in guests] == ordered
    again = command(malva.folder, told, "restore", str(early))
    assert (again.returncode, again.stderr.count("\n")) == (1, 1), "a live one is not overwritten"


def order_for_a_while(till: Till, guests: list[Guest]) -> list[int]:
    """Orders until a backup has surely been taken; the points of each guest."""
    visits = [till.identify(phone=str(guest.phone))["visit"] for guest in guests]
    until = time.monotonic() + 2
    ordered = [0 for _ in guests]
    while time.monotonic() < until:
        for n, visit in enumerate(visits):
            answer = till.order(f"{n}-{ordered[n]}", "1.00", visit=visit)
            assert answer.status_code == 201, answer.text
            ordered[n] += 1
    return ordered
