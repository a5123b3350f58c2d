"""The contract kit can fail: an adapter with one fault is caught by the case that is about it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from core.cli import malva
from core.testkit import cases, trial
from core.testkit.cases.register import Cases
from core.testkit.channel import ChannelTrial
from core.testkit.plugin import ask
from core.testkit.pos import PosTrial
from core.testkit.vendors import CAN_LACK

CHANNEL = {
    "a webhook that is not signed is refused": (
        "if not hmac.compare_digest(given.encode(), right.encode()):",
        "if not given:",
    ),
    "one bad event spoils no other": ("except Exception as error:", "except OSError as error:"),
    "an event that comes again counts once": (
        'return Inbound(event_id=str(event["id"])',
        'return Inbound(event_id=str(__import__("time").monotonic_ns())',
    ),
    "a text that is too long comes whole in parts": (
        'rest = [{"text": part} for part in malva.split_text(text, TEXT) if part]',
        'rest = [{"text": text[:TEXT]}]',
    ),
    "an emoji is never cut": (
        "malva.split_text(text, TEXT)",
        "(text[n : n + 3999] for n in range(0, len(text), 3999))",
    ),
    "options are shown up to the limit": (
        "for row in message.options\n",
        "for row in message.options[:9]\n",
    ),
    "markup is shown as it is written": (
        'text = "\\n\\n".join(filter(None, [message.text, *links]))',
        'text = "\\n\\n".join([message.text, *links]).replace("&", "&amp;").replace("<", "&lt;")',
    ),
    "links can be opened": ("[message.text, *links]", "[message.text]"),
    "a guest comes to a card": ('"picture": message.picture.url', '"image": message.picture.url'),
    "a guest who is gone is told so": ("contact_gone=answer.status == 410", "contact_gone=False"),
    "what is refused for good is not tried again": (
        "retryable=answer.status >= 500",
        "retryable=True",
    ),
    "too many messages is to be tried again": (
        "if answer.status == 429:",
        "if answer.status == 428:",
    ),
    "a time out may have been carried out": (
        "retryable=True, uncertain=uncertain",
        "retryable=True",
    ),
    "the vendor's own fault is to be tried again": (
        'name = f"Bad: HTTP {answer.status}"',
        'name = f"Bad: HTTP {answer.status}, the-token-that-opens-nothing"',
    ),
    "what a guest says is answered": (
        "if received is not None:",
        'log.debug("signed with %s", self._secret.decode())\n            if received is not None:',
    ),
    "statuses only climb": ('"seen": "read"', '"seen": "delivered"'),
    "check tells whether the credentials work": ('await self._call("GET", "/me")', "{}"),
    "its own work ends when the server stops": (
        'at every start."""',
        'at every start."""\n        raise RuntimeError("it broke off")',
    ),
}
"""By the case that has to notice: what stands in the scaffold's adapter, and what instead."""

POS = {
    "a body that was changed is refused": (
        "hmac.new(self._secret, request.body,",
        "hmac.new(self._secret, request.body[:20],",
    ),
    "money is decimal and never was a float": ("Decimal(str(value))", "Decimal(float(value))"),
    "an order counts to the last cent": ("Decimal(str(value))", "Decimal(round(float(value)))"),
    "a refund counts once": ('refund_id = _text(event["refund"])', "refund_id = str(id(event))"),
    "a poll: the vendor's own fault is asked again": (
        "answer.status in (401, 403, 429) or answer.status >= 500",
        "False",
    ),
    "a poll finds what no webhook told": ("cafe, live=False", "cafe, live=True"),
    "a poll remembers by its cursor alone": ("after={cursor or 'now'}", "after=now"),
    "it gives no coupon and says so": (
        'taken off by hand."""\n        return None',
        'taken off by hand."""\n        return malva.Coupon("10")',
    ),
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial.eventually, "__defaults__", (1.0, ""))


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to import from; what was imported from it is forgotten."""
    monkeypatch.syspath_prepend(str(tmp_path / "malva-bad"))
    yield tmp_path
    sys.modules.pop("malva_bad", None)


def made(folder: Path, kind: str, good: str, bad: str) -> type[Any]:
    """The vendor's side of a new project, in whose adapter one thing is otherwise."""
    new = ["plugin", "new", "bad", "--kind", kind, "--out", str(folder)]
    assert CliRunner().invoke(malva, new).exit_code == 0
    module = folder / "malva-bad" / "malva_bad.py"
    source = module.read_text()
    assert good in source
    module.write_text(source.replace(good, bad))
    tests = folder / "malva-bad" / "tests" / "test_contract.py"
    spec = importlib.util.spec_from_file_location("their_tests", tests)
    assert spec is not None
    assert spec.loader is not None
    theirs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(theirs)
    vendor: type[Any] = theirs.Bad
    return vendor


def named(register: Cases, name: str) -> Any:
    (case,) = [case for case in register if case.name == name]
    return case


@pytest.mark.parametrize("case", CHANNEL)
def test_a_channel_s_fault_is_caught(elsewhere: Path, case: str) -> None:
    vendor = made(elsewhere, "channel", *CHANNEL[case])
    with ChannelTrial.of(vendor) as running, pytest.raises(AssertionError):
        ask(named(cases.channel, case), running)


@pytest.mark.parametrize("case", POS)
def test_a_till_adapter_s_fault_is_caught(elsewhere: Path, case: str) -> None:
    vendor = made(elsewhere, "pos", *POS[case])
    with PosTrial.of(vendor) as running, pytest.raises(AssertionError):
        ask(named(cases.pos, case), running)


# -- what a vendor's side may lack -----------------------------------------------------------------


class Nobody:
    lacks: dict[str, str] = {}  # noqa: RUF012 - set by each test


@pytest.mark.parametrize(("what", "reason"), [("a signature", "none"), ("signature", " ")])
def test_what_is_lacking_has_a_known_name_and_a_reason(what: str, reason: str) -> None:
    class Vendor(Nobody):
        lacks = {what: reason}  # noqa: RUF012

    with pytest.raises(ValueError, match=r"Vendor\.lacks"):
        cases.channel.for_(Vendor)


@pytest.mark.parametrize("register", [cases.channel, cases.pos])
def test_no_case_is_left_out_but_for_what_is_lacking(register: Cases) -> None:
    usual = [case for case in register if case.instead_of is None]
    assert register.for_(Nobody) == usual
    for what in CAN_LACK:

        class Vendor(Nobody):
            lacks = {what: "there is none"}  # noqa: RUF012

        left_out = [case for case in usual if case not in register.for_(Vendor)]
        assert all(what in case.needs for case in left_out)


def test_each_case_has_a_name_of_its_own() -> None:
    for register in (cases.channel, cases.pos):
        names = [case.name for case in register]
        assert len(set(names)) == len(names)
