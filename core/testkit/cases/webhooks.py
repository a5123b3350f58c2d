"""Webhooks, of messengers and tills alike: only the vendor's own count, and none does harm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from core.contract import Request
from core.inbox import LARGEST_BODY
from core.testkit.cases.register import channel, pos
from core.testkit.trial import Trial, post

NONSENSE = (
    b"{",
    b"[]",
    b"null",
    b"0",
    b'"text"',
    b'{"events": [null, 7, "x", [], {}]}',
    b'{"a": NaN}',
    b"[" * 100_000,
    b"a=b&c=%ff",
    b"<xml/>",
    b"\x00",
    b"\xff\xfe",
)
"""Bodies that no provider sends."""

AnyTrial = Trial[Any]


@channel("webhook", "signature")
@pos("webhook", "signature")
def a_webhook_that_is_not_signed_is_refused(trial: AnyTrial) -> None:
    request, before, effects = trial.webhook(trial.event()), trial.stored(), trial.effects()
    right = request.headers[trial.vendor.signature]
    for given in (None, "", "šta?", "x" * 5000, right[:-1], right[::-1], f"{right}x"):
        status = post(_with_header(request, trial.vendor.signature, given))
        assert status in (401, 403), f"{given!r}: {status}"
    assert trial.stored() == before
    assert post(request) == 200
    trial.expect(effects + 1)


@channel("webhook", "signature", "signed_body")
@pos("webhook", "signature", "signed_body")
def a_body_that_was_changed_is_refused(trial: AnyTrial) -> None:
    request, before, effects = trial.webhook(trial.event()), trial.stored(), trial.effects()
    for body in (request.body + b"&a=b", request.body[:-1], b"{}"):
        status = post(replace(request, body=body))
        assert status in (401, 403), f"{body[-20:]!r}: {status}"
    assert trial.stored() == before
    assert post(request) == 200
    trial.expect(effects + 1)


@channel(instead_of="webhook")
def its_webhook_takes_nothing(trial: AnyTrial) -> None:
    for body in (b"{}", b"[]", b"x"):
        assert post(Request("POST", trial.address, {}, {}, body)) == 401


@channel("webhook")
@pos("webhook")
def an_empty_body_is_answered_and_nothing_kept(trial: AnyTrial) -> None:
    before = trial.stored()
    for request in (trial.signed(b""), Request("POST", trial.address, {}, {}, b"")):
        assert post(request) == 200
    assert trial.stored() == before


@channel()
@pos("webhook")
def a_body_that_is_too_large_is_refused(trial: AnyTrial) -> None:
    before = trial.stored()
    assert post(trial.signed(b" " * (LARGEST_BODY + 1))) == 413
    assert trial.stored() == before


@channel()
@pos("webhook")
def what_can_not_be_read_does_no_harm(trial: AnyTrial) -> None:
    before, effects = trial.stored(), trial.effects()
    for body in NONSENSE:
        status = post(trial.signed(body))
        assert status in (200, 400), f"{body[:20]!r}: {status}"
    assert trial.stored() == before
    assert trial.tell(trial.event()) == 200
    trial.expect(effects + 1)


@channel("unknown")
@pos("webhook", "unknown")
def an_event_of_a_kind_unknown_is_left_alone(trial: AnyTrial) -> None:
    before = trial.stored()
    assert trial.tell(trial.vendor.unknown(trial.number())) == 200
    assert trial.stored() == before


@channel("broken")
@pos("webhook", "broken")
def an_event_that_has_lost_its_form_does_no_harm(trial: AnyTrial) -> None:
    before = trial.stored()
    assert trial.tell(trial.vendor.broken(trial.number())) in (200, 400)
    assert trial.stored() == before


@channel()
@pos("webhook")
def a_field_of_tomorrow_changes_nothing(trial: AnyTrial) -> None:
    """Vendors add fields unannounced."""
    event, before = trial.event(), trial.effects()
    if isinstance(event, dict):
        event = {**event, "a_field_of_tomorrow": "x"}
    assert trial.tell(event) == 200
    trial.expect(before + 1)


@channel()
@pos("webhook")
def an_event_that_comes_again_counts_once(trial: AnyTrial) -> None:
    event, before = trial.event(), trial.effects()
    for _ in range(3):
        assert trial.tell(event) == 200
    trial.expect(before + 1)


@channel()
@pos("webhook")
def an_event_that_comes_ten_times_at_once_counts_once(trial: AnyTrial) -> None:
    event, before = trial.event(), trial.effects()
    assert set(trial.at_once([trial.webhook(event)] * 10)) == {200}
    trial.expect(before + 1)


@channel("batches", "broken")
@pos("webhook", "batches", "broken")
def one_bad_event_spoils_no_other(trial: AnyTrial) -> None:
    before = trial.effects()
    bad = trial.vendor.broken(trial.number())
    assert trial.tell(trial.event(), bad, trial.event()) == 200
    trial.expect(before + 2)


def _with_header(request: Request, name: str, value: str | None) -> Request:
    others = {key: given for key, given in request.headers.items() if key.lower() != name}
    return replace(request, headers=others if value is None else {**others, name: value})
