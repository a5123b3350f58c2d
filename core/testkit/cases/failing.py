"""What goes wrong at the provider, what an adapter says of it, and what Malva makes of that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from core.contract import Finding, SendError
from core.storage.tables import contacts
from core.testkit.cases.register import Cases, channel, pos
from core.testkit.channel import ChannelTrial
from core.testkit.trial import Trial, eventually

Cause = Callable[[Trial[Any]], object]

RETRY = {"retryable": True}
UNCERTAIN = {"retryable": True, "uncertain": True}


def refused(meaning: str) -> Cause:
    return lambda trial: trial.refuses(meaning)


def faulty(kind: str, **more: Any) -> Cause:
    return lambda trial: getattr(trial.provider, kind)(trial.vendor.calls, **more)


def gone_dark(trial: Trial[Any]) -> None:
    trial.provider.stop()


def fault(name: str, cause: Cause, meaning: dict[str, bool], *needs: str) -> None:
    """Registers: handing over fails so, and the adapter says that it means that."""

    def ask(trial: ChannelTrial) -> None:
        guest = trial.guest()
        with trial.alone() as alone:
            cause(trial)
            error = trial.attempt(alone, guest)
        names = ("retryable", "contact_gone", "uncertain", "window_closed", "channel_wide")
        assert isinstance(error, SendError), error
        said = {name: getattr(error, name) for name in names if name in meaning}
        assert said == meaning, repr(error)
        told = f"{error!r} {error.__cause__!r}"
        assert not [s for s in (*trial.vendor.secrets, guest) if s in told], told

    ask.__name__ = name
    channel("provider", *needs)(ask)


fault(
    "too many messages is to be tried again",
    refused("too_many"),
    {"retryable": True, "contact_gone": False, "uncertain": False},
)
fault("the vendor's own fault is to be tried again", refused("down"), RETRY)
fault(
    "what is refused for good is not tried again",
    refused("final"),
    {"retryable": False, "contact_gone": False, "window_closed": False, "uncertain": False},
)
fault(
    "a guest who is gone is told so",
    refused("gone"),
    {"retryable": False, "contact_gone": True},
    "gone",
)
fault(
    "wrong credentials are nobody's fault and all wait",
    refused("unauthorized"),
    {"retryable": True, "channel_wide": True, "contact_gone": False},
)
fault("a proxy's page is to be tried again", faulty("fail", status=502, html=True), RETRY)
fault("a time out may have been carried out", faulty("hang"), UNCERTAIN, "uncertainty")
fault("a broken connection may have been carried out", faulty("reset"), UNCERTAIN, "uncertainty")
fault("a lost answer may have been carried out", faulty("drop_answer"), UNCERTAIN, "uncertainty")
fault(
    "nobody there is to be tried again and was not carried out",
    gone_dark,
    {"retryable": True, "uncertain": False},
)


@channel("provider", "retry_after")
def a_refusal_says_how_long_to_wait(trial: ChannelTrial) -> None:
    guest = trial.guest()
    with trial.alone() as alone:
        trial.refuses("too_many")
        error = trial.attempt(alone, guest)
    assert isinstance(error, SendError)
    assert error.retry_after is not None
    assert error.retry_after > 0


@channel("provider")
def a_page_that_says_200_is_no_answer_to_stumble_over(trial: ChannelTrial) -> None:
    """Sent, or a SendError: nothing else."""
    guest = trial.guest()
    with trial.alone() as alone:
        trial.provider.fail(trial.vendor.calls, 200, html=True)
        error = trial.attempt(alone, guest)
    assert not isinstance(error, SendError) or error.retryable


@channel("provider")
def what_failed_for_a_while_arrives_once(trial: ChannelTrial) -> None:
    for meaning in ("down", "too_many"):
        guest = trial.guest()
        trial.refuses(meaning)
        assert trial.tell(trial.vendor.says(guest, "hi", trial.number())) == 200
        eventually(partial(_tried_again, trial, guest), what=f"an answer: {meaning}")
        assert [row.status for row in trial.rows(guest)] != ["failed"]
        assert len(trial.vendor.seen(guest)) == 1


def _tried_again(trial: ChannelTrial, guest: str) -> bool:
    trial.malva.clock.move(timedelta(seconds=1))
    return bool(trial.vendor.seen(guest)) and not trial.on_the_way(guest)


@channel("provider")
def what_was_refused_for_good_is_given_up_alone(trial: ChannelTrial) -> None:
    guest = trial.guest()
    refusal = trial.refuses("final")
    assert trial.tell(trial.vendor.says(guest, "hi", trial.number())) == 200
    trial.wait_until_quiet(guest)
    assert [row.status for row in trial.rows(guest)] == ["failed"]
    assert refusal.used == 1
    assert trial.hears(guest, "English")


@channel("provider", "gone")
def a_guest_who_is_gone_gets_nothing_until_they_write(trial: ChannelTrial) -> None:
    guest = trial.guest()
    trial.refuses("gone")
    assert trial.tell(trial.vendor.says(guest, "hi", trial.number())) == 200
    eventually(lambda: _is_gone(trial, guest), what="the contact to be gone")
    assert trial.hears(guest)
    assert not _is_gone(trial, guest)


def _is_gone(trial: ChannelTrial, guest: str) -> bool:
    asked = contacts.select().where(contacts.c.address == guest, contacts.c.gone_at.is_not(None))
    return trial.malva.database.read_now(lambda tx: tx.execute(asked).first()) is not None


@channel("receipts")
def statuses_only_climb(trial: ChannelTrial) -> None:
    """Whatever order they come in, and however often."""
    guest = trial.guest()
    trial.hears(guest)
    name = trial.rows(guest)[0].provider_id
    assert name is not None
    best, *others = sorted(trial.vendor.statuses, key=LADDER.index, reverse=True)
    for status in (best, *others, best):
        assert trial.tell(trial.vendor.receipt(name, status, trial.number())) == 200
        assert trial.rows(guest)[0].status == best


LADDER = ("sent", "failed", "delivered", "read")


@channel("receipts")
def a_status_of_an_unknown_message_waits_for_it(trial: ChannelTrial) -> None:
    """It may come before the API's own answer."""
    before = trial.stored()["early_receipt"]
    for status in trial.vendor.statuses:
        name = f"{trial.number():032x}"
        assert trial.tell(trial.vendor.receipt(name, status, trial.number())) == 200
    assert trial.stored()["early_receipt"] == before + len(trial.vendor.statuses)


# -- and whoever runs it ---------------------------------------------------------------------------


def both(*needs: str) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    def register(ask: Callable[[Any], None]) -> Callable[[Any], None]:
        registers: tuple[Cases, ...] = (channel, pos)
        for one in registers:
            one(*needs)(ask)
        return ask

    return register


@both("credentials")
def check_tells_whether_the_credentials_work(trial: Trial[Any]) -> None:
    with trial.alone() as alone:
        good = alone.run(alone.adapter.check())
        trial.refuses("unauthorized", times=None, calls="*")
        refused = alone.run(alone.adapter.check())
        trial.provider.stop()
        silent = alone.run(alone.adapter.check())
    assert good
    assert all(_well_formed(finding) for finding in (*good, *refused, *silent))
    assert "error" not in [finding.level for finding in good], good
    assert "error" in [finding.level for finding in refused], refused
    assert "error" in [finding.level for finding in silent], silent
    told = repr((good, refused, silent))
    assert not [secret for secret in trial.vendor.secrets if secret in told], told


def _well_formed(finding: Finding) -> bool:
    letter = {"error": "E", "warning": "W", "ok": "I"}[finding.level]
    return finding.id.startswith(f"MALVA-{letter}") and finding.id[7:].isdigit()


@channel()
def its_own_work_ends_when_the_server_stops(trial: ChannelTrial) -> None:
    with trial.alone() as alone:
        alone.run(alone.for_a_moment(alone.adapter.run()))
