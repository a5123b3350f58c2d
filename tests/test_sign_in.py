"""Signing in, sessions and staff, as the services have them, on both databases."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
import sqlalchemy as sa

from core.domain.roles import ACTIONS, ROLES, Member, may, may_appoint
from core.keys import Keys
from core.services import cafes, second_factor, sessions, sign_in, staff
from core.services.errors import Forbidden, Missing, Rejected, SessionOver
from core.storage.database import Database
from core.storage.tables import event_log, staff_sessions
from core.storage.tables import staff as staff_table

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEYS = Keys(Keys.generate())
PASSWORD = "correct horse 7"
HASH = staff.hash_password(PASSWORD)
SECOND = timedelta(seconds=1)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    for slug in ("bife", "zrno"):
        database.write_now(cafes.add, slug, slug.upper(), "RSD", "Europe/Belgrade", NOW)
    yield database
    database.close()


def hire(database: Database, login: str, role: str, *slugs: str) -> int:
    return database.write_now(staff.add, login, login, role, slugs, HASH, NOW)


def enter(database: Database, login: str, password: str = PASSWORD, at: datetime = NOW):
    """The first step, as the page does it."""
    check = database.read_now(sign_in.to_check, login)
    right = sign_in.matches(check, password)
    return database.write_now(sign_in.first_step, check, right, "a browser", at)


def try_(database: Database, staff_id: int, right: bool, at: datetime = NOW) -> bool:
    """An attempt without the work of hashing."""
    return database.write_now(sign_in.attempt, staff_id, right, at)


def who(database: Database, token: str, at: datetime = NOW) -> Member | None:
    session = database.read_now(sessions.of_token, token, at)
    return session.member if session else None


def member(database: Database, login: str) -> Member:
    found = who(database, enter(database, login).token)
    assert found is not None
    return found


def set_up(database: Database, by: Member, at: datetime = NOW) -> tuple[pyotp.TOTP, list[str]]:
    secret = second_factor.new_secret()
    app = pyotp.TOTP(secret)
    codes = database.write_now(second_factor.switch_on, by, secret, app.at(at), KEYS, at)
    return app, list(codes)


def second(database: Database, staff_id: int, code: str, at: datetime) -> str | None:
    return database.write_now(sign_in.second_step, staff_id, code, KEYS, "a browser", at)


# -- roles -----------------------------------------------------------------------------------------


def test_an_owner_may_everything_and_a_cashier_work_at_the_till_alone() -> None:
    assert all(may("owner", action) for action in ACTIONS)
    assert {action for action in ACTIONS if may("cashier", action)} == {"till"}
    assert not any(may("guest", action) for action in ACTIONS)


def test_what_a_manager_may_they_may_in_their_own_cafes() -> None:
    manager = Member(1, "mira", "Mira", "manager", frozenset({1}))
    assert manager.may("tills", 1)
    assert not manager.may("tills", 2)
    assert not manager.may("programme", 1)


def test_nobody_appoints_their_equals_but_an_owner() -> None:
    pairs = {(one, other) for one in ROLES for other in ROLES if may_appoint(one, other)}
    assert pairs == {*(("owner", other) for other in ROLES), ("manager", "cashier")}


# -- passwords -------------------------------------------------------------------------------------


def test_the_right_password_opens_a_session(database: Database) -> None:
    hire(database, "olga", "owner")
    passed = enter(database, " OLGA ")
    assert who(database, passed.token).login == "olga"
    assert who(database, passed.token + "x") is None


@pytest.mark.parametrize("login", ["olga", "nobody", "", "o" * 500])
@pytest.mark.parametrize("password", ["wrong", "", PASSWORD + "x" * 2000])
def test_anything_else_opens_none(database: Database, login: str, password: str) -> None:
    hire(database, "olga", "owner")
    assert enter(database, login, password) is None


def test_an_unknown_login_takes_the_same_work(database: Database) -> None:
    check = database.read_now(sign_in.to_check, "nobody")
    assert check.secret_hash.split("$")[:4] == HASH.split("$")[:4]
    assert not sign_in.matches(check, PASSWORD)


def test_failures_lock_for_longer_and_longer(database: Database) -> None:
    olga = hire(database, "olga", "owner")
    at = NOW
    waits = []
    for _ in range(12):
        assert not try_(database, olga, right=False, at=at)
        until = database.read_now(lambda tx: tx.scalar(sa.select(staff_table.c.locked_until)))
        waits.append(int((until - at).total_seconds()) if until and until > at else 0)
        at = max(at, until or at) + SECOND
    assert waits == [0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900, 900]


def test_while_it_is_locked_the_right_password_opens_nothing_and_no_failure_counts(
    database: Database,
) -> None:
    olga = hire(database, "olga", "owner")
    for _ in range(5):
        try_(database, olga, right=False)
    assert enter(database, "olga", at=NOW + 29 * SECOND) is None
    assert not try_(database, olga, right=False, at=NOW + 29 * SECOND)
    assert enter(database, "olga", at=NOW + 31 * SECOND).token
    failures = database.read_now(lambda tx: tx.scalar(sa.select(staff_table.c.failures)))
    assert failures == 0


def test_guesses_at_once_are_counted_one_by_one(database: Database) -> None:
    olga = hire(database, "olga", "owner")
    threads = [threading.Thread(target=try_, args=(database, olga, False)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    failures = database.read_now(lambda tx: tx.scalar(sa.select(staff_table.c.failures)))
    assert failures == 5
    assert not try_(database, olga, right=True)


def test_whoever_is_switched_off_is_nobody(database: Database) -> None:
    hire(database, "olga", "owner")
    mira = hire(database, "mira", "manager", "bife")
    token = enter(database, "mira").token
    database.write_now(staff.switch_off, member(database, "olga"), mira, NOW)
    assert who(database, token) is None
    assert enter(database, "mira") is None


# -- sessions --------------------------------------------------------------------------------------


def test_a_session_ends_when_it_is_idle_and_some_day_anyhow(database: Database) -> None:
    hire(database, "olga", "owner")
    token = enter(database, "olga").token
    at = NOW
    while at < NOW + sessions.LONGEST - timedelta(hours=11):
        at += timedelta(hours=11)
        session = database.read_now(sessions.of_token, token, at)
        assert session.stale
        database.write_now(sessions.seen, session.id, at)
    assert who(database, token, NOW + sessions.LONGEST) is None
    other = enter(database, "olga").token
    assert who(database, other, NOW + sessions.IDLE - SECOND)
    assert who(database, other, NOW + sessions.IDLE) is None


def test_only_hashes_of_tokens_are_kept(database: Database) -> None:
    hire(database, "olga", "owner")
    token = enter(database, "olga").token
    kept = database.read_now(lambda tx: tx.execute(sa.select(staff_sessions)).one())
    assert len(kept.token_hash) == 32
    assert token not in repr(kept)


def test_a_session_of_a_till_opens_no_portal(database: Database) -> None:
    olga = hire(database, "olga", "owner")
    token = enter(database, "olga").token

    def move_to_a_device(tx) -> None:
        from core.services import tills
        from core.storage.tables import devices
        from core.storage.tables import tills as till_table

        tills.add(tx, "bife", "Bar", None, NOW)
        till = tx.scalar(sa.select(till_table.c.id))
        device = tx.scalar(
            sa.insert(devices)
            .values(token_hash=b"x" * 32, till_id=till, name="tablet", bound_by=olga,
                    created_at=NOW, seen_at=NOW)
            .returning(devices.c.id)
        )  # fmt: skip
        tx.execute(sa.update(staff_sessions).values(device_id=device))

    database.write_now(move_to_a_device)
    assert who(database, token) is None


def test_nobody_ends_another_s_session(database: Database) -> None:
    hire(database, "olga", "owner")
    hire(database, "mira", "manager", "bife")
    theirs = database.read_now(sessions.of_token, enter(database, "mira").token, NOW)
    with pytest.raises(Missing):
        database.write_now(sessions.revoke, member(database, "olga"), theirs.id, NOW)


def test_a_new_password_ends_every_other_session(database: Database) -> None:
    hire(database, "olga", "owner")
    here, there = (enter(database, "olga").token for _ in range(2))
    session = database.read_now(sessions.of_token, here, NOW)
    new = staff.hash_password("another horse 8")
    database.write_now(staff.change_own_password, session.member, new, session.id, NOW)
    assert who(database, here)
    assert who(database, there) is None
    assert enter(database, "olga") is None
    assert enter(database, "olga", "another horse 8").token


def test_a_role_that_was_just_taken_away_counts_no_more(database: Database) -> None:
    hire(database, "olga", "owner")
    other = hire(database, "oto", "owner")
    token = enter(database, "oto").token
    demote = {"name": "Oto", "role": "manager", "slugs": ["bife"], "now": NOW}
    database.write_now(staff.change, member(database, "olga"), other, **demote)
    acting = database.write_now(sessions.on_behalf, token, NOW, lambda tx, by: by)
    assert (acting.role, len(acting.cafes)) == ("manager", 1)
    database.write_now(staff.switch_off, member(database, "olga"), other, NOW)
    with pytest.raises(SessionOver):
        database.write_now(sessions.on_behalf, token, NOW, lambda tx, by: by)


# -- the second factor -----------------------------------------------------------------------------


def test_with_a_second_factor_the_password_alone_opens_nothing(database: Database) -> None:
    olga = hire(database, "olga", "owner")
    app, _ = set_up(database, member(database, "olga"))
    assert enter(database, "olga") == sign_in.Passed(olga, None)
    later = NOW + timedelta(minutes=2)
    assert second(database, olga, "000000", later) is None
    assert second(database, olga, app.at(later), later)


def test_a_code_opens_once(database: Database) -> None:
    olga = hire(database, "olga", "owner")
    app, _ = set_up(database, member(database, "olga"))
    assert second(database, olga, app.at(NOW), NOW) is None, "it was used to set it up"
    later = NOW + timedelta(minutes=2)
    assert second(database, olga, app.at(later), later)
    assert second(database, olga, app.at(later), later + SECOND) is None


@pytest.mark.parametrize(("off", "opens"), [(-30, True), (30, True), (-90, False), (90, False)])
def test_a_clock_may_be_half_a_minute_off(database: Database, off: int, opens: bool) -> None:
    olga = hire(database, "olga", "owner")
    app, _ = set_up(database, member(database, "olga"))
    later = NOW + timedelta(minutes=5)
    code = app.at(later + off * SECOND)
    assert bool(second(database, olga, code, later)) is opens


def test_a_recovery_code_opens_once(database: Database) -> None:
    olga = hire(database, "olga", "owner")
    by = member(database, "olga")
    _, codes = set_up(database, by)
    assert len(set(codes)) == 10
    assert second(database, olga, codes[0].upper().replace("-", " "), NOW)
    assert second(database, olga, codes[0], NOW) is None
    assert second(database, olga, codes[1], NOW)
    assert database.read_now(second_factor.codes_left, by) == 8


def test_wrong_codes_lock_like_wrong_passwords_and_a_locked_login_uses_no_recovery_code_up(
    database: Database,
) -> None:
    olga = hire(database, "olga", "owner")
    _, codes = set_up(database, member(database, "olga"))
    for _ in range(5):
        assert enter(database, "olga"), "the right password in between forgives nothing"
        assert second(database, olga, "123", NOW) is None
    assert second(database, olga, codes[0], NOW) is None
    assert second(database, olga, codes[0], NOW + timedelta(minutes=1))


def test_neither_the_secret_nor_a_recovery_code_is_kept_as_it_is(database: Database) -> None:
    hire(database, "olga", "owner")
    app, codes = set_up(database, member(database, "olga"))
    kept = repr(database.read_now(lambda tx: tx.execute(sa.select(staff_table)).one()))
    assert app.secret not in kept
    assert not any(code in kept or code.replace("-", "") in kept for code in codes)


def test_it_is_not_switched_on_with_a_wrong_code(database: Database) -> None:
    hire(database, "olga", "owner")
    by = member(database, "olga")
    with pytest.raises(Rejected):
        database.write_now(
            second_factor.switch_on, by, second_factor.new_secret(), "000000", KEYS, NOW
        )
    assert not database.read_now(second_factor.is_on, by)


# -- staff -----------------------------------------------------------------------------------------


def test_the_last_owner_stays(database: Database) -> None:
    olga, oto = hire(database, "olga", "owner"), hire(database, "oto", "owner")
    by_olga, by_oto = member(database, "olga"), member(database, "oto")
    database.write_now(staff.switch_off, by_oto, olga, NOW)
    demote = {"name": "Oto", "role": "manager", "slugs": ["bife"], "now": NOW}
    with pytest.raises(Rejected, match="has to be an owner"):
        database.write_now(staff.switch_off, by_olga, oto, NOW)
    with pytest.raises(Rejected, match="has to be an owner"):
        database.write_now(staff.change, by_olga, oto, **demote)


def test_of_two_owners_who_switch_each_other_off_at_once_one_stays(database: Database) -> None:
    ids = [hire(database, login, "owner") for login in ("olga", "oto")]
    acting = [member(database, login) for login in ("olga", "oto")]

    def off(by: Member, whom: int) -> None:
        with contextlib.suppress(Rejected):
            database.write_now(staff.switch_off, by, whom, NOW)

    threads = [
        threading.Thread(target=off, args=pair) for pair in zip(acting, reversed(ids), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = sa.select(staff_table.c.id).where(staff_table.c.disabled_at.is_(None))
    assert len(database.read_now(lambda tx: tx.execute(left).all())) == 1


def test_nobody_changes_themselves(database: Database) -> None:
    hire(database, "oto", "owner")
    olga = hire(database, "olga", "owner")
    with pytest.raises(Rejected):
        database.write_now(staff.switch_off, member(database, "olga"), olga, NOW)


def test_a_manager_sees_and_changes_who_works_in_their_cafes_alone(database: Database) -> None:
    hire(database, "olga", "owner")
    hire(database, "mira", "manager", "bife")
    hire(database, "zora", "manager", "zrno")
    cica = hire(database, "cica", "cashier", "bife")
    zika = hire(database, "zika", "cashier", "zrno")
    both = hire(database, "bora", "cashier", "bife", "zrno")
    mira = member(database, "mira")
    seen = {one.login: one for one in database.read_now(staff.everyone, mira)}
    assert set(seen) == {"mira", "cica", "bora"}
    assert {login for login, one in seen.items() if one.may_change} == {"cica"}
    assert list(seen["bora"].cafes) == ["bife"]
    database.write_now(staff.switch_off, mira, cica, NOW)
    with pytest.raises(Missing):
        database.write_now(staff.switch_off, mira, zika, NOW)
    with pytest.raises(Forbidden):
        database.write_now(staff.reset_password, mira, both, HASH, without_second_factor=True,
                           now=NOW)  # fmt: skip


@pytest.mark.parametrize(
    ("role", "slugs"),
    [("owner", ()), ("manager", ("bife",)), ("cashier", ("zrno",)), ("cashier", ("bife", "zrno"))],
)
def test_a_manager_appoints_no_one_above_or_elsewhere(
    database: Database, role: str, slugs: tuple[str, ...]
) -> None:
    hire(database, "mira", "manager", "bife")
    mira = member(database, "mira")
    with pytest.raises(Forbidden):
        database.write_now(staff.add, "new", "New", role, slugs, HASH, NOW, by=mira)


def test_who_did_it_is_in_the_log(database: Database) -> None:
    olga = hire(database, "olga", "owner")
    cica = hire(database, "cica", "cashier", "bife")
    database.write_now(staff.switch_off, member(database, "olga"), cica, NOW)
    entry = database.read_now(
        lambda tx: tx.execute(sa.select(event_log).order_by(event_log.c.id.desc())).first()
    )
    assert (entry.kind, entry.staff_id, entry.data["login"]) == ("staff_off", olga, "cica")
