"""aiogram at a fraction of its price, in processes where nobody has imported it whole."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent


def in_a_process_of_its_own(program: str, *arguments: str) -> None:
    run = [sys.executable, "-c", dedent(program), *arguments]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_aiogram_s_types_are_built_when_they_are_used():
    in_a_process_of_its_own(
        """
        from pydantic import BaseModel
        from channels.telegram.lean import methods, types

        def models_of(module):
            found = [getattr(module, name) for name in module.__all__]
            return [m for m in found if isinstance(m, type) and issubclass(m, BaseModel)]

        def is_built(model):
            return model.__pydantic_complete__

        models = models_of(types) + models_of(methods)
        assert len(models) > 500
        assert sum(map(is_built, models_of(types))) < 10, "they are left until they are used"
        types.Chat(id=1, type="private")
        assert is_built(types.Chat)

        class Ours(BaseModel):
            later: "Later | None" = None

        class Later(BaseModel):
            x: int

        assert Ours.model_rebuild(), "other models are built as ever"
        some = models[::20]
        for model in some:
            model.model_rebuild()
        assert all(map(is_built, some)), "and whatever is used builds itself"
        """
    )


def test_the_adapter_works_with_an_aiogram_that_is_imported_lean(telegram, ana):
    telegram.fail("sendMessage", 429, retry_after=3)
    ana.shares_contact("+381601234567")
    telegram.push_callback(ana, ana.everything[0], "a")
    ana.edits("not for us", ana.everything[0])
    ana.says("hello")
    in_a_process_of_its_own(
        """
        import asyncio, sys
        from contextlib import suppress
        from channels.telegram import Settings, Telegram
        from core.contract import Delivery, Link, Option, Outbound, Picture, SendError
        from core.pictures import draw
        from core.wire import Wire
        from core.testkit.gateway import OneGateway

        url, token, chat = sys.argv[1:]
        options = ((Option("a", "One"),),)
        links = (Link("L", "https://malva.example/x"), Link("A", "https://malva.example", app=True))
        card = Outbound(text="card", picture=Picture(draw("x"), "x"), options=options, links=links)
        plain = [
            Outbound(text="x " * 3000, options=options, links=links),
            Outbound(text="menu", options=options, menu=True),
            Outbound(text="phone", options=options, ask_phone="Share"),
        ]

        async def main():
            wire = Wire()
            gateway = OneGateway("telegram", wire)
            channel = Telegram(Settings(token=token, api_base=url), gateway)
            with suppress(SendError):
                await channel.send(Delivery(1, chat, plain[0]))
                sys.exit("sent in spite of a 429")
            for message in plain:
                await channel.send(Delivery(1, chat, message))
            sent = await channel.send(Delivery(1, chat, card))
            for message in (card, Outbound(text="over", options=options)):
                await channel.send(Delivery(1, chat, message, replaces=sent.provider_id))
            work = asyncio.create_task(channel.run())
            while len(gateway.received) < 3:
                await asyncio.sleep(0.01)
            await channel.acknowledge(gateway.received[1])
            assert (await channel.check())[0].level == "ok"
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await wire.close()

        asyncio.run(main())
        """,
        telegram.url,
        telegram.token,
        str(ana.id),
    )
