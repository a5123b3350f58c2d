"""Malva's own pages: how to join, the guest's live card, the owner's portal, privacy, the demo.

A plugin like any other, but built in: it may know core's services besides `malva`. A page group is
a file; `frame.py` has what they share.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute

import malva
from core.services.desk import Desk
from portal.account import AccountRoom
from portal.bonuses import BonusesRoom
from portal.card import CardPage
from portal.card_door import CardDoor
from portal.demo import DemoPage
from portal.employees import EmployeesRoom
from portal.frame import Frame
from portal.home import HomeRoom
from portal.join import JoinPage
from portal.log import LogRoom
from portal.media import Media
from portal.office import Office
from portal.pictures import Pictures
from portal.privacy import PrivacyPage
from portal.products import ProductsRoom
from portal.programme import ProgrammeRoom
from portal.rewards import RewardsRoom
from portal.sharing import SharingRoom
from portal.sign_in import SignInRoom
from portal.till import routes as till_routes
from portal.tills import TillsRoom

CONTRACT = 1

ROOMS = (
    SignInRoom,
    HomeRoom,
    ProgrammeRoom,
    SharingRoom,
    ProductsRoom,
    RewardsRoom,
    BonusesRoom,
    EmployeesRoom,
    TillsRoom,
    LogRoom,
    AccountRoom,
)
"""Under /portal."""


class Settings(malva.Settings):
    """It needs none."""


@malva.hookimpl
def pages(settings: Settings, gateway: malva.Gateway, services: Desk) -> Sequence[BaseRoute]:
    frame = Frame(gateway, services)
    join = JoinPage(frame)
    front = DemoPage(frame, services.demo, join) if services.demo else join
    office = Office(frame)
    rest = (
        CardDoor(frame),
        CardPage(frame),
        PrivacyPage(frame),
        Media(frame),
        Pictures(frame),
        *(room(office) for room in ROOMS),
    )
    return [
        *frame.routes(),
        *front.routes(),
        *till_routes(frame),
        *(route for page in rest for route in page.routes()),
    ]
