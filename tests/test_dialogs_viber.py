"""Every script of tests/dialogs on Viber: a whole Malva, the real adapter, a simulated Viber.

Then with what goes wrong between the two in the middle of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import pytest
import sqlalchemy as sa

from channels.viber import Viber
from channels.viber.render import PRESSED
from core.i18n import LANGUAGES
from core.services.messages import ANSWER, NOTIFICATION
from core.storage.tables import messages
from core.testkit.running import Running
from tests.end_to_end.around import eventually
from tests.simulators.viber import ViberSimulator
from tests.simulators.viber_guests import Message
from tests.support.dialogs import Dialog, Heard, dialogs, play, prepare
from tests.viber.around import serving

pytestmark = pytest.mark.anyio

WRITTEN_OUT = re.compile(r"\n\n(?P<label>[^\n]+): \w+://\S+(?=\n\n|$)")


@pytest.fixture(scope="module")
def viber() -> Iterator[ViberSimulator]:
    with ViberSimulator() as simulator:
        yield simulator


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
        return as_heard(without_repeats(new))

    def all_is_said(self) -> bool:
        on_the_way = sa.select(sa.func.count()).where(
            messages.c.status.in_(["queued", "sending"]),
            messages.c.lane.in_([ANSWER, NOTIFICATION]),
        )
        return self.malva.database.read_now(lambda tx: tx.scalar(on_the_way)) == 0


def without_repeats(new: Sequence[Message]) -> list[Message]:
    """A message whose sending got no answer is sent again: the guest may see it twice."""

    def shown(message: Message) -> object:
        return message.text.partition("\n")[0], message.labels  # a card says how long it is good

    return [m for n, m in enumerate(new) if n == 0 or shown(m) != shown(new[n - 1])]


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


async def converse(url: str, viber: ViberSimulator, dialog: Dialog, language: str) -> None:
    with serving(url, viber, cafes=()) as malva:
        malva.database.write_now(prepare, dialog, language, malva.keys, malva.clock())
        viber.wait_registered(malva.url)
        chat = ViberChat(malva, viber, dialog.messenger.get("name"), language)
        await play(dialog, language, chat)
        assert [message for message in chat.guest.everything if message.failed] == []


SCRIPTS = [
    pytest.param(dialog, language, id=f"{dialog.name} [{language}]")
    for dialog in dialogs()
    if dialog.fits(Viber.capabilities)
    for language in dialog.languages
]


@pytest.mark.parametrize(("dialog", "language"), SCRIPTS)
async def test_on_viber(
    sqlite_url: str, viber: ViberSimulator, dialog: Dialog, language: str
) -> None:
    await converse(sqlite_url, viber, dialog, language)


# -- and what goes wrong ---------------------------------------------------------------------------


def repeated(viber: ViberSimulator) -> None:
    viber.copies = 3


TROUBLES = [
    repeated,
    lambda viber: viber.fail("send_message", 502, html=True),
    lambda viber: viber.drop_answer("send_message"),
    lambda viber: viber.reset("send_message"),
    lambda viber: viber.refuse(12),
    lambda viber: viber.fail("send_message", 200, html=True),
    lambda viber: viber.fail("send_message", 429, retry_after=1),
]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_registration_in_which_everything_goes_wrong(
    sqlite_url: str, viber: ViberSimulator, language: str
) -> None:
    (dialog,) = [
        one for one in dialogs() if one.name.endswith("a card in five taps, the phone shared")
    ]
    with serving(sqlite_url, viber, cafes=()) as malva:
        malva.database.write_now(prepare, dialog, language, malva.keys, malva.clock())
        viber.wait_registered(malva.url)
        chat = ViberChat(malva, viber, dialog.messenger.get("name"), language)
        chat.troubles = list(TROUBLES)
        try:
            await play(dialog, language, chat)
        finally:
            viber.copies = 1
            viber.heal()
    assert chat.troubles == []
