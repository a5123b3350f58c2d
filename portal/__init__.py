"""Malva's own pages: how to join, the guest's live card, the privacy notice, the demo.

A plugin like any other, but built in: it may know core's services besides `malva`. A page group is
a file; `frame.py` has what they share.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute

import malva
from core.services.desk import Desk
from portal.card import CardPage
from portal.demo import DemoPage
from portal.frame import Frame
from portal.join import JoinPage
from portal.media import Media
from portal.privacy import PrivacyPage

CONTRACT = 1


class Settings(malva.Settings):
    """It needs none."""


@malva.hookimpl
def pages(settings: Settings, gateway: malva.Gateway, services: Desk) -> Sequence[BaseRoute]:
    frame = Frame(gateway, services)
    join = JoinPage(frame)
    front = DemoPage(frame, services.demo, join) if services.demo else join
    rest = (CardPage(frame), PrivacyPage(frame), Media(frame))
    return [
        *frame.routes(),
        *front.routes(),
        *(route for page in rest for route in page.routes()),
    ]
