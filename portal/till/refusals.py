"""Why the cashier's page can't do something, in a sentence that says what to do instead."""

from __future__ import annotations

from core.i18n import N_, Words
from core.services.errors import LimitReached, Locked, Refusal, Rejected
from portal import said

REFUSED = {
    "unknown_code": N_(
        "Nobody shows this code now. Ask the guest to open it again and try once more."
    ),
    "code_used": N_("This code was used already. Ask the guest for a fresh one."),
    "locked": N_("Too many wrong codes at this till. Try again in {seconds} s."),
    "expired": N_("The time is up, and the points are free again. The guest has to pick it anew."),
    "cancelled": N_("This was cancelled, and the points are free again."),
    "already_confirmed": N_(
        "This was confirmed before. Don't give it twice; "
        "if it was undone, the guest has to pick it anew."
    ),
    "awaiting_guest": N_(
        "The guest has not said yes yet. They find the question in their messenger."
    ),
    "insufficient": N_("The guest has too few points for that by now."),
    "not_available": N_(
        "That can't be had now: it is out of stock, at its limit, or too much is picked already."
    ),
    "unknown_reward": N_("This reward isn't offered any more."),
    "unknown_redemption": N_("This belongs to another cafe, or is no more."),
    "unknown_visit": N_("The visit is over after 15 minutes. Scan the guest's card again."),
    "unknown_order": N_("There is no such order here."),
    "already_claimed": N_("Another guest has this order already."),
    "too_late": N_("It is too late for that now."),
    "conflict": N_(
        "This purchase was counted before, with other products. See below what was counted."
    ),
}
"""By the code of a Refusal."""  # fmt: skip

REJECTED = {
    "look_up_short": N_(
        "Type at least four digits of the phone number, or two letters of the name."
    ),
    "look_up_long": N_("That is too long for a name, a phone number or a code."),
    "product_gone": N_("A product was switched off meanwhile. Load the page again."),
    "quantity": N_("A quantity is 1 to 99."),
    "purchase_empty": N_("Tap a product or type an amount first."),
    "price_changed": N_("A price was changed meanwhile. Look at the new total, then confirm."),
    "order_refunded": N_("The order was refunded meanwhile: it can't be undone any more."),
    "limit_points": N_(
        "That is more than you may give by hand: {limit} a day, of which {left} are left. "
        "Ask a manager to do it."
    ),
    "limit_look_ups": N_(
        "Your limit of look-ups within an hour is reached: {limit}. "
        "Ask for the card instead, or a manager."
    ),
}
"""By the code of a Rejected that only a till meets."""  # fmt: skip


def why(error: Refusal | Rejected, w: Words) -> str:
    if isinstance(error, Locked):
        return w.text(REFUSED["locked"], seconds=w.number(error.retry_after))
    if isinstance(error, LimitReached):
        return w.text(REJECTED[error.code], limit=w.number(error.limit), left=w.number(error.left))
    if isinstance(error, Rejected):
        known = REJECTED.get(error.code)
        return w.text(known) if known else said.rejected(error.code, w)
    return w.text(REFUSED.get(error.code, said.NOT_POSSIBLE))
