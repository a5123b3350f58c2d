"""Every script of tests/dialogs on WhatsApp: a whole Malva, the real adapter, simulated Twilio."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from channels.whatsapp import WhatsApp
from tests.simulators.twilio import TwilioSimulator
from tests.support.dialogs import Dialog, play, prepare, scripts
from tests.support.running import run
from tests.support.whatsapp_chat import WhatsAppChat, house

pytestmark = pytest.mark.anyio

NOT_TOLD = "registration: the messenger's own language comes first"
"""WhatsApp tells no language."""


@pytest.fixture(scope="module")
def twilio() -> Iterator[TwilioSimulator]:
    with TwilioSimulator() as simulator:
        yield simulator


async def converse(url: str, twilio: TwilioSimulator, dialog: Dialog, language: str) -> None:
    with run(url, house(twilio), cafes=()) as malva:
        twilio.webhook(f"{malva.url}/channels/whatsapp/webhook")
        malva.database.write_now(prepare, dialog, language, malva.keys, malva.clock())
        await play(dialog, language, WhatsAppChat(malva, twilio, dialog.messenger.get("name")))


def fits(dialog: Dialog) -> bool:
    return dialog.fits(WhatsApp.capabilities) and dialog.name != NOT_TOLD


@pytest.mark.parametrize(("dialog", "language"), scripts(fits))
async def test_on_whatsapp(
    sqlite_url: str, twilio: TwilioSimulator, dialog: Dialog, language: str
) -> None:
    await converse(sqlite_url, twilio, dialog, language)
