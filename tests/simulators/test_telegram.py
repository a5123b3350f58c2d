"""The simulated Bot API, asked by aiogram's own client and types."""

import asyncio
import json
import time
import zlib
from collections.abc import AsyncIterator, Iterator
from struct import pack

import aiohttp
import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.types import (
    BotCommand,
    BotCommandScopeAllPrivateChats,
    BufferedInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    KeyboardButton,
    MenuButtonWebApp,
    ReplyKeyboardMarkup,
    ReplyKeyboardRemove,
    Update,
    WebAppInfo,
)
from aiogram.utils.web_app import safe_parse_webapp_init_data
from aiohttp import web

from tests.simulators.telegram import TelegramSimulator
from tests.simulators.telegram_chats import Guest

pytestmark = pytest.mark.anyio


def png(width: int = 8, height: int = 8) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress((b"\0" + b"\0" * width) * height))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")


def inline(**button: str) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(**button)]])


@pytest.fixture
def telegram() -> Iterator[TelegramSimulator]:
    with TelegramSimulator() as simulator:
        yield simulator


@pytest.fixture
def guest(telegram: TelegramSimulator) -> Guest:
    guest = telegram.guest(first_name="Ana", language_code="sr", phone="+381601234567")
    guest.starts()
    return guest


@pytest.fixture
async def bot(telegram: TelegramSimulator) -> AsyncIterator[Bot]:
    async with client(telegram.url, telegram.token) as bot:
        yield bot


class Session(AiohttpSession):
    async def close(self) -> None:
        """As aiogram's own, less the quarter of a second that it gives TLS."""
        if self._session is not None:
            await self._session.close()


def client(url: str, token: str) -> Bot:
    return Bot(token, session=Session(api=TelegramAPIServer.from_base(url), timeout=2))


async def test_it_knows_its_bot_and_no_other(telegram: TelegramSimulator, bot: Bot) -> None:
    assert (await bot.get_me()).username == "malva_test_bot"
    async with client(telegram.url, "123456:AAA-another") as stranger:
        with pytest.raises(TelegramUnauthorizedError, match="Unauthorized"):
            await stranger.get_me()
    async with aiohttp.ClientSession() as http, http.get(f"{telegram.url}/botnone/getMe") as answer:
        assert answer.status == 404


async def test_updates_are_polled_and_confirmed_by_the_offset(
    telegram: TelegramSimulator, bot: Bot
) -> None:
    guest = telegram.guest(first_name="Ana", language_code="sr", username="ana")
    guest.starts("cafe_bife")
    (first,) = await bot.get_updates()
    assert first.message
    assert first.message.text == "/start cafe_bife"
    assert first.message.from_user
    assert first.message.from_user.language_code == "sr"
    assert await bot.get_updates() == [first]  # not confirmed yet
    waiting = asyncio.create_task(bot.get_updates(offset=first.update_id + 1, timeout=20))
    await asyncio.sleep(0.1)
    guest.says("hi")
    (second,) = await waiting
    assert second.message
    assert second.message.text == "hi"


async def test_every_kind_of_update_is_one_that_aiogram_reads(
    telegram: TelegramSimulator, bot: Bot, guest: Guest
) -> None:
    guest.shares_contact()
    guest.shares_contact("+381609999999", own=False, user_id=42)
    guest.sends_sticker()
    guest.sends_photo("look")
    guest.sends_voice()
    guest.sends_location()
    guest.edits("/menu", guest.says("/help me"))
    guest.presses_data("x", guest.everything[0])
    guest.blocks()
    guest.unblocks()
    group = telegram.group(title="Regulars")
    group.adds_bot(guest)
    group.says(guest, "hello all")
    telegram.push({"message_reaction": {}})  # not among what a bot gets unasked
    updates = await bot.get_updates()
    kinds = [update.event_type for update in updates]
    assert kinds[-8:] == [
        "message",
        "edited_message",
        "callback_query",
        *["my_chat_member"] * 3,
        "message",
        "message",
    ]
    own, other = updates[1].message, updates[2].message
    assert own
    assert own.contact
    assert own.contact.user_id == guest.id
    assert other
    assert other.contact
    assert other.contact.user_id == 42
    await bot.leave_chat(group.id)
    with pytest.raises(TelegramForbiddenError, match="not a member"):
        await bot.send_message(group.id, "bye")


async def test_only_one_poll_at_a_time_and_none_beside_a_webhook(
    telegram: TelegramSimulator, bot: Bot
) -> None:
    waiting = asyncio.create_task(bot.get_updates(timeout=20))
    await asyncio.sleep(0.1)
    assert await bot.get_updates() == []
    with pytest.raises(TelegramConflictError, match="terminated by other getUpdates"):
        await waiting
    await bot.set_webhook("https://malva.example/channels/telegram/webhook")
    with pytest.raises(TelegramConflictError, match="use deleteWebhook"):
        await bot.get_updates()


class Receiver:
    """A webhook that answers as told, then with 200."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.got: list[tuple[str, Update]] = []
        self.hold = 0.0

    async def handle(self, request: web.Request) -> web.Response:
        update = Update.model_validate(await request.json())
        self.got.append((request.headers["X-Telegram-Bot-Api-Secret-Token"], update))
        hold, self.hold = self.hold, 0.0
        await asyncio.sleep(hold)
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    @property
    def texts(self) -> list[str | None]:
        return [update.message.text for _, update in self.got if update.message]


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[Receiver, str]]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield receiver, f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    await runner.cleanup()


async def test_a_webhook_gets_updates_until_it_takes_them(
    telegram: TelegramSimulator, bot: Bot, guest: Guest, receiver: tuple[Receiver, str]
) -> None:
    hook, url = receiver
    hook.answers = [500, 503]
    await bot.set_webhook(url, secret_token="s3cret", drop_pending_updates=True)
    assert (await bot.get_webhook_info()).url == url
    telegram.updates.patience = 0.3
    guest.says("one")
    await telegram.wait_until_async(lambda: not telegram.updates.pending)
    hook.hold = 1.0  # longer than the patience
    guest.says("two")
    await telegram.wait_until_async(lambda: not telegram.updates.pending)
    assert hook.texts == ["one", "one", "one", "two", "two"]
    assert {secret for secret, _ in hook.got} == {"s3cret"}
    with telegram.duplicated():
        guest.says("three")
    with telegram.out_of_order():
        guest.says("four")
        guest.says("five")
    await telegram.wait_until_async(lambda: not telegram.updates.pending)
    assert hook.texts[5:] == ["three", "three", "five", "four"]
    with pytest.raises(TelegramBadRequest, match="HTTPS URL must be provided"):
        await bot.set_webhook("http://malva.example/hook")


async def test_a_message_is_edited_and_its_buttons_work(bot: Bot, guest: Guest) -> None:
    yes = inline(text="Yes", callback_data="yes")
    written = " Hi <b>Ana</b> &lt;3"
    sent = await bot.send_message(guest.id, written, parse_mode="HTML", reply_markup=yes)
    assert sent.text == "Hi Ana <3"
    assert sent.entities
    assert sent.entities[0].type == "bold"
    assert guest.last.text == "Hi Ana <3"
    assert guest.last.buttons == ["Yes"]
    press = guest.presses("Yes")
    query = (await bot.get_updates())[-1].callback_query
    assert query
    assert query.data == "yes"
    assert query.message
    await bot.answer_callback_query(query.id, "Thanks")
    assert press.answer
    assert press.answer["text"] == "Thanks"
    with pytest.raises(TelegramBadRequest, match="query is too old"):
        await bot.answer_callback_query(query.id)
    edited = await bot.edit_message_text("Bye", chat_id=guest.id, message_id=sent.message_id)
    assert edited is not True
    assert edited.edit_date
    assert (guest.last.text, guest.last.buttons, guest.last.edits) == ("Bye", [], 1)
    with pytest.raises(TelegramBadRequest, match="message is not modified"):
        await bot.edit_message_text("Bye", chat_id=guest.id, message_id=sent.message_id)
    with pytest.raises(TelegramBadRequest, match="no caption in the message"):
        await bot.edit_message_caption(chat_id=guest.id, message_id=sent.message_id, caption="x")
    await bot.delete_message(guest.id, sent.message_id)
    assert guest.messages == []


async def test_a_photo_keeps_its_bytes_and_is_renewed_in_place(bot: Bot, guest: Guest) -> None:
    first, second = png(8), png(9)
    card = BufferedInputFile(first, "card.png")
    button = inline(text="Menu", callback_data="menu")
    sent = await bot.send_photo(guest.id, card, caption="123 456", reply_markup=button)
    assert sent.photo
    assert guest.last.photo == first
    assert guest.last.kind == "photo"
    media = InputMediaPhoto(media=BufferedInputFile(second, "card.png"), caption="654 321")
    await bot.edit_message_media(media, chat_id=guest.id, message_id=sent.message_id)
    assert guest.last.photo == second
    assert guest.last.caption == "654 321"
    assert guest.last.buttons == []
    await bot.send_photo(guest.id, sent.photo[0].file_id)
    assert guest.last.photo == first
    with pytest.raises(TelegramBadRequest, match="IMAGE_PROCESS_FAILED"):
        await bot.send_photo(guest.id, BufferedInputFile(b"no picture", "x.png"))


async def test_a_reply_keyboard_asks_for_the_phone(bot: Bot, guest: Guest) -> None:
    rows = [[KeyboardButton(text="Share", request_contact=True)], [KeyboardButton(text="Skip")]]
    await bot.send_message(guest.id, "Phone?", reply_markup=ReplyKeyboardMarkup(keyboard=rows))
    assert guest.last.rows == [["Share"], ["Skip"]]
    guest.presses("Share")
    guest.presses("Skip")
    shared, skipped = (update.message for update in (await bot.get_updates())[-2:])
    assert shared
    assert shared.contact
    assert shared.contact.user_id == guest.id
    assert shared.reply_to_message
    assert shared.reply_to_message.text == "Phone?"
    assert skipped
    assert skipped.text == "Skip"
    await bot.send_message(guest.id, "Thanks", reply_markup=ReplyKeyboardRemove())
    with pytest.raises(AssertionError, match="sees no button"):
        guest.presses("Skip")


REFUSED = {
    "message text is empty": {"text": ""},
    "message is too long": {"text": "x" * 4097},
    "can't parse entities: Unsupported start tag": {"text": "a <c> b", "parse_mode": "HTML"},
    "can't parse entities: Can't find end tag": {"text": "<b>a", "parse_mode": "HTML"},
    "BUTTON_DATA_INVALID": {"reply_markup": inline(text="a", callback_data="я" * 33)},
    "URL 'happ://x.y' is invalid: Unsupported": {
        "reply_markup": inline(text="a", url="happ://x.y")
    },
    "is invalid: Wrong HTTP URL": {"reply_markup": inline(text="a", url="http://localhost:8000")},
    "Only HTTPS links are allowed": {
        "reply_markup": inline(text="a", web_app={"url": "http://a.b"})
    },
    "button text must be non-empty": {"reply_markup": inline(text="", callback_data="a")},
    "Text buttons are unallowed": {"reply_markup": inline(text="a")},
    "chat not found": {"chat_id": 1},
}


@pytest.mark.parametrize("reason", REFUSED)
async def test_what_the_vendor_refuses_is_refused(bot: Bot, guest: Guest, reason: str) -> None:
    with pytest.raises(TelegramBadRequest) as refused:
        await bot.send_message(**{"chat_id": guest.id, "text": "Hi", **REFUSED[reason]})
    assert reason in str(refused.value)
    assert guest.messages == []


async def test_nobody_is_written_to_before_they_start_or_after_they_block(
    telegram: TelegramSimulator, bot: Bot, guest: Guest
) -> None:
    silent = telegram.guest(first_name="Ivan")
    with pytest.raises(TelegramBadRequest, match="chat not found"):
        await bot.send_message(silent.id, "Hi")
    guest.blocks()
    with pytest.raises(TelegramForbiddenError, match="bot was blocked by the user"):
        await bot.send_message(guest.id, "Hi")
    guest.starts()
    await bot.send_message(guest.id, "Hi")


@pytest.mark.parametrize("shape", ["json", "form", "query"])
async def test_a_body_may_be_json_a_form_or_a_query(
    telegram: TelegramSimulator, guest: Guest, shape: str
) -> None:
    given = {"chat_id": guest.id, "text": "Zdravo, Ана"}
    url = f"{telegram.url}/bot{telegram.token}/sendmessage"  # names know no case
    body = {"json": {"json": given}, "form": {"data": given}, "query": {"params": given}}[shape]
    async with aiohttp.ClientSession() as http, http.post(url, **body) as answer:
        assert (await answer.json())["result"]["text"] == "Zdravo, Ана"
    assert guest.wait_for(text="Ана").silent is False


async def test_faults_come_as_told(telegram: TelegramSimulator, bot: Bot, guest: Guest) -> None:
    telegram.fail("sendMessage", 429, retry_after=2)
    with pytest.raises(TelegramRetryAfter, match="retry after 2") as busy:
        await bot.send_message(guest.id, "one")
    assert busy.value.retry_after == 2
    telegram.fail("send*", 500, when=telegram.to(guest))
    assert await bot.get_me()
    with pytest.raises(TelegramServerError):
        await bot.send_message(guest.id, "two")
    telegram.fail("sendMessage", 502, html=True)
    with pytest.raises(ClientDecodeError):
        await bot.send_message(guest.id, "three")
    telegram.hang("sendMessage")
    with pytest.raises(TelegramNetworkError, match="timeout"):
        await bot.send_message(guest.id, "four", request_timeout=0.2)
    telegram.reset("sendMessage")
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(guest.id, "five")
    assert guest.messages == []
    telegram.drop_answer("sendMessage")
    with pytest.raises(TelegramNetworkError, match="disconnected"):
        await bot.send_message(guest.id, "six")
    assert guest.last.text == "six"
    statuses = [call.status for call in telegram.calls_of("sendMessage")]
    assert statuses == [429, 500, 502, None, None, None]


async def test_flood_limits_allow_a_burst(
    telegram: TelegramSimulator, bot: Bot, guest: Guest
) -> None:
    telegram.limit_floods(per_second=10, burst=2)
    await bot.send_message(guest.id, "one")
    await bot.send_message(guest.id, "two")
    with pytest.raises(TelegramRetryAfter):
        await bot.send_message(guest.id, "three")
    await asyncio.sleep(0.15)
    await bot.send_message(guest.id, "four")


async def test_commands_and_the_menu_button_are_kept(telegram: TelegramSimulator, bot: Bot) -> None:
    everywhere = BotCommandScopeAllPrivateChats()
    commands = [BotCommand(command="card", description="Moja kartica")]
    await bot.set_my_commands(commands, scope=everywhere, language_code="sr")
    (kept,) = await bot.get_my_commands(scope=everywhere, language_code="sr")
    assert (kept.command, kept.description) == ("card", "Moja kartica")
    assert await bot.get_my_commands() == []
    web_app = WebAppInfo(url="https://malva.example/card")
    await bot.set_chat_menu_button(menu_button=MenuButtonWebApp(text="Card", web_app=web_app))
    assert telegram.menu_buttons[0]["text"] == "Card"
    await bot.set_my_description("Loyalty", language_code="en")
    assert (await bot.get_my_description(language_code="en")).description == "Loyalty"
    with pytest.raises(TelegramBadRequest, match="BOT_COMMAND_INVALID"):
        await bot.set_my_commands([BotCommand(command="My card", description="x")])


def test_a_mini_app_gets_signed_data(telegram: TelegramSimulator, guest: Guest) -> None:
    parsed = safe_parse_webapp_init_data(telegram.token, guest.web_app_data())
    assert parsed.user
    assert parsed.user.id == guest.id
    with pytest.raises(ValueError, match="Invalid"):
        safe_parse_webapp_init_data(telegram.token, guest.web_app_data() + "1")


def test_waiting_says_what_there_is_instead(telegram: TelegramSimulator, guest: Guest) -> None:
    started = time.monotonic()
    with pytest.raises(AssertionError, match="/start"):
        guest.wait_for(text="Welcome", timeout=0.1)
    assert time.monotonic() - started < 2
    assert json.dumps(guest.everything[0].as_json())
