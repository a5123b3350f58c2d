"""`/portal/log`: who did what, the newest first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from core.i18n import N_, Words
from core.phrases import bonus_name, counted, name_in
from core.services import logbook, permission
from core.services.alarms import how_much
from core.services.logbook import Entry
from core.services.staff import Limits
from portal.forms import row_id
from portal.office import Call, Office

PATH = "/portal/log"

HAPPENED = {
    "alarm_seen": N_("Put the alarm about {login} away"),
    "alarms_connected": N_("Connected their messenger for alarms"),
    "alarms_disconnected": N_("Disconnected their messenger: no more alarms there"),
    "bonus_added": N_("Bonus added: {name}"),
    "bonus_changed": N_("Bonus changed: {name}"),
    "bonus_off": N_("Bonus switched off: {name}"),
    "bonus_on": N_("Bonus switched on: {name}"),
    "cafe_added": N_("The cafe was added"),
    "coupon_given": N_("The till system made a coupon for a confirmed reward"),
    "coupon_late": N_(
        "A coupon came too late and was shown to nobody: "
        "delete it at the till system ({redemption})"
    ),
    "coupon_missing": N_(
        "No coupon came from the till system: the discount was left to the cashier"
    ),
    "coupon_void": N_(
        "A reward with a coupon was undone: delete the coupon at the till system ({redemption})"
    ),
    "device_bound": N_("A browser was bound to the till: {device}"),
    "device_revoked": N_("A browser is bound to the till no longer: {device}"),
    "expiry_changed": N_("How long points are good was changed: {how_long}"),
    "fetch_given_up": N_("An order could not be fetched from the till system"),
    "guest_chosen": N_("A guest who was looked up was chosen"),
    "guest_erased": N_("A guest's data was erased"),
    "guests_imported": N_("Guests were imported: {added}"),
    "guests_merged": N_("Two cards of one guest became one"),
    "import_claimed": N_("An imported guest claimed their points: {points}"),
    "invitations_changed": N_("What an invitation gives was changed: {inviter} and {friend}"),
    "looked_up": N_("Looked a guest up; found: {found}"),
    "message_failed": N_("A message could not be delivered"),
    "message_given_up": N_("A message was given up: it could not be delivered in time"),
    "message_waits": N_("A message waits until its guest writes again"),
    "messenger_connected": N_("A guest connected another messenger"),
    "order_changed": N_("The till system has changed order {order}, which had counted already"),
    "order_given": N_("Order {order} was given to a guest; points: {points}"),
    "order_taken_back": N_(
        "Order {order} had been given to the wrong guest and was taken back; points: {points}"
    ),
    "password_changed": N_("{login} changed their password"),
    "password_reset": N_("The password of {login} was reset"),
    "pin_chosen": N_("Chose a PIN for the till"),
    "pin_cleared": N_("The PIN of {login} was cleared"),
    "points_expired": N_("Points of a guest expired: {points}"),
    "product_added": N_("Product added: {name}"),
    "product_changed": N_("Product changed: {name}"),
    "product_off": N_("Product switched off: {name}"),
    "product_on": N_("Product switched on: {name}"),
    "programme_changed": N_("The programme was changed: {gives} for {spent}"),
    "programme_joined": N_("The cafe joined “{programme}”; points that came along: {points}"),
    "programme_left": N_("The cafe left “{programme}” and has a programme of its own"),
    "purchase_added": N_("Entered a purchase by hand: {total}; points: {points}"),
    "purchase_undone": N_("Undid a purchase entered by hand: {total}; points: {points}"),
    "recovery_code_used": N_("Signed in by a recovery code; {left} are left"),
    "redeem_asked": N_("A guest was asked whether to redeem: {rewards}; points: {points}"),
    "redeem_cancelled": N_("Cancelled before it was redeemed: {rewards}"),
    "redeem_confirmed": N_("Redeemed: {rewards}; points: {points}"),
    "redeem_expired": N_("Not redeemed in time: {rewards}"),
    "redeem_held": N_("Picked, and its points held: {rewards}; points: {points}"),
    "redeem_returned": N_("Redeemed by mistake, or refunded; the points are back: {rewards}"),
    "reward_added": N_("Reward added: {name}, for {cost}"),
    "reward_changed": N_("Reward changed: {name}, for {cost}"),
    "reward_off": N_("Reward switched off: {name}"),
    "reward_on": N_("Reward switched on: {name}"),
    "second_factor_off": N_("The second factor was switched off"),
    "second_factor_on": N_("The second factor was set up"),
    "session_revoked": N_("A session was ended"),
    "sign_in_locked": N_("Signing in was locked for a while after {failures} failures"),
    "signed_in": N_("Signed in"),
    "staff_added": N_("{login} can sign in now: {role}"),
    "staff_changed": N_("{login} was changed: {role}"),
    "staff_off": N_("{login} was switched off"),
    "staff_alarm": N_("{login} gives one card far more by hand than others: {given}"),
    "staff_limited": N_(
        "Limits of {login} at the till: points a day {points_a_day}, "
        "look-ups an hour {lookups_an_hour}"
    ),
    "staff_on": N_("{login} was switched on"),
    "till_added": N_("The till was added"),
    "till_locked": N_("The till was locked for a minute: {wrong_codes} wrong codes"),
    "till_report_refused": N_("A report of the till system was refused: {what}, {why}"),
    "till_revoked": N_("The till was switched off"),
    "till_signed_in": N_("Signed in at the till"),
    "till_token_renewed": N_("The till got a new token"),
}
"""By the kind of an entry. One that isn't here is shown by its kind."""
ROLES = {"owner": N_("owner"), "manager": N_("manager"), "cashier": N_("cashier")}


class LogRoom:
    def __init__(self, office: Office) -> None:
        self._office = office

    def routes(self) -> list[BaseRoute]:
        return [self._office.get(PATH, self.show, "log")]

    async def show(self, call: Call) -> Response:
        asked = call.request.query_params
        cafe = asked.get("cafe") or None
        before = row_id(asked.get("before", ""))
        page = await self._office.read(call, logbook.page, cafe, before)
        cafes = await self._office.read(call, permission.places)
        home = cafes[0].timezone if cafes else "UTC"
        values: dict[str, Any] = {
            "entries": [_line(entry, home, call.w) for entry in page.entries],
            "older": page.older,
            "cafe": cafe or "",
        }
        if call.swaps:
            return self._office.piece(call, "log_lines.html", **values)
        return self._office.page(call, "log.html", cafes=cafes, first=before is None, **values)


def _line(entry: Entry, home: str, w: Words) -> dict[str, str]:
    """`home`: the time zone of what was in no cafe."""
    where = " · ".join(part for part in (entry.cafe, entry.till) if part)
    return {
        "when": w.moment(entry.at, entry.timezone or home),
        "iso": entry.at.isoformat(),
        "what": happened(entry.kind, entry.data, w),
        "who": entry.who or "",
        "where": where,
    }


def happened(kind: str, data: Mapping[str, Any], w: Words) -> str:
    """The entry as a sentence; what its kind doesn't say is left as it is."""
    known = HAPPENED.get(kind)
    if known is not None:
        try:
            return w.text(known, **{**data, **_by_field(data, w), **_by_kind(kind, data, w)})
        except KeyError:  # an entry of an older Malva
            pass
    return kind.replace("_", " ")


def _by_field(data: Mapping[str, Any], w: Words) -> dict[str, str]:
    """What a field says, whatever happened."""
    values = {}
    if role := ROLES.get(str(data.get("role"))):
        values["role"] = w.text(role)
    if "total_minor" in data:
        values["total"] = w.money(data["total_minor"], data["currency"])
    if "names" in data:
        values["name"] = name_in(data["names"], w)
    if "bonus" in data:
        values["name"] = bonus_name(data["bonus"], data["names"], w)
    return values


def _by_kind(kind: str, data: Mapping[str, Any], w: Words) -> dict[str, str]:
    if kind.startswith("reward_") and "cost" in data:
        return {"cost": w.number(data["cost"])}
    if kind.startswith("redeem_"):
        return {"rewards": counted([reward["names"] for reward in data["rewards"]], w)}
    match kind:
        case "expiry_changed":
            return {"how_long": _how_long(data["months"], w)}
        case "invitations_changed":
            unit = data["unit"]
            return {side: w.points(data[f"{side}_points"], unit) for side in ("inviter", "friend")}
        case "programme_changed":
            gives = w.points(data["earn_points"], data["unit"])
            return {"gives": gives, "spent": w.money(data["earn_minor"], data["currency"])}
        case "staff_alarm":
            return {"given": how_much(data["times"], data["points"], data["unit"], w)}
        case "staff_limited":
            limits = {name: data[name] for name in Limits._fields}
            return {name: "–" if n is None else w.number(n) for name, n in limits.items()}
    return {}


def _how_long(months: int | None, w: Words) -> str:
    return (
        w.text("for ever") if months is None else w.count("{count} month", "{count} months", months)
    )
