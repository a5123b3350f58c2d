"""What the portal says of what was done, and of what couldn't be."""

from __future__ import annotations

from core.i18n import N_, Words

DONE = {
    "signed_out": N_("You are signed out."),
    "saved": N_("Saved."),
    "cafe_joined": N_("The cafe shares the programme from now on."),
    "cafe_left": N_("The cafe has a programme of its own now."),
    "password": N_("Your password is changed. Everywhere else you are signed out."),
    "session": N_("That session is over."),
    "sessions": N_("Everywhere else you are signed out."),
    "second_off": N_("The second factor is off."),
    "employee_added": N_("The employee can sign in now."),
    "employee_off": N_("Switched off: they are signed out everywhere and can't sign in."),
    "employee_on": N_("Switched on: they can sign in again."),
    "employee_password": N_("The password is reset, and they are signed out."),
    "till_revoked": N_("The till's token opens nothing any more."),
    "device_bound": N_("This is the till now. Everybody signs in here with a PIN of their own."),
    "device_revoked": N_("Nobody can work in that browser any more."),
    "employee_limited": N_("The limits count from now on."),
    "alarm_seen": N_("Put away. Of these two nothing more is said for three months."),
    "alarms_off": N_("No more alarms come to that messenger."),
    "pin_cleared": N_("Signed out of every till. They choose a new PIN there with their password."),
    "product_added": N_("The product counts from now on."),
    "product_off": N_("Switched off: it earns by its price now, like everything else."),
    "product_on": N_("Switched on: it counts again."),
    "bonus_added": N_("The bonus counts from now on."),
    "bonus_off": N_("Switched off: it gives nothing any more."),
    "bonus_on": N_("Switched on: it counts again."),
    "reward_added": N_("Guests can pick the reward from now on."),
    "reward_off": N_("Switched off: guests are not offered it any more."),
    "reward_on": N_("Switched on: guests are offered it again."),
}
"""By what an address says in `done`."""

REJECTED = {
    "name": N_("A name has 1 to 64 characters."),
    "login_malformed": N_(
        "A login has up to 63 characters: small Latin letters, digits and . _ @ + -"
    ),
    "login_taken": N_("Somebody has that login already."),
    "password_short": N_("A password has at least 8 characters."),
    "password_long": N_("That password is too long."),
    "password_twice": N_("The two passwords are not the same."),
    "password_wrong": N_("That isn't your password, or there were too many wrong ones lately."),
    "pin": N_("A PIN has 4 to 8 digits."),
    "pin_weak": N_("That PIN is too easy to guess. Choose one without a pattern."),
    "pin_twice": N_("The two PINs are not the same."),
    "role": N_("Choose a role."),
    "cafes": N_("Choose at least one cafe; an owner belongs to all of them."),
    "cafe": N_("Choose a cafe."),
    "yourself": N_("That is for somebody else to do: nobody changes their own role."),
    "last_owner": N_("There has to be an owner."),
    "till_name_taken": N_("The cafe has a till of that name already."),
    "till": N_("Choose a till."),
    "station": N_("A station has up to 100 characters."),
    "station_taken": N_("Another till is that station already."),
    "unit": N_("Choose points or stamps."),
    "earn_minor": N_("The amount has to be above zero."),
    "points": N_("A number from 0 to 1,000,000, please."),
    "months": N_("1 to 120 months, please; leave it empty for ever."),
    "not_alike": N_("Cafes share a programme if they have one currency and collect the same."),
    "picked": N_(
        "A guest has picked a reward and not redeemed it yet. Try again in ten minutes at most."
    ),
    "number": N_("A whole number, please."),
    "amount": N_("An amount, please, such as 450 or 4.50."),
    "price": N_("An amount, please, such as 450 or 4.50."),
    "worth_nothing": N_("Points of its own, or a price, or both: a product without is of no use."),
    "sku": N_("An article number has up to 100 characters."),
    "sku_taken": N_("Another product has that article number already."),
    "text": N_("A text has up to 300 characters."),
    "bonus_kind": N_("Choose what the bonus is for."),
    "bonus_points": N_("A bonus is 1 to 1,000,000."),
    "factor": N_("A factor is above 1 and at most 100, such as 2 or 1.5."),
    "every": N_("Every 2nd to every 1,000th visit."),
    "birthday_days": N_("Up to 30 days around the birthday."),
    "over": N_("The amount has to be above zero."),
    "weekdays": N_("Choose at least one day of the week."),
    "time": N_("A time, please, such as 14:00."),
    "skus": N_("Choose a product, or write its article number."),
    "limit": N_("A limit is 1 to 1,000; leave it empty for none."),
    "budget": N_("A budget is 1 to 1,000,000,000; leave it empty for none."),
    "reward_kind": N_("Choose what the reward gives."),
    "cost": N_("A reward costs 1 to 1,000,000."),
    "percent": N_("A percentage is above 0 and at most 100, such as 10 or 12.5."),
    "discount": N_("The discount has to be above zero."),
    "bound": N_("A limit is 1 to 1,000 and a stock up to 1,000,000; leave it empty for none."),
    "day": N_("That isn't a day that can be meant."),
    "window": N_("The last day is before the first."),
    "window_past": N_("That last day is over already."),
    "picture": N_("That isn't a picture that can be shown: a PNG, JPEG or WebP, please."),
    "picture_large": N_("A picture has at most 1 MB. Save a smaller copy of it and try again."),
    "wrong_code": N_("That isn't the app's code. It shows a new one every 30 seconds."),
}
"""By the code of a Rejected."""
NOT_POSSIBLE = N_("That can't be done.")


def done(code: str, w: Words) -> str:
    return w.text(DONE[code]) if code in DONE else ""


def rejected(code: str, w: Words) -> str:
    return w.text(REJECTED.get(code, NOT_POSSIBLE))
