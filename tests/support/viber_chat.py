"""A guest on a simulated Viber whom scripts (tests/support/dialogs.py) can be played with."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from channels.viber import Viber
from channels.viber.render import PRESSED
from tests.end_to_end.around import eventually
from tests.simulators.viber import ViberSimulator
from tests.simulators.viber_guests import Message
from tests.support.dialogs import Heard, all_is_said, without_repeats
from tests.support.running import Running

WRITTEN_OUT = re.compile(r"\n\n(?P<label>[^\n]+): \w+://\S+(?=\n\n|$)")


class ViberChat:
    """`tests.support.dialogs.Chat` of a guest on Viber."""

    capabilities = Viber.capabilities
    speaks_first = None

    def __init__(
        self, malva: Running, viber: ViberSimulator, name: str | None, language: str
    ) -> None:
        self.malva = malva
        self.database = malva.database
        self.viber = viber
        self.guest = viber.guest(name or "", language=language)
        self.seen = 0
        self.troubles: list[Callable[[ViberSimulator], object]] = []
        """What goes wrong with each thing that the guest does, one after the other."""

    async def start(self, payload: str) -> None:
        self.act(lambda: self.guest.opens(payload or None))

    async def say(self, text: str) -> None:
        self.act(lambda: self.guest.says(text))

    async def press(self, label: str) -> None:
        """Also where another keyboard has come since."""
        shown = [message for message in self.guest.messages if label in message.labels]
        assert shown, f"no button {label!r}\n{self.guest.transcript()}"
        self.act(lambda: self.guest.press(shown[-1].button(label)))

    async def old(self, value: str) -> None:
        self.act(lambda: self.guest.writes("text", text=PRESSED + value, silent=True))

    async def share(self, phone: str, own: bool) -> None:
        if not own:
            self.act(lambda: self.guest.shares_contact(phone, "Somebody"))
            return
        self.guest.phone = phone
        asked = [m for m in self.guest.messages if m.labelled("share-phone")]
        await self.press(asked[-1].labelled("share-phone")[0])

    async def send(self, what: str) -> None:
        self.act(self.guest.sends_sticker)

    async def leave(self) -> None:
        self.act(self.guest.unsubscribes)

    async def come_back(self) -> None:
        self.act(self.guest.subscribes)

    def act(self, act: Callable[[], str]) -> None:
        if self.troubles:
            self.troubles.pop(0)(self.viber)
        self.viber.wait_answered(act())
        eventually(self.all_is_said, what=f"an answer\n{self.guest.transcript()}")

    async def heard(self) -> list[Heard]:
        new = [message for message in self.guest.messages if message.revision > self.seen]
        self.seen = max([self.seen, *(message.revision for message in new)])
        return as_heard(without_repeats(new, lambda message: message.labels))

    def all_is_said(self) -> bool:
        return all_is_said(self.database)


def as_heard(new: Sequence[Message]) -> list[Heard]:
    """Messages as the scripts speak of them."""
    return [
        Heard(
            text=WRITTEN_OUT.sub("", message.text),
            options=tuple(message.labelled("reply")),
            links=(
                *message.labelled("open-url"),
                *(found["label"] for found in WRITTEN_OUT.finditer(message.text)),
            ),
            asks_phone=bool(message.labelled("share-phone")),
            card=message.picture is not None,
        )
        for message in new
    ]
