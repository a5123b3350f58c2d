"""A channel on trial: what its guests do, and what they see."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from core.contract import Delivery, Option, Outbound, Picture, SendError, Sent
from core.outbox.render import media_address
from core.pictures import draw
from core.services import messages as outbox
from core.storage.tables import contacts, messages
from core.testkit.trial import Alone, Trial, eventually
from core.testkit.vendors import ChannelVendor, Event

DIGITS = re.compile(r"\b\d{3} \d{3}\b")
"""A card's code, as it is written."""
TO_THE_CARD = 8
"""So many steps a guest takes at most."""


class ChannelTrial(Trial[ChannelVendor]):
    kind = "channels"
    path = "/channels/{name}/webhook"

    @staticmethod
    def table(vendor: Any) -> str:
        return str(vendor.table())

    def guest(self) -> str:
        """Somebody new."""
        return self.vendor.guest(self.number())

    def event(self) -> Event:
        return self.vendor.says(self.guest(), "hi", self.number())

    def effects(self) -> int:
        """Answers to guests, of which a first word gets one."""
        asked = sa.select(sa.func.count()).where(messages.c.kind != "said")
        return self.malva.database.read_now(lambda tx: tx.scalar(asked)) or 0

    # -- talking -------------------------------------------------------------------------------

    def hears(self, guest: str, text: str = "hi") -> Sequence[Outbound]:
        """What the guest sees new after having said something."""
        return self.after(guest, lambda: self.tell(self.vendor.says(guest, text, self.number())))

    def after(self, guest: str, act: Callable[[], object]) -> Sequence[Outbound]:
        """What the guest sees new once what was done is answered."""
        before = len(self.vendor.seen(guest))
        status = act()
        assert status == 200, f"the webhook was answered {status}"
        self.wait_until_quiet(guest)
        return self.vendor.seen(guest)[before:]

    def presses(self, guest: str, label: str) -> Sequence[Outbound]:
        """The newest option that is called so."""
        found = [o for m in self.vendor.seen(guest) for o in options(m) if o.label == label]
        assert found, f"there is no {label!r}:\n{self.transcript(guest)}"
        event = self.vendor.presses(guest, found[-1], self.number())
        return self.after(guest, lambda: self.tell(event))

    def joins(self, guest: str) -> Outbound:
        """The guest registers, in English; the card."""
        new = self.hears(guest)
        for _ in range(TO_THE_CARD):
            if card := next((message for message in new if DIGITS.search(message.text)), None):
                return card
            labels = [option.label for message in new for option in options(message)]
            known = next((label for label in ("English", "Skip") if label in labels), None)
            new = self.presses(guest, known) if known else self.hears(guest, "Ana")
        raise AssertionError(f"no card:\n{self.transcript(guest)}")

    def transcript(self, guest: str) -> str:
        seen = self.vendor.seen(guest)
        return "\n".join(f"{m.text!r} {[o.label for o in options(m)]}" for m in seen) or "(nothing)"

    # -- looking -------------------------------------------------------------------------------

    def wait_until_quiet(self, guest: str) -> None:
        """Until nothing that the guest waits for is on its way."""
        eventually(lambda: not self.on_the_way(guest), what=f"quiet:\n{self.transcript(guest)}")

    def on_the_way(self, guest: str) -> int:
        return sum(row.status in ("queued", "sending") for row in self.rows(guest))

    def rows(self, guest: str) -> Sequence[sa.Row[Any]]:
        """The guest's answers in the outbox, oldest first."""
        asked = (
            sa.select(messages.c.id, messages.c.status, messages.c.provider_id)
            .join(contacts, contacts.c.id == messages.c.contact_id)
            .where(contacts.c.channel == self.vendor.name, contacts.c.address == guest)
            .where(messages.c.lane.in_([outbox.ANSWER, outbox.NOTIFICATION]))
            .where(messages.c.kind != "said")
            .order_by(messages.c.id)
        )
        return self.malva.database.read_now(lambda tx: tx.execute(asked).all())

    # -- handing over --------------------------------------------------------------------------

    def shows(self, message: Outbound, guest: str | None = None) -> Sequence[Outbound]:
        """What a guest sees of a message that is handed over: by the adapter alone, or from the
        outbox where storing is sending."""
        guest = guest or self.guest()
        if "provider" in self.vendor.lacks:
            return self._stored(message, guest)
        before = len(self.vendor.seen(guest))
        with self.alone() as alone:
            self.hand_over(alone, guest, message)
        return self.vendor.seen(guest)[before:]

    def _stored(self, message: Outbound, guest: str) -> Sequence[Outbound]:
        self.hears(guest)

        def put(tx: Any) -> None:
            contact = sa.select(contacts.c.id).where(contacts.c.address == guest)
            outbox.put(
                tx,
                contact_id=tx.scalar(contact),
                channel=self.vendor.name,
                lane=outbox.ANSWER,
                kind="reply",
                body=outbox.to_json(message),
                now=self.malva.clock(),
            )

        def commit() -> int:
            self.malva.database.write_now(put)
            return 200

        return self.after(guest, commit)

    def hand_over(
        self, alone: Alone, guest: str, message: Outbound, replaces: str | None = None
    ) -> Sent:
        sent: Sent = alone.run(
            alone.adapter.send(Delivery(self.number(), guest, message, replaces))
        )
        return sent

    def attempt(self, alone: Alone, guest: str) -> Sent | SendError:
        """What handing over ends with; any other error is the adapter's fault."""
        try:
            return self.hand_over(alone, guest, Outbound(text="Hello"))
        except SendError as error:
            return error

    def picture(self, text: str) -> Picture:
        """A QR of this text, which providers may fetch."""
        url = media_address(text, self.malva.keys, self.malva.url)
        return Picture(draw(text), f"a code: {text}", url)


def options(message: Outbound) -> list[Option]:
    return [option for row in message.options for option in row]
