"""Cafes that share a programme: one joins another's, or leaves it for one of its own.

Balances are the programme's. While other cafes stay in the one that is left, so do the points; the
last cafe takes them along, and the programme is merged into the one that it goes to. From then on
whoever means an old account (an order on its way, the refund of one from long ago, a reward that
comes back) gets the new one from `ledger.lock`, so nothing is given or taken where nobody looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.domain.roles import Member
from core.services import cafes as cafe_service
from core.services import eventlog, ledger, permission, schemes, spending
from core.services.errors import Missing, Rejected
from core.services.permission import Place, require_programme
from core.services.schemes import Scheme
from core.storage.tables import (
    accounts,
    bonus_rules,
    cafes,
    products,
    programmes,
    redemptions,
    rewards,
)
from core.storage.tx import Tx

_a, _r = accounts.c, redemptions.c


@dataclass(frozen=True, slots=True)
class Plan:
    """What it means that `cafe` goes from the programme `left`, where `guests` have `points`, to
    `to`; None: to one of its own. `staying`: the other cafes of `left`, where the points stay;
    without any, they come along."""

    cafe: Place
    left: Scheme
    to: Scheme | None
    staying: Sequence[Place]
    guests: int
    points: int

    @property
    def along(self) -> bool:
        return not self.staying


def candidates(known: Sequence[Scheme], scheme: Scheme) -> list[Place]:
    """The cafes of other programmes that may join this one: points of one currency and kind."""
    return [place for other in known if _alike(other, scheme) for place in other.cafes]


def joining(tx: Tx, by: Member, programme_id: int, slug: str) -> Plan:
    """What it would mean that the cafe joins the programme. Missing where it is in it, Rejected
    where it can't be."""
    cafe, left = _cafe_of(tx, by, slug)
    to = schemes.one(tx, by, programme_id)
    for scheme in (left, to):
        require_programme(tx, by, "programme", scheme.id)
    if left.id == to.id:
        raise Missing("the cafe is in it already")
    if not _alike(left, to):
        raise Rejected("not_alike", "cafes that share a programme have one currency and one unit")
    return _plan(tx, cafe, left, to)


def leaving(tx: Tx, by: Member, programme_id: int, slug: str) -> Plan:
    """What it would mean that the cafe leaves the programme for one of its own. Missing where it
    isn't in it, or is there alone."""
    cafe, left = _cafe_of(tx, by, slug)
    require_programme(tx, by, "programme", left.id)
    if left.id != programme_id or len(left.cafes) == 1:
        raise Missing("the cafe shares no such programme")
    return _plan(tx, cafe, left, None)


def join(tx: Tx, by: Member, programme_id: int, slug: str, now: datetime) -> None:
    """As `joining` says. Rejected while something is picked and not redeemed yet."""
    _lock(tx, slug, programme_id)
    plan = joining(tx, by, programme_id, slug)
    _go(tx, plan, programme_id, now)
    eventlog.log(
        tx,
        "programme_joined",
        now,
        cafe_id=plan.cafe.id,
        staff_id=by.id,
        programme=plan.to.name if plan.to else "",
        points=plan.points if plan.along else 0,
    )


def leave(tx: Tx, by: Member, programme_id: int, slug: str, now: datetime) -> None:
    """As `leaving` says. Rejected while something is picked and not redeemed yet."""
    _lock(tx, slug, programme_id)
    plan = leaving(tx, by, programme_id, slug)
    own = cafe_service.first_programme(tx, plan.cafe.name, plan.cafe.currency, now)
    _go(tx, plan, own, now)
    eventlog.log(
        tx,
        "programme_left",
        now,
        cafe_id=plan.cafe.id,
        staff_id=by.id,
        programme=plan.left.name,
    )


def _cafe_of(tx: Tx, by: Member, slug: str) -> tuple[Place, Scheme]:
    cafe = permission.place(tx, by, slug)
    return cafe, schemes.one(tx, by, cafe.programme_id)


def _alike(one: Scheme, other: Scheme) -> bool:
    return one.id != other.id and (one.currency, one.unit) == (other.currency, other.unit)


def _plan(tx: Tx, cafe: Place, left: Scheme, to: Scheme | None) -> Plan:
    found = tx.execute(
        sa.select(
            sa.func.count().label("guests"),
            sa.func.coalesce(sa.func.sum(_a.balance), 0).label("points"),
        ).where(_a.programme_id == left.id, _a.balance != 0)
    ).one()
    staying = [place for place in left.cafes if place.id != cafe.id]
    return Plan(cafe, left, to, staying, int(found.guests), int(found.points))


# -- doing it --------------------------------------------------------------------------------------


def _lock(tx: Tx, slug: str, programme_id: int) -> None:
    """The cafe, its programme and the one it goes to stay as they are until the commit, and no
    account is opened in either (`ledger.lock` shares the programme's row). Orders go on: they
    only refer to these rows."""
    mine = (
        sa.select(cafes.c.programme_id).where(cafes.c.slug == slug).with_for_update(key_share=True)
    )
    both = [programme_id, tx.scalar(mine)]
    tx.execute(
        sa.select(programmes.c.id)
        .where(programmes.c.id.in_(both))
        .order_by(programmes.c.id)
        .with_for_update(key_share=True)
    )


def _go(tx: Tx, plan: Plan, programme_id: int, now: datetime) -> None:
    left = plan.left.id
    held = _accounts(tx, left) if plan.along else []
    _check_nothing_open(tx, plan, now)
    tx.execute(sa.update(cafes).where(cafes.c.id == plan.cafe.id).values(programme_id=programme_id))
    if plan.along:
        for account in held:
            _move(tx, account, plan, programme_id, now)
        _close(tx, left, programme_id)
    tx.ring(f"cafe:{plan.cafe.slug}")


def _accounts(tx: Tx, programme_id: int) -> list[ledger.Account]:
    """All of them, locked: whoever picks something or pays is done, or waits for us."""
    rows = tx.execute(
        sa.select(_a.guest_id, _a.programme_id, _a.balance, _a.carry_minor, _a.expiry_months)
        .where(_a.programme_id == programme_id)
        .order_by(_a.guest_id)
        .with_for_update()
    )
    return [ledger.Account(**row) for row in rows.mappings()]


def _check_nothing_open(tx: Tx, plan: Plan, now: datetime) -> None:
    """Where other cafes stay, what is picked can be redeemed there, unless a till of ours has
    it in hand."""
    concerned = _r.programme_id == plan.left.id
    if not plan.along:
        concerned &= _r.cafe_id == plan.cafe.id
    if tx.scalar(sa.select(sa.exists().where(concerned, spending.open_at(now)))):
        raise Rejected("picked", "a reward is picked and not redeemed yet: ten minutes at most")


def _move(tx: Tx, account: ledger.Account, plan: Plan, programme_id: int, now: datetime) -> None:
    """An entry on both sides. The reference names the guest too: by it the points' dates are found
    again."""
    if not account.balance and not account.carry_minor:
        return
    new = ledger.lock(tx, account.guest_id, programme_id)
    points = account.balance
    reference = f"programme:{account.programme_id}:{account.guest_id}"
    common: dict[str, Any] = {
        "cafe_id": plan.cafe.id,
        "kind": "merge",
        "reference": reference,
        "now": now,
    }
    ledger.post(tx, account, points=-points, because=[], carry_minor=0, **common)
    ledger.post(
        tx,
        new,
        points=points,
        because=[{"rule": "programme", "points": points, "programme": plan.left.name}],
        carry_minor=new.carry_minor + account.carry_minor,
        dates_of=reference if points > 0 else None,
        **common,
    )


def _close(tx: Tx, left: int, programme_id: int) -> None:
    """The programme is merged into the other, with those that were merged into it; what was
    redeemed of it can come back there. What it offered is switched off."""
    for table, of in ((programmes, programmes.c.id), (accounts, _a.programme_id)):
        tx.execute(
            sa.update(table)
            .where(sa.or_(of == left, table.c.merged_into == left))
            .values(merged_into=programme_id)
        )
    tx.execute(
        sa.update(redemptions).where(_r.programme_id == left).values(programme_id=programme_id)
    )
    for offered in (rewards, products, bonus_rules):
        tx.execute(sa.update(offered).where(offered.c.programme_id == left).values(active=False))
