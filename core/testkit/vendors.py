"""What the kit has to know of a vendor: how its webhooks look, how its API answers, what arrived.

A plugin's tests describe it as a class with these names; it need not subclass anything. Webhooks
are `malva.Request`s, what a guest sees are `malva.Outbound`s, the API's answers are plain tuples
(`Answer`), so that a description imports nothing but `malva`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from core.contract import Discount, MessageStatus, Option, Outbound, Request
from core.testkit.provider import Answer, Provider

Event = Any
"""A thing that happened, in the vendor's own words: what `webhook` packs."""


class Vendor(Protocol):
    """What channels and tills have in common.

    name        of the plugin's table in plugins.toml
    lacks       what it can't have (a name of CAN_LACK), each with the reason
    secrets     texts that no log line and no error may hold
    signature   the header that proves a webhook, in lower case
    refusals    answers of the API, by what they mean (a name of REFUSALS)
    calls       of which calls these are the answers: `*` and `?` in a call's name
    """

    name: str
    lacks: Mapping[str, str]
    secrets: Sequence[str]
    signature: str
    refusals: Mapping[str, Answer]
    calls: str

    def unknown(self, number: int) -> Event:
        """One of a kind that the adapter has never heard of."""

    def broken(self, number: int) -> Event:
        """One of a kind that it knows, and can't read."""

    def webhook(self, url: str, events: Sequence[Event]) -> Request:
        """The request that tells these events, rightly signed; `url` is our webhook's address."""

    def signed(self, url: str, body: bytes) -> Request:
        """A request with any body at all, rightly signed."""


class ChannelVendor(Vendor, Protocol):
    """A messenger. `number` is an event's own: the same number is the same event. Made as
    `Line(provider)`, where `provider.answers` is to be set, or with a simulator of its own class
    that it names: `simulator = LineSimulator`.

    statuses  what it tells of messages afterwards
    """

    statuses: Sequence[MessageStatus]

    def table(self) -> str:
        """The keys of its table in plugins.toml, `module` among them, calls going to `provider`."""

    def guest(self, number: int) -> str:
        """The address of a guest who can be written to."""

    def says(self, guest: str, text: str, number: int) -> Event: ...

    def presses(self, guest: str, option: Option, number: int) -> Event:
        """The guest presses an option of a message that they see."""

    def receipt(self, provider_id: str, status: MessageStatus, number: int) -> Event:
        """What became of a message that the vendor calls by that id."""

    def seen(self, guest: str) -> Sequence[Outbound]:
        """What the guest sees, oldest first: texts, labels and values of options, links, whether
        there is a picture, the button that shares a phone."""


class PosVendor(Vendor, Protocol):
    """A till system, of one cafe."""

    def table(self, cafe: str) -> str:
        """The keys of its table, with this cafe (a slug) in its own `cafes` table or keys."""

    def order_id(self, number: int) -> str:
        """How the vendor calls its order of that number."""

    def paid(self, order_id: str, total: str) -> Event:
        """An order of this total, in major units, was paid; the vendor knows it from now on."""

    def refunded(self, order_id: str, refund_id: str, amount: str) -> Event:
        """Part of an order was given back."""

    def coupons(self) -> Mapping[str, Discount]:
        """The coupons that were made, by code, with what each takes off, and under which id."""


CAN_LACK = {
    "webhook": "nothing comes by webhook",
    "signature": "webhooks are not signed",
    "signed_body": "what proves a webhook does not depend on its body",
    "batches": "a webhook tells one event",
    "unknown": "there are no kinds of events",
    "broken": "an event has no form that it could lose",
    "receipts": "nothing is told of a message afterwards",
    "edits": "a message that was sent stays as it is",
    "asks_phone": "no button shares the guest's own number",
    "pictures": "a message can't show a picture",
    "splitting": "a text of any length is one message",
    "provider": "there is no API that could fail",
    "retry_after": "a refusal never says how long to wait",
    "gone": "a guest who is gone is not told apart",
    "uncertainty": "a call that is repeated has one effect",
    "credentials": "there are none to check",
    "fetch": "webhooks tell everything: nothing is fetched",
    "poll": "nothing is polled",
    "refunds": "nobody is told of refunds",
    "coupons": "there are no coupons to be asked for",
}
"""What a vendor's side may lack, and what that means."""

REFUSALS = {
    "too_many": "the limit is reached, try again later",
    "down": "the vendor's own fault, try again",
    "final": "this call will never be taken",
    "gone": "the guest has left",
    "unauthorized": "our credentials are wrong",
}
"""What an answer of the API may mean."""


def provider_of(vendor: Any) -> Provider:
    """What a vendor's side is made with, not yet started."""
    made: Provider = getattr(vendor, "simulator", Provider)()
    return made
