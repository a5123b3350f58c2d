"""What an update means: https://core.telegram.org/bots/api#update"""

from __future__ import annotations

import malva
from channels.telegram.lean import ContentType, types
from malva import Inbound

KINDS = ["message", "callback_query", "my_chat_member"]
"""The kinds that are asked for; edited messages, channel posts and the rest are not for us."""

NOT_SAID = frozenset(
    {
        "boost_added",
        "chat_background_set",
        "message_auto_delete_timer_changed",
        "pinned_message",
        "write_access_allowed",
    }
)
"""Kinds of messages that tell of a tap elsewhere in the app: nobody waits for an answer."""


def understand(update: types.Update) -> Inbound | None:
    """What a guest did, in a private chat; None for anything else."""
    if update.callback_query is not None:
        return _pressed(update.update_id, update.callback_query)
    if update.my_chat_member is not None:
        change = update.my_chat_member
        if change.chat.type != "private":
            return None
        back = change.new_chat_member.status == "member"
        content = malva.Returned() if back else malva.Left()
        return _inbound(update.update_id, change.chat, change.from_user, content)
    message = update.message
    if message is None or message.from_user is None or message.chat.type != "private":
        return None
    if message.content_type in NOT_SAID:
        return None
    return _inbound(update.update_id, message.chat, message.from_user, _content(message), message)


def intruded(update: types.Update) -> int | None:
    """The group that the bot is in and should not be."""
    if update.my_chat_member is not None:
        chat, status = update.my_chat_member.chat, update.my_chat_member.new_chat_member.status
        inside = status in ("member", "administrator", "restricted")
    elif update.message is not None:
        chat, inside = update.message.chat, True
    else:
        return None
    return chat.id if inside and chat.type != "private" else None


def _inbound(
    update_id: int,
    chat: types.Chat,
    user: types.User,
    content: malva.Content,
    message: types.Message | None = None,
    handle: str | None = None,
) -> Inbound:
    return Inbound(
        event_id=str(update_id),
        sender=malva.Sender(str(chat.id), user.full_name or None, user.language_code),
        content=content,
        sent_at=message.date if message else None,
        handle=handle,
    )


def _pressed(update_id: int, query: types.CallbackQuery) -> Inbound | None:
    chat = query.message.chat if query.message else None
    if chat is None or chat.type != "private":
        return None
    return _inbound(
        update_id, chat, query.from_user, malva.Chose(query.data or ""), handle=query.id
    )


def _content(message: types.Message) -> malva.Content:
    if message.contact is not None and message.from_user is not None:
        phone = "+" + message.contact.phone_number.lstrip("+")
        return malva.SharedPhone(phone, own=message.contact.user_id == message.from_user.id)
    if message.text is None:
        return malva.Unsupported(ContentType(message.content_type).value)
    command, _, payload = message.text.partition(" ")
    if command.partition("@")[0] == "/start":
        return malva.Started(payload.strip() or None)
    return malva.Said(message.text)
