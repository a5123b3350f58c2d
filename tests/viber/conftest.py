"""A bot and its chats: the adapter alone beside a simulated Viber."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from channels.viber import Viber
from core.testkit.gateway import ImpatientWire, OneGateway
from tests.simulators.viber import ViberSimulator
from tests.simulators.viber_guests import Guest
from tests.viber.around import bot


@pytest.fixture
def viber() -> Iterator[ViberSimulator]:
    """Its webhook is set, so that messages can be sent; nobody is there to be told of them."""
    with ViberSimulator() as simulator:
        simulator.webhook = "http://127.0.0.1:9/channels/viber/webhook"
        simulator.event_types = {"conversation_started"}
        simulator.tells_names = True
        yield simulator


@pytest.fixture
async def gateway() -> AsyncIterator[OneGateway]:
    wire = ImpatientWire()
    yield OneGateway("viber", wire)
    await wire.close()


@pytest.fixture
async def channel(viber: ViberSimulator, gateway: OneGateway) -> Viber:
    return bot(viber, gateway)


@pytest.fixture
def ana(viber: ViberSimulator) -> Guest:
    """Has written to the bot before."""
    return viber.guest("Ana M.", language="sr", phone="+381601234567", subscribed=True)
