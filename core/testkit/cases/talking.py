"""Guests who write to us on a messenger, and are answered."""

from __future__ import annotations

import re

from core.testkit.cases.register import channel
from core.testkit.channel import ChannelTrial, options

ODD = (
    "Zdravo! Привет! ☕ 👨‍👩‍👧‍👦 שלום",
    "x" * 3900,
    "a\0b",
    "<b>Ana</b> & *Mila* _x_ [y](z) `k` {{1}} %s ${x}",
    "'; DROP TABLE guest; --",
    "\u202e\u0301\ufeff",
    "   ",
)
"""What people type, or paste."""


@channel()
def what_a_guest_says_is_answered(trial: ChannelTrial) -> None:
    ana, mila = trial.guest(), trial.guest()
    new = trial.hears(ana)
    assert new
    assert all(message.text.strip() for message in new)
    assert trial.vendor.seen(mila) == []


@channel()
def whatever_is_typed_is_answered_or_left_alone(trial: ChannelTrial) -> None:
    guest = trial.guest()
    trial.hears(guest)
    for text in ODD:
        assert trial.tell(trial.vendor.says(guest, text, trial.number())) in (200, 400), text
    trial.wait_until_quiet(guest)
    assert trial.hears(guest, "help")


@channel()
def an_option_that_is_pressed_comes_back(trial: ChannelTrial) -> None:
    guest = trial.guest()
    shown = [option.label for message in trial.hears(guest) for option in options(message)]
    assert {"English", "Srpski", "Русский"} <= set(shown)
    new = trial.presses(guest, "Русский")
    assert re.search("[а-я]{3}", " ".join(message.text for message in new))


@channel()
def an_option_of_another_day_does_no_harm(trial: ChannelTrial) -> None:
    guest = trial.guest()
    trial.hears(guest)
    trial.presses(guest, "English")
    assert trial.presses(guest, "Srpski")


@channel()
def a_guest_comes_to_a_card(trial: ChannelTrial) -> None:
    """With its digits; and with its picture, unless the messenger can't."""
    guest = trial.guest()
    trial.joins(guest)
    pictured = any(message.picture is not None for message in trial.vendor.seen(guest))
    assert pictured != ("pictures" in trial.vendor.lacks)
