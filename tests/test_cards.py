"""The card: codes that name one guest or nobody, messages that renew, links that can be revoked."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
import sqlalchemy as sa

from core.contract import Link
from core.domain import codes
from core.keys import Keys
from core.services import cafes, cards, guests
from core.storage import tables
from tests.support.counter import Counter
from tests.support.shop import KEYS as SHOP_KEYS

NOW = datetime(2026, 11, 22, 12, 0, 10, tzinfo=UTC)  # ten seconds into a step
STEP = timedelta(seconds=30)
KEYS = Keys(Keys.generate())
PUBLIC_URL = "https://malva.example"


def guest(tx, name="Ana", *, secret=None, cafe_id=None, language="en"):
    guest_id = guests.add(tx, name=name, language=language, cafe_id=cafe_id, keys=KEYS, now=NOW)
    if secret is not None:
        encrypted = KEYS.encrypt(secret)
        chosen = tables.guests.c.id == guest_id
        tx.execute(sa.update(tables.guests).where(chosen).values(secret=encrypted))
    return guest_id


def use(tx, card):
    leased = tables.leases.c.code == card.code
    tx.execute(sa.update(tables.leases).where(leased).values(used_at=NOW))


def holder(tx, code):
    return tx.scalar(sa.select(tables.leases.c.guest_id).where(tables.leases.c.code == code))


# -- codes -----------------------------------------------------------------------------------------


def test_a_card_shows_the_code_of_its_step_and_it_counts_for_the_next_step_too(tx):
    secret = b"s" * 20
    ana = guest(tx, secret=secret)
    card = cards.lease_code(tx, ana, KEYS, NOW)
    assert card.code == codes.code(secret, codes.step_at(NOW))
    assert card.step_ends_at == datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
    assert card.expires_at == datetime(2026, 11, 22, 12, 1, 0, tzinfo=UTC)
    public_id = tx.scalar(sa.select(tables.guests.c.public_id).where(tables.guests.c.id == ana))
    assert card.qr == f"MALVA1.{public_id}.{card.code}"


def test_shown_again_in_the_same_step_it_is_the_same_code(tx):
    ana = guest(tx)
    first = cards.lease_code(tx, ana, KEYS, NOW)
    assert cards.lease_code(tx, ana, KEYS, NOW + timedelta(seconds=19)) == first
    assert cards.lease_code(tx, ana, KEYS, NOW + STEP).code != first.code


def test_after_its_code_was_used_a_card_shows_the_next_of_the_series_in_the_same_step(tx):
    secret = b"s" * 20
    ana = guest(tx, secret=secret)
    shown = []
    for _ in range(3):
        card = cards.lease_code(tx, ana, KEYS, NOW)
        use(tx, card)
        shown.append(card.code)
    assert shown == [codes.code(secret, codes.step_at(NOW), number) for number in range(3)]


def colliding_secrets():
    """Two secrets whose codes are the same in the step of NOW: some thousand tries find them."""
    seen = {}
    for secret in (n.to_bytes(20, "big") for n in count()):
        twin = seen.setdefault(codes.code(secret, codes.step_at(NOW)), secret)
        if twin is not secret:
            break
    return twin, secret


def test_of_two_cards_that_collide_the_second_shows_the_next_of_its_series(tx):
    one, other = colliding_secrets()
    ana, bora = guest(tx, "Ana", secret=one), guest(tx, "Bora", secret=other)
    anas, boras = cards.lease_code(tx, ana, KEYS, NOW), cards.lease_code(tx, bora, KEYS, NOW)
    assert codes.code(one, codes.step_at(NOW)) == codes.code(other, codes.step_at(NOW))
    assert anas.code == codes.code(one, codes.step_at(NOW))
    assert boras.code == codes.code(other, codes.step_at(NOW), 1)
    assert (holder(tx, anas.code), holder(tx, boras.code)) == (ana, bora)


def test_an_open_lease_of_the_step_before_keeps_its_code_and_an_expired_one_gives_way(tx):
    secret, step = b"b" * 20, codes.step_at(NOW)
    wanted = codes.code(secret, step)
    ana, bora = guest(tx, "Ana"), guest(tx, "Bora", secret=secret)

    def anas_lease(expires_at):
        tx.execute(sa.delete(tables.leases))
        row = {"code": wanted, "guest_id": ana, "step": step - 1, "number": 0}
        tx.execute(sa.insert(tables.leases).values(expires_at=expires_at, **row))

    anas_lease(expires_at=NOW + timedelta(microseconds=1))
    assert cards.lease_code(tx, bora, KEYS, NOW).code == codes.code(secret, step, 1)
    anas_lease(expires_at=NOW)
    assert cards.lease_code(tx, bora, KEYS, NOW).code == wanted
    assert holder(tx, wanted) == bora


@pytest.mark.anyio
async def test_cards_shown_at_once_share_the_guests_one_lease(database):
    import asyncio

    ana = await database.write(guest)
    shown = await asyncio.gather(
        *(database.write(cards.lease_code, ana, KEYS, NOW) for _ in range(12))
    )
    assert len(set(shown)) == 1


def test_no_two_of_a_thousand_open_cards_hold_the_same_code(tx):
    """Of 1,000 guests two share the first code of a step two times in five."""
    row = {"name": "G", "language": "en", "created_at": NOW}
    tx.execute(
        sa.insert(tables.guests),
        [
            {**row, "public_id": f"G{n}", "secret": KEYS.encrypt(n.to_bytes(20, "big"))}
            for n in range(1_000)
        ],
    )
    ids = tx.execute(sa.select(tables.guests.c.id)).scalars().all()
    shown = {cards.lease_code(tx, guest_id, KEYS, NOW).code: guest_id for guest_id in ids}
    assert sorted(shown.values()) == sorted(ids)


# -- messages --------------------------------------------------------------------------------------


@pytest.fixture
def chat(tx):
    """A guest of a cafe and their chat."""
    cafe_id = cafes.add(tx, "bife", "BIFE", "RSD", "Europe/Belgrade", NOW)
    ana = guest(tx, cafe_id=cafe_id)
    contact_id = tx.execute(
        sa.insert(tables.contacts)
        .values(channel="telegram", address="1", guest_id=ana, created_at=NOW)
        .returning(tables.contacts.c.id)
    ).scalar_one()
    return {"contact_id": contact_id, "guest_id": ana, "channel": "telegram"}


def queued(tx):
    m = tables.messages.c
    rows = tx.execute(sa.select(tables.messages).where(m.status == "queued").order_by(m.id)).all()
    return [(r.kind, r.lane, r.replaces, (r.due_at - NOW).total_seconds()) for r in rows]


def bodies(tx):
    return tx.execute(sa.select(tables.messages.c.kind, tables.messages.c.body)).all()


def test_where_messages_can_be_edited_a_card_renews_itself_for_two_minutes(tx, chat):
    card = cards.show_card(tx, **chat, edits=True, now=NOW)
    assert queued(tx) == [
        ("card", 0, None, 0),
        ("card_renewal", 2, card, 30),
        ("card_renewal", 2, card, 60),
        ("card_renewal", 2, card, 90),
        ("card_renewal", 2, card, 120),
        ("card_end", 2, card, 150),
    ]
    m = tables.messages.c
    renewals = tx.execute(sa.select(tables.messages).where(m.kind == "card_renewal"))
    assert {row.expires_at - row.due_at for row in renewals} == {timedelta(seconds=25)}


def test_a_card_that_waits_holds_no_code(tx, chat):
    cards.show_card(tx, **chat, edits=True, now=NOW)
    assert tx.scalar(sa.select(sa.func.count()).select_from(tables.leases)) == 0
    assert all(set(body) == {"guest_id", "refresh"} for _, body in bodies(tx))


def test_a_new_card_calls_off_the_renewals_of_the_old_one(tx, chat):
    cards.show_card(tx, **chat, edits=True, now=NOW)
    new = cards.show_card(tx, **chat, edits=True, now=NOW)
    renewing = [replaces for kind, _, replaces, _ in queued(tx) if kind != "card"]
    assert renewing == [new] * 5


def test_where_they_can_not_a_card_is_one_message_that_offers_refresh_and_the_menu(tx, chat):
    cards.show_card(tx, **chat, edits=False, now=NOW)
    assert queued(tx) == [("card", 0, None, 0)]
    ((kind, body),) = bodies(tx)
    message, _ = render(tx, kind, body, NOW)
    assert [option.value for row in message.options for option in row] == [
        cards.REFRESH,
        cards.MENU,
    ]


def render(tx, kind, body, now):
    return cards.render_card(tx, kind, body, keys=KEYS, public_url=PUBLIC_URL, now=now)


def test_the_code_is_leased_when_the_card_is_handed_over_so_a_late_one_is_right(tx, chat):
    body = {"guest_id": chat["guest_id"], "refresh": False}
    late = NOW + timedelta(minutes=7)
    message, qr = render(tx, "card", body, late)
    card = cards.lease_code(tx, chat["guest_id"], KEYS, late)
    assert qr == card.qr
    assert message.kind == "card"
    assert message.options == ()
    assert message.text == (
        f"Your card: {codes.shown(card.code)}\n"
        "Show it at the till: it is good for 50 seconds.\n"
        "Balance: 0 points"
    )


def test_what_is_held_of_the_balance_stands_below_it_while_it_is_held(tx):
    shop = Counter(tx)
    ana = shop.collector(120)
    shop.pick(ana)

    def balance(minutes):
        body, now = {"guest_id": ana, "refresh": False}, NOW + timedelta(minutes=minutes)
        message, _ = cards.render_card(
            tx, "card", body, keys=SHOP_KEYS, public_url=PUBLIC_URL, now=now
        )
        return message.text.split("\n")[2:]

    held = "Including 100 points held for what you've picked"
    assert balance(minutes=1) == ["Balance: 120 points", held]
    assert balance(minutes=11) == ["Balance: 120 points"]


def test_the_end_of_a_card_holds_no_code_and_offers_refresh_and_the_live_card(tx, chat):
    message, qr = render(tx, "card_end", {"guest_id": chat["guest_id"], "refresh": False}, NOW)
    assert qr is None
    assert [option.label for row in message.options for option in row] == ["Refresh"]
    assert message.links == (Link("Live card", live_url(tx, chat["guest_id"]), app=True),)
    assert tx.scalar(sa.select(sa.func.count()).select_from(tables.leases)) == 0


# -- the live card ---------------------------------------------------------------------------------


def token(tx, guest_id):
    row = tx.execute(sa.select(tables.guests).where(tables.guests.c.id == guest_id)).one()
    return cards.link_token(row, KEYS)


def live_url(tx, guest_id):
    return f"{PUBLIC_URL}/card/{token(tx, guest_id)}"


def test_the_live_card_shows_the_code_that_the_chat_shows(tx):
    ana = guest(tx)
    link = token(tx, ana)
    assert cards.guest_of_token(tx, link, KEYS) == ana
    assert cards.live_card(tx, link, KEYS, NOW) == cards.lease_code(tx, ana, KEYS, NOW)


def test_looking_whose_link_it_is_leases_nothing(tx):
    cards.guest_of_token(tx, token(tx, guest(tx)), KEYS)
    assert tx.scalar(sa.select(sa.func.count()).select_from(tables.leases)) == 0


@pytest.mark.parametrize("link", ["", "x", "A.1", "é\u2028", "." * 500])
def test_a_link_that_is_not_ours_opens_nothing(tx, link):
    assert cards.guest_of_token(tx, link, KEYS) is None
    assert cards.live_card(tx, link, KEYS, NOW) is None


def test_revoked_links_open_nothing_and_a_new_one_does(tx):
    ana = guest(tx)
    old = token(tx, ana)
    cards.revoke_links(tx, ana)
    assert cards.guest_of_token(tx, old, KEYS) is None
    assert cards.guest_of_token(tx, token(tx, ana), KEYS) == ana


def test_the_link_of_an_erased_guest_opens_nothing(tx):
    ana = guest(tx)
    link = token(tx, ana)
    tx.execute(sa.update(tables.guests).values(erased_at=NOW))
    assert cards.guest_of_token(tx, link, KEYS) is None


def test_the_link_of_a_guest_who_became_another_opens_the_others_card(tx):
    ana, twin = guest(tx), guest(tx, "Ana M.")
    link = token(tx, twin)
    merged = tables.guests.c.id == twin
    tx.execute(sa.update(tables.guests).where(merged).values(merged_into=ana))
    assert cards.guest_of_token(tx, link, KEYS) == ana
