"""Every script of tests/dialogs on Viber: a whole Malva, the real adapter, a simulated Viber.

Then with what goes wrong between the two in the middle of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from channels.viber import Viber
from tests.simulators.viber import ViberSimulator
from tests.support.dialogs import Dialog, five_taps, play, prepare, scripts
from tests.support.viber_chat import ViberChat
from tests.viber.around import serving

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def viber() -> Iterator[ViberSimulator]:
    with ViberSimulator() as simulator:
        yield simulator


async def converse(url: str, viber: ViberSimulator, dialog: Dialog, language: str) -> None:
    with serving(url, viber, cafes=()) as malva:
        malva.database.write_now(prepare, dialog, language, malva.keys, malva.clock())
        viber.wait_registered(malva.url)
        chat = ViberChat(malva, viber, dialog.messenger.get("name"), language)
        await play(dialog, language, chat)
        assert [message for message in chat.guest.everything if message.failed] == []


def fits(dialog: Dialog) -> bool:
    return dialog.fits(Viber.capabilities)


@pytest.mark.parametrize(("dialog", "language"), scripts(fits))
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


async def test_a_registration_in_which_everything_goes_wrong(
    sqlite_url: str, viber: ViberSimulator
) -> None:
    dialog, language = five_taps(), "ru"
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
