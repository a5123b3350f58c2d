"""A bot and its chats: the adapter alone beside a simulated Bot API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from aiogram import Bot  # whole, before the adapter imports it lean: the simulator asks for more

from channels.telegram import Telegram
from core.testkit.gateway import ImpatientWire, OneGateway
from tests.simulators.telegram import TelegramSimulator
from tests.simulators.telegram_chats import Guest
from tests.telegram.around import bot

assert Bot


@pytest.fixture
def telegram() -> Iterator[TelegramSimulator]:
    with TelegramSimulator() as simulator:
        yield simulator


@pytest.fixture
async def gateway() -> AsyncIterator[OneGateway]:
    wire = ImpatientWire()
    yield OneGateway("telegram", wire)
    await wire.close()


@pytest.fixture
async def channel(telegram: TelegramSimulator, gateway: OneGateway) -> Telegram:
    return bot(telegram, gateway)


@pytest.fixture
def ana(telegram: TelegramSimulator) -> Guest:
    """Has written to the bot before."""
    guest = telegram.guest(first_name="Ana", last_name="M.", language_code="sr")
    guest.write(guest.user, "text", "/start", quiet=True)
    return guest
