"""How a message looks on Telegram: https://core.telegram.org/bots/api#available-methods

Texts go without `parse_mode`, so markup in a name is shown as it is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import malva
from channels.telegram.lean import MenuButtonType, methods, types
from malva import Outbound

TEXT, CAPTION = 4096, 1024
"""Characters of a message, and of a picture's caption."""

Call = methods.TelegramMethod[Any]
Markup = types.InlineKeyboardMarkup | types.ReplyKeyboardMarkup | None
Options = tuple[tuple[malva.Option, ...], ...]

_NO_PREVIEW = types.LinkPreviewOptions(is_disabled=True)


def calls(delivery: malva.Delivery) -> list[Call]:
    """What shows the message: one call, or several for a text that is too long for one; the first
    is what a later edit is about."""
    chat_id = int(delivery.address)
    text, markup = _text(delivery.message), _markup(delivery.message)
    if delivery.replaces is not None:
        return [_edit(chat_id, int(delivery.replaces), delivery.message.picture, text, markup)]
    first: list[Call] = []
    if delivery.message.picture is not None:
        caption = malva.split_text(text, CAPTION)[0]
        text = text[len(caption) :].strip()
        shown = None if text else markup
        photo = _photo(delivery.message.picture)
        first = [
            methods.SendPhoto(chat_id=chat_id, photo=photo, caption=caption, reply_markup=shown)
        ]
        if not text:
            return first
    *some, last = malva.split_text(text, TEXT)
    return [*first, *(_said(chat_id, part, None) for part in some), _said(chat_id, last, markup)]


def _said(chat_id: int, text: str, markup: Markup) -> Call:
    return methods.SendMessage(
        chat_id=chat_id, text=text, reply_markup=markup, link_preview_options=_NO_PREVIEW
    )


def _edit(
    chat_id: int, message_id: int, picture: malva.Picture | None, text: str, markup: Markup
) -> Call:
    """In the place of an earlier picture: a new one, or only other words below it."""
    inline = markup if isinstance(markup, types.InlineKeyboardMarkup) else None
    caption = malva.split_text(text, CAPTION)[0]
    if picture is None:
        return methods.EditMessageCaption(
            chat_id=chat_id, message_id=message_id, caption=caption, reply_markup=inline
        )
    media = types.InputMediaPhoto(media=_photo(picture), caption=caption)
    return methods.EditMessageMedia(
        chat_id=chat_id, message_id=message_id, media=media, reply_markup=inline
    )


def _photo(picture: malva.Picture) -> types.BufferedInputFile:
    return types.BufferedInputFile(picture.png, "card.png")


def _text(message: Outbound) -> str:
    """Links that can't be buttons are written out."""
    plain = [f"{link.label}: {link.url}" for link in message.links if not _as_button(message, link)]
    return "\n\n".join([message.text, *plain]).strip()


def _as_button(message: Outbound, link: malva.Link) -> bool:
    """A keyboard below the input line has no links at all."""
    return _opens(link.url) and not (message.menu or message.ask_phone)


def _opens(url: str) -> bool:
    """Telegram refuses whatever has a button that opens plain http, or a host without a dot."""
    address = urlsplit(url)
    return address.scheme == "https" and "." in (address.hostname or "")


def _markup(message: Outbound) -> Markup:
    if message.menu or message.ask_phone:
        return _keyboard(message.options, message.ask_phone, message.menu)
    links = [link for link in message.links if _as_button(message, link)]
    if not (links or message.options):
        return None
    rows = [*_buttons(message.options), *([_link(link)] for link in links)]
    return types.InlineKeyboardMarkup(inline_keyboard=rows)


@lru_cache(maxsize=256)
def _keyboard(options: Options, ask_phone: str | None, menu: bool) -> types.ReplyKeyboardMarkup:
    """Below the input line."""
    rows = [[types.KeyboardButton(text=o.label) for o in row] for row in options]
    if ask_phone:
        rows.insert(0, [types.KeyboardButton(text=ask_phone, request_contact=True)])
    return types.ReplyKeyboardMarkup(
        keyboard=rows, resize_keyboard=True, is_persistent=menu, one_time_keyboard=not menu
    )


@lru_cache(maxsize=256)
def _buttons(options: Options) -> Sequence[list[types.InlineKeyboardButton]]:
    """Below a message."""
    return [
        [types.InlineKeyboardButton(text=o.label, callback_data=o.value) for o in row]
        for row in options
    ]


def _link(link: malva.Link) -> types.InlineKeyboardButton:
    if link.app:
        return types.InlineKeyboardButton(text=link.label, web_app=types.WebAppInfo(url=link.url))
    return types.InlineKeyboardButton(text=link.label, url=link.url)


def card_button(public_url: str, business: str) -> types.MenuButtonWebApp | None:
    """Opens the card as a Mini App, from beside the input line: one label for all languages."""
    url = f"{public_url}/card"
    if not _opens(url):
        return None
    return types.MenuButtonWebApp(
        type=MenuButtonType.WEB_APP, text=f"☕ {business}", web_app=types.WebAppInfo(url=url)
    )
