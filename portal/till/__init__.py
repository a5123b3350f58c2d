"""`/till`: the cashier's page, in a browser that is bound to a till. `door.py` is who is let in."""

from __future__ import annotations

from starlette.routing import BaseRoute

from portal.frame import Frame
from portal.till.counter import CounterRoom
from portal.till.door import TillOffice
from portal.till.live import LiveRoom
from portal.till.password import PasswordRoom
from portal.till.purchase import PurchaseRoom
from portal.till.redemptions import RedemptionsRoom
from portal.till.sign_in import SignInRoom

ROOMS = (SignInRoom, PasswordRoom, CounterRoom, PurchaseRoom, RedemptionsRoom, LiveRoom)
"""Under /till."""


def routes(frame: Frame) -> list[BaseRoute]:
    office = TillOffice(frame)
    return [route for room in ROOMS for route in room(office).routes()]
