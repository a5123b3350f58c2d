"""Every script of tests/dialogs on the web chat: a whole Malva, the real adapter over HTTP.

Those aside in which a messenger tells a name, shares a number, sends pictures or is left: a page in
a browser does none of it.
"""

from __future__ import annotations

import pytest

from channels.webchat import WebChat
from tests.end_to_end.around import plugins
from tests.support.dialogs import Dialog, play, prepare, scripts
from tests.support.running import run
from tests.support.web_chat import WebChatChat

pytestmark = pytest.mark.anyio

NOT_HERE = {"share", "share_other", "send", "leave", "come_back"}


def fits(dialog: Dialog) -> bool:
    told = dialog.messenger or any(NOT_HERE & step.keys() for step in dialog.steps)
    return dialog.fits(WebChat.capabilities) and not told


@pytest.mark.parametrize(("dialog", "language"), scripts(fits))
async def test_on_the_web_chat(sqlite_url: str, dialog: Dialog, language: str) -> None:
    with run(sqlite_url, plugins(), cafes=()) as malva:
        malva.database.write_now(prepare, dialog, language, malva.keys, malva.clock())
        chat = WebChatChat(malva, language)
        with chat.visitor:
            await play(dialog, language, chat)
