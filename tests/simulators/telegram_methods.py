"""The Bot API's methods, as https://core.telegram.org/bots/api#available-methods has them."""

from __future__ import annotations

import json
import math
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from . import telegram_rules as rules
from .telegram_chats import Chat, Group
from .telegram_messages import Message
from .telegram_rules import ApiError, bad_request

if TYPE_CHECKING:
    from .telegram import TelegramSimulator

Params = dict[str, str]
Files = dict[str, bytes]


class Methods:
    """Every public method is one of the vendor's: given its parameters as text, and the uploads."""

    def __init__(self, telegram: TelegramSimulator) -> None:
        self.telegram = telegram
        self._by_name = {n.lower(): getattr(self, n) for n in dir(type(self)) if n[0] != "_"}

    def __call__(self, method: str, params: Params, files: Files) -> Any:
        """Carries a method out, whatever the case of its name, and gives its result."""
        action = self._by_name.get(method.lower())
        if action is None and method.lower() in rules.parameters_of():
            raise bad_request(f"the simulator has no {method} yet")
        if action is None:
            raise ApiError(404, "Not Found: method not found")
        rules.check_parameters(method, set(params) | (set(files) & {"photo"}))
        return action(params, files)

    def getMe(self, params: Params, files: Files) -> Any:
        abilities = {"can_join_groups": True, "can_read_all_group_messages": False}
        return {**self.telegram.bot, **abilities, "supports_inline_queries": False}

    def setWebhook(self, params: Params, files: Files) -> Any:
        """https://core.telegram.org/bots/api#setwebhook; plain http is taken for loopback only."""
        url, secret = params.get("url", ""), params.get("secret_token", "")
        if not url:
            return self.deleteWebhook(params, files)
        address = urlsplit(url)
        if address.scheme != "https" and address.hostname not in {"127.0.0.1", "localhost"}:
            raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
        if len(secret) > 256:
            raise bad_request("secret token is too long")
        if not re.fullmatch(r"[\w-]*", secret, re.ASCII):
            raise bad_request("secret token contains unallowed characters")
        self.telegram.updates.allow(params.get("allowed_updates", ""))
        if truth(params.get("drop_pending_updates")):
            self.telegram.updates.pending.clear()
        connections = int(params.get("max_connections") or 40)
        self.telegram.updates.webhook = {
            "url": url,
            "secret_token": secret,
            "max_connections": connections,
        }
        self.telegram.updates.last_error = None
        return True

    def deleteWebhook(self, params: Params, files: Files) -> Any:
        if truth(params.get("drop_pending_updates")):
            self.telegram.updates.pending.clear()
        self.telegram.updates.webhook = {}
        return True

    def getWebhookInfo(self, params: Params, files: Files) -> Any:
        return self.telegram.updates.describe()

    def sendMessage(self, params: Params, files: Files) -> Any:
        text, entities = rules.read_text(params, "text", rules.TEXT_LIMIT, needed=True)
        return self._send(params, "text", text, entities=entities)

    def sendPhoto(self, params: Params, files: Files) -> Any:
        caption, entities = rules.read_text(params, "caption", rules.CAPTION_LIMIT)
        data, sizes = self._read_photo(params.get("photo", ""), "photo", files)
        content = {"photo": sizes}
        return self._send(params, "photo", caption, entities=entities, photo=data, content=content)

    def sendChatAction(self, params: Params, files: Files) -> Any:
        self._writable(params)
        return True

    def editMessageText(self, params: Params, files: Files) -> Any:
        text, entities = rules.read_text(params, "text", rules.TEXT_LIMIT, needed=True)
        message = self._editable(params)
        if message.kind != "text":
            raise bad_request("there is no text in the message to edit")
        return self._change(message, params, text=text, entities=entities)

    def editMessageCaption(self, params: Params, files: Files) -> Any:
        caption, entities = rules.read_text(params, "caption", rules.CAPTION_LIMIT)
        message = self._editable(params)
        if message.kind == "text":
            raise bad_request("there is no caption in the message to edit")
        return self._change(message, params, text=caption, entities=entities)

    def editMessageMedia(self, params: Params, files: Files) -> Any:
        try:
            media = json.loads(params.get("media", ""))
        except ValueError:
            raise bad_request("can't parse input media JSON object") from None
        if media.get("type") != "photo":
            raise bad_request("the simulator edits photos only")
        rules.check_fields("InputMediaPhoto", media)
        caption, entities = rules.read_text(media, "caption", rules.CAPTION_LIMIT)
        message = self._editable(params)
        data, sizes = self._read_photo(media.get("media", ""), "media", files)
        new = {"text": caption, "entities": entities, "photo": data, "content": {"photo": sizes}}
        return self._change(message, params, kind="photo", **new)

    def editMessageReplyMarkup(self, params: Params, files: Files) -> Any:
        return self._change(self._editable(params), params)

    def deleteMessage(self, params: Params, files: Files) -> Any:
        message = self._find(params, "message to delete not found")
        message.deleted = True
        return True

    def answerCallbackQuery(self, params: Params, files: Files) -> Any:
        press = self.telegram.presses.get(params.get("callback_query_id", ""))
        late = press is None or time.monotonic() - press.at > self.telegram.callback_patience
        if press is None or late or press.answer is not None:
            reason = "response timeout expired or query ID is invalid"
            raise bad_request(f"query is too old and {reason}")
        if len(params.get("text", "")) > 200:
            raise bad_request("MESSAGE_TOO_LONG")
        alert = truth(params.get("show_alert"))
        press.answer = {
            "text": params.get("text", ""),
            "show_alert": alert,
            "url": params.get("url"),
        }
        return True

    def leaveChat(self, params: Params, files: Files) -> Any:
        chat = self._chat(params)
        if not isinstance(chat, Group):
            raise bad_request("chat member status can't be changed in private chats")
        if refusal := chat.refusal():
            raise ApiError(*refusal)
        chat.set_status(self.telegram.bot, "left")
        return True

    def setMyCommands(self, params: Params, files: Files) -> Any:
        """https://core.telegram.org/bots/api#setmycommands"""
        commands = json.loads(params.get("commands", "[]"))
        for command in commands:
            rules.check_fields("BotCommand", command)
            if not re.fullmatch(r"[a-z0-9_]{1,32}", command.get("command", "")):
                raise bad_request("BOT_COMMAND_INVALID")
            if not 1 <= len(command.get("description", "")) <= 256:
                raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
        if len(commands) > 100:
            raise bad_request("BOT_COMMANDS_TOO_MUCH")
        self.telegram.commands[command_key(params)] = commands
        return True

    def getMyCommands(self, params: Params, files: Files) -> Any:
        return self.telegram.commands.get(command_key(params), [])

    def deleteMyCommands(self, params: Params, files: Files) -> Any:
        self.telegram.commands.pop(command_key(params), None)
        return True

    def setChatMenuButton(self, params: Params, files: Files) -> Any:
        """https://core.telegram.org/bots/api#setchatmenubutton"""
        button = json.loads(params.get("menu_button") or '{"type": "default"}')
        chat = self._chat(params).id if params.get("chat_id") else 0
        if button["type"] == "web_app":
            url = button["web_app"]["url"]
            if problem := rules.url_problem(url, https_only=True):
                raise bad_request(f"menu button Web App URL '{url}' is invalid: {problem}")
        self.telegram.menu_buttons[chat] = button
        return True

    def getChatMenuButton(self, params: Params, files: Files) -> Any:
        return self.telegram.menu_buttons.get(int(params.get("chat_id") or 0), {"type": "commands"})

    def _set_profile(self, field: str, params: Params) -> bool:
        self.telegram.profile[field, params.get("language_code", "")] = params.get(field, "")
        return True

    def _get_profile(self, field: str, params: Params) -> dict[str, str]:
        general = self.telegram.profile.get((field, ""), "")
        return {field: self.telegram.profile.get((field, params.get("language_code", "")), general)}

    def setMyName(self, params: Params, files: Files) -> Any:
        return self._set_profile("name", params)

    def getMyName(self, params: Params, files: Files) -> Any:
        return self._get_profile("name", params)

    def setMyDescription(self, params: Params, files: Files) -> Any:
        return self._set_profile("description", params)

    def getMyDescription(self, params: Params, files: Files) -> Any:
        return self._get_profile("description", params)

    def setMyShortDescription(self, params: Params, files: Files) -> Any:
        return self._set_profile("short_description", params)

    def getMyShortDescription(self, params: Params, files: Files) -> Any:
        return self._get_profile("short_description", params)

    # What the methods share

    def _chat(self, params: Params) -> Chat:
        raw = params.get("chat_id", "")
        if not raw:
            raise bad_request("chat_id is empty")
        chat = self.telegram.chats.get(int(raw)) if re.fullmatch(r"-?\d+", raw) else None
        if chat is None:
            raise bad_request("chat not found")
        return chat

    def _writable(self, params: Params) -> Chat:
        chat = self._chat(params)
        if refusal := chat.refusal():
            raise ApiError(*refusal)
        return chat

    def _send(self, params: Params, kind: str, text: str, **fields: Any) -> dict[str, Any]:
        markup = rules.read_markup(
            params.get("reply_markup", ""), private=self._chat(params).private
        )
        chat = self._writable(params)
        self._check_flood(chat)
        silent = truth(params.get("disable_notification"))
        message = self.telegram.remember(
            chat, self.telegram.bot, kind, text, markup=markup, silent=silent, **fields
        )
        if markup and "keyboard" in markup:
            chat.keyboard = markup
        elif markup and markup.get("remove_keyboard"):
            chat.keyboard = None
        return message.as_json()

    def _check_flood(self, chat: Chat) -> None:
        if self.telegram.flood is None:
            return
        per_second, burst = self.telegram.flood
        now = time.monotonic()
        left = burst if chat.tokens is None else chat.tokens + (now - chat.refilled) * per_second
        chat.tokens, chat.refilled = min(burst, left), now
        if chat.tokens < 1:
            wait = max(1, math.ceil((1 - chat.tokens) / per_second))
            raise ApiError(429, f"Too Many Requests: retry after {wait}", retry_after=wait)
        chat.tokens -= 1

    def _read_photo(
        self, source: str, name: str, files: Files
    ) -> tuple[bytes, list[dict[str, Any]]]:
        """An upload (direct or by attach://), or the file_id of one: its bytes and PhotoSizes."""
        if source.startswith("attach://"):
            name, source = source.removeprefix("attach://"), ""
        if source.startswith(("http://", "https://")):
            raise bad_request("failed to get HTTP URL content")  # from there loopback isn't reached
        if not source:
            if name not in files:
                raise bad_request("there is no photo in the request")
            data = files[name]
            return data, [self.telegram.file_json(data, *rules.picture_size(data))]
        if not self.telegram.uploads.get(source):
            raise bad_request("wrong remote file identifier specified: can't unserialize it")
        data = self.telegram.uploads[source]
        width, height = rules.picture_size(data)
        unique = f"AQAD{source[-6:]}"
        size = {"width": width, "height": height, "file_size": len(data)}
        return data, [{"file_id": source, "file_unique_id": unique, **size}]

    def _find(self, params: Params, missing: str) -> Message:
        chat = self._chat(params)
        number = params.get("message_id", "")
        found = [m for m in chat.everything if str(m.id) == number and not m.deleted]
        if not found:
            raise bad_request(missing)
        return found[0]

    def _editable(self, params: Params) -> Message:
        """The bot's own message; one that brought a reply keyboard can't be edited any more."""
        message = self._find(params, "message to edit not found")
        reply_keyboard = message.markup and "inline_keyboard" not in message.markup
        if not message.from_bot or reply_keyboard:
            raise bad_request("message can't be edited")
        return message

    def _change(self, message: Message, params: Params, **fields: Any) -> dict[str, Any]:
        """An edit without a keyboard takes the keyboard away, as the vendor does."""
        raw = params.get("reply_markup", "")
        private = message.chat.private
        fields["markup"] = rules.read_markup(raw, private=private, inline_only=True)
        if all(getattr(message, name) == value for name, value in fields.items()):
            same = "are exactly the same as a current content and reply markup of the message"
            reason = f"specified new message content and reply markup {same}"
            raise bad_request(f"message is not modified: {reason}")
        self.telegram.revision += 1
        fields |= {
            "edit_date": self.telegram.now(),
            "edits": message.edits + 1,
            "revision": self.telegram.revision,
        }
        for name, value in fields.items():
            setattr(message, name, value)
        return message.as_json()


def truth(value: str | None) -> bool:
    return (value or "").strip().lower() in {"true", "yes", "1"}


def command_key(params: Params) -> tuple[str, str]:
    """Commands are kept by scope and language: https://core.telegram.org/bots/api#botcommandscope"""
    scope = json.loads(params.get("scope") or '{"type": "default"}')
    return json.dumps(scope, sort_keys=True), params.get("language_code", "")
