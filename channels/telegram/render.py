"""How a message looks on Telegram: https://core.telegram.org/bots/api#available-methods"""

from __future__ import annotations

from typing import Any

from aiogram import methods, types

import malva
from malva import Outbound


def method_for(delivery: malva.Delivery) -> methods.TelegramMethod[Any]:
    """The call that shows the message: sent anew, or in the place of an earlier one."""
    message, chat_id = delivery.message, int(delivery.address)
    text, markup = _text(message), _markup(message)
    picture = message.picture
    if delivery.replaces is None:
        if picture is None:
            preview = types.LinkPreviewOptions(is_disabled=True)
            return methods.SendMessage(
                chat_id=chat_id, text=text, reply_markup=markup, link_preview_options=preview
            )
        photo = types.BufferedInputFile(picture.png, "card.png")
        return methods.SendPhoto(chat_id=chat_id, photo=photo, caption=text, reply_markup=markup)
    inline = markup if isinstance(markup, types.InlineKeyboardMarkup) else None
    place = int(delivery.replaces)
    if picture is None:
        return methods.EditMessageCaption(
            chat_id=chat_id, message_id=place, caption=text, reply_markup=inline
        )
    media = types.InputMediaPhoto(
        media=types.BufferedInputFile(picture.png, "card.png"), caption=text
    )
    return methods.EditMessageMedia(
        chat_id=chat_id, message_id=place, media=media, reply_markup=inline
    )


def _text(message: Outbound) -> str:
    """Telegram takes no button that opens plain http, so such a link is written out."""
    plain = [f"{link.label}: {link.url}" for link in message.links if not _as_button(message, link)]
    return "\n\n".join([message.text, *plain])


def _as_button(message: Outbound, link: malva.Link) -> bool:
    return link.url.startswith("https://") and not (message.menu or message.ask_phone)


def _markup(
    message: Outbound,
) -> types.InlineKeyboardMarkup | types.ReplyKeyboardMarkup | None:
    if message.menu or message.ask_phone:
        rows = [[types.KeyboardButton(text=o.label) for o in row] for row in message.options]
        if message.ask_phone:
            rows.insert(0, [types.KeyboardButton(text=message.ask_phone, request_contact=True)])
        return types.ReplyKeyboardMarkup(
            keyboard=rows,
            resize_keyboard=True,
            is_persistent=message.menu,
            one_time_keyboard=not message.menu,
        )
    buttons = [
        [types.InlineKeyboardButton(text=o.label, callback_data=o.value) for o in row]
        for row in message.options
    ]
    buttons += [[_link(link)] for link in message.links if _as_button(message, link)]
    return types.InlineKeyboardMarkup(inline_keyboard=buttons) if buttons else None


def _link(link: malva.Link) -> types.InlineKeyboardButton:
    if link.app:
        return types.InlineKeyboardButton(text=link.label, web_app=types.WebAppInfo(url=link.url))
    return types.InlineKeyboardButton(text=link.label, url=link.url)
