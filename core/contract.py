"""What crosses the seam between Malva and its plugins: frozen data, Protocols, errors.

A messenger's adapter turns the vendor's traffic into `Inbound` and `Receipt`, and an `Outbound`
into the vendor's calls. A till's adapter turns its traffic into `OrderPaid`, `OrderRefunded` or
`Fetch`. Both say what they need and what they found out; neither decides nor stores anything.

Times are aware datetimes in UTC, money is `Decimal` in major units as the till wrote it, phone
numbers are E.164. `CONTRACT` grows when a plugin written for the old one would break.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

CONTRACT = 1


# -- errors ----------------------------------------------------------------------------------------


class MalvaError(Exception):
    """The root of every error that Malva raises on purpose.

    MalvaError
    ├── Refused        a webhook that is not ours or wrongly signed: 401, nothing is stored
    ├── Unreadable     rightly signed, but nothing that can be understood: 400, or 200 (`tolerate`)
    ├── SendError      a message that the provider did not take
    └── FetchError     a till system that did not answer a question
    """


class Refused(MalvaError):
    """The request does not come from the provider: no signature, a wrong one, a stale one."""


class Unreadable(MalvaError):
    """Rightly signed but not parseable.

    `tolerate`: answer 200 and log, because the provider would repeat it for ever otherwise.
    """

    def __init__(self, message: str, *, tolerate: bool = False) -> None:
        super().__init__(message)
        self.tolerate = tolerate


class SendError(MalvaError):
    """A message was not taken by the provider.

    retryable     the same call may go through later (time-out, 5xx, too many)
    retry_after   seconds that the provider asks for; with `channel_wide` everything on the channel
                  waits, otherwise this chat
    contact_gone  the guest blocked us or no longer exists: nothing more goes there until they write
    window_closed the messenger takes nothing of this kind before the guest's next word: the message
                  waits for that, or is dropped if it would be stale by then
    uncertain     the call may have been carried out (a time-out after the request had left)
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool = False,
        retry_after: float | None = None,
        channel_wide: bool = False,
        contact_gone: bool = False,
        window_closed: bool = False,
        uncertain: bool = False,
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.retry_after = retry_after
        self.channel_wide = channel_wide
        self.contact_gone = contact_gone
        self.window_closed = window_closed
        self.uncertain = uncertain


class FetchError(MalvaError):
    """A till system did not answer. `retryable` tells whether asking again can help;
    `retry_after` is in seconds."""

    def __init__(
        self, message: str, *, retryable: bool = True, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.retry_after = retry_after


# -- what comes over HTTP --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Request:
    """A webhook as it arrived. `url` is the public address (from MALVA_PUBLIC_URL, never from the
    Host header), header names are lower case, `body` is raw."""

    method: str
    url: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


# -- messengers: in --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sender:
    """Who wrote. `address` is what a reply is sent to on this channel; `phone` only where the
    messenger itself proves it; `language` is the messenger's own, an IETF tag."""

    address: str
    name: str | None = None
    language: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The chat was opened by a button or a deep link, whose payload it brings (`cafe_bife`)."""

    payload: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """Words, typed or from a keyboard that types them."""

    text: str


@dataclass(frozen=True, slots=True)
class Chose:
    """An option was pressed: the `Option.value` that was sent with it."""

    value: str


@dataclass(frozen=True, slots=True)
class SharedPhone:
    """A phone number was shared by the messenger's own means. `own`: the messenger says that it is
    the sender's own; a forwarded contact is not."""

    phone: str
    own: bool


@dataclass(frozen=True, slots=True)
class Left:
    """The guest blocked the bot or unsubscribed: nothing goes there until they write again."""


@dataclass(frozen=True, slots=True)
class Returned:
    """The guest unblocked the bot without writing yet."""


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Something that a conversation can't use (a sticker, a voice message): `what` for the log."""

    what: str


Content = Started | Said | Chose | SharedPhone | Left | Returned | Unsupported


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """One thing that a guest did.

    event_id      the provider's id; Malva takes each once per channel
    reply_inline  the provider takes the first reply in the HTTP response to this webhook
    handle        what `Channel.acknowledge` needs to answer the provider
    """

    event_id: str
    sender: Sender
    content: Content
    sent_at: datetime | None = None
    reply_inline: bool = False
    handle: str | None = None


MessageStatus = Literal["sent", "delivered", "read", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the provider says became of a message. Statuses only climb, whatever order they come
    in. `retryable`, `contact_gone` and `window_closed` as in SendError, of a `failed` one."""

    event_id: str
    provider_id: str
    status: MessageStatus
    error: str | None = None
    retryable: bool = False
    contact_gone: bool = False
    window_closed: bool = False


Received = Inbound | Receipt


# -- messengers: out -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Option:
    """An answer to press. `value` comes back in `Chose` (at most 64 bytes), `label` is shown.
    `personal`: the label is about this guest (their name) and not to be kept at a provider."""

    value: str
    label: str
    personal: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A web address to open. `app`: may open inside the messenger (a Mini App)."""

    label: str
    url: str
    app: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG of `png` bytes; `alt` says in words what it shows; `url` is its signed, short-lived
    public address, for providers that fetch pictures themselves."""

    png: bytes
    alt: str
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound:
    """A message as the conversation means it; the adapter decides how it looks.

    text        plain text: markup in it is shown as written; `*bold*` means nothing here
    kind        what it is (`reply`, `card`, `points_earned` …), for templates and statistics
    language    en, sr or ru
    options     rows of answers; the adapter may lay them out otherwise, never leave one out
    menu        the options are the main menu and stay at hand
    ask_phone   label of a one-tap button that shares the guest's own number
    links       addresses to open
    picture     drawn at hand-over
    variables   the message's parts by name, for a provider's templates
    """

    text: str
    kind: str = "reply"
    language: str = "en"
    options: tuple[tuple[Option, ...], ...] = ()
    menu: bool = False
    ask_phone: str | None = None
    links: tuple[Link, ...] = ()
    picture: Picture | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One hand-over: `message` to `address`. `replaces` is the provider's id of an earlier message
    that this one takes the place of (only with `Capabilities.edits`). `id` is ours and stays the
    same over retries: an idempotency key where the provider takes one. `window_open`: whether the
    messenger takes any message now (`Capabilities.window`), or approved templates only."""

    id: int
    address: str
    message: Outbound
    replaces: str | None = None
    window_open: bool = True


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took it; `provider_id` is how it calls the message (None: it has no name)."""

    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """A token bucket: `per_second` on average, `burst` at once."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a channel is called and can show.

    title           the messenger's own name ("WhatsApp"); "": the channel's
    options         how many options fit natively on one message; more become a numbered list
    numbers         the adapter may number fewer, too (`malva.numbered`): a typed number picks one
    text_length     characters of a message; `caption_length` of one with a picture
    edits           a sent message can be replaced in place
    asks_phone      has a one-tap button that shares the guest's own number
    proves_phone    every sender's number is known and true
    stores          storing is sending: the channel reads its messages back (`messages_after`)
    window          for how long after a guest's word the messenger takes any message; None: always
    pace            of the whole channel; `chat_pace` to one guest
    """

    options: int
    text_length: int
    caption_length: int
    numbers: bool = False
    title: str = ""
    edits: bool = False
    asks_phone: bool = False
    proves_phone: bool = False
    stores: bool = False
    window: timedelta | None = None
    pace: Pace = Pace(30, 30)
    chat_pace: Pace = Pace(1, 20)


# -- tills -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an order; `price` is of one, before discount, in major units."""

    name: str
    quantity: Decimal
    price: Decimal
    sku: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPaid:
    """An order was paid.

    total     what counts, in major units of `currency` (None: the cafe's)
    paid_at   only if the till tells the time of payment itself, never of opening
    live      False: found late by polling, so no open visit may claim it
    phone     of the till's own reward card, as it is written there
    station   the POS's own id of the till
    """

    order_id: str
    total: Decimal
    currency: str | None = None
    paid_at: datetime | None = None
    lines: tuple[Line, ...] = ()
    phone: str | None = None
    station: str | None = None
    live: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefunded:
    """Part (`amount`, major units) or all that is left (None) of an order was given back."""

    order_id: str
    refund_id: str
    amount: Decimal | None = None


TillEvent = OrderPaid | OrderRefunded


@dataclass(frozen=True, slots=True)
class Fetch:
    """The webhook was thin: ask the till system about `ref`, durably, after the answer."""

    ref: str


@dataclass(frozen=True, slots=True)
class Polled:
    """What a poll found; `cursor` is kept in the same transaction and given to the next poll."""

    events: tuple[TillEvent, ...]
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Discount:
    """Asks a till system for a coupon. Exactly one of `amount` (major units) and `percentage`."""

    redemption_id: str
    name: str
    amount: Decimal | None = None
    percentage: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Coupon:
    """What the cashier types into the till."""

    code: str


# -- what happened: for plugins that listen --------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestJoined:
    guest_id: str
    cafe: str
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestIdentified:
    guest_id: str
    cafe: str
    till: str
    proof: Literal["qr", "code", "phone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCounted:
    """`guest_id` None: the order is unclaimed so far. `points` and `balance` are whole points."""

    cafe: str
    order_id: str
    guest_id: str | None
    points: int
    balance: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTakenBack:
    """Refunded, all or part of it; `undone`: entered, or given to this guest, by mistake."""

    cafe: str
    order_id: str
    guest_id: str | None
    points: int
    balance: int | None
    undone: bool = False


DomainEvent = GuestJoined | GuestIdentified | OrderCounted | OrderTakenBack


# -- what a plugin is given ------------------------------------------------------------------------


class Settings(BaseModel):
    """A plugin's own keys in plugins.toml: subclass it as `Settings` in the plugin's module.
    Unknown keys and wrong types stop the start and are named with their line."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message of a contact on a channel that stores, oldest first. `replaces` is the id of the
    earlier message whose place it takes; `mine`: the guest wrote it."""

    id: int
    at: datetime
    mine: bool
    message: Outbound
    replaces: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What `malva check` reports: `id` such as MALVA-E101, what is wrong, what to do."""

    id: str
    level: Literal["error", "warning", "ok"]
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class CafeInfo:
    slug: str
    name: str
    currency: str
    timezone: str


class HttpResponse(Protocol):
    """An answer of the one HTTP client, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; ValueError where it is none."""


class Http(Protocol):
    """The gateway's HTTP client: always with a time-out, never a secret in the log.

    Raises `asyncio.TimeoutError` or `OSError` (and nothing else) where there is no answer.
    """

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        data: Mapping[str, str] | bytes | None = None,
        timeout: float = 10.0,
    ) -> HttpResponse: ...


class Gateway(Protocol):
    """What Malva gives a running plugin."""

    name: str
    """The name of the plugin's table in plugins.toml: its channel or POS name."""
    public_url: str
    business: str
    http: Http

    def now(self) -> datetime: ...

    def translate(self, language: str, sentence: str, /, **values: object) -> str:
        """A sentence of Malva's own catalogs (`locales/`), in `language`."""

    async def receive(self, events: Sequence[Received]) -> Sequence[Outbound | None]:
        """Takes what a guest did; returns after the commit, with the reply that is to ride in the
        provider's response for each event that asked so (`reply_inline`)."""

    async def messages_after(self, address: str, after: int) -> Sequence[StoredMessage]:
        """The contact's messages with a larger id, oldest first, at most 200 (stores only)."""

    def listen(
        self, address: str
    ) -> AbstractAsyncContextManager[Callable[[float], Awaitable[bool]]]:
        """Listens from now on for what is stored for the contact, on whichever node (stores only).
        The value given waits so many seconds at most; False: nothing rang since it was last asked.

        True with nothing new: it rang for what was read already, or the guest was erased, and their
        messages begin anew."""

    def hold(self, what: str) -> AbstractAsyncContextManager[Callable[[], bool]]:
        """Waits until this node alone holds `what`; the value given tells whether it still does."""

    async def load(self, key: str) -> str | None:
        """A value that the plugin keeps (a cursor, a template's id)."""

    async def save(self, key: str, value: str) -> None: ...

    async def cafes(self) -> Sequence[CafeInfo]: ...

    def sign(self, purpose: str, value: str) -> str:
        """A URL-safe signed text, the same each time and on every node."""

    def unsign(self, purpose: str, text: str) -> str | None:
        """The value, or None where this plugin didn't sign it for this purpose."""

    def qr_png(self, text: str) -> Awaitable[bytes]:
        """A QR code of `text` as PNG, drawn off the event loop."""

    def background(self, work: Awaitable[None]) -> None:
        """Runs `work` beside; it is awaited for a while when the server stops."""

    def subscribe(self, topics: Sequence[str]) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Topics that ring at commit: `guest:<id>`, `cafe:<slug>`."""


class Channel(Protocol):
    """A messenger's adapter. `verify` and `parse` are pure; `send` is the only one that sends."""

    capabilities: Capabilities

    def verify(self, request: Request) -> None:
        """Raises Refused unless the request is the provider's own, over the raw body."""

    def parse(self, request: Request) -> Sequence[Received]:
        """What the webhook tells; [] for what is not for us. Raises Unreadable. One bad event in a
        batch is left out (and logged), the others are returned."""

    async def send(self, delivery: Delivery) -> Sent:
        """Hands one message over; raises SendError and nothing else."""

    async def acknowledge(self, event: Received) -> None:
        """After the commit: what the provider wants besides the 200 (Telegram: the spinner on a
        pressed button). Best effort."""

    def render_inline(self, message: Outbound) -> tuple[bytes, str]:
        """Body and content type of the HTTP response that carries a reply (`reply_inline`)."""

    async def run(self) -> None:
        """Lives as long as the server: registers the webhook, polls. Returns when cancelled."""

    async def check(self) -> Sequence[Finding]:
        """Asks the provider whether the credentials work."""

    def join_link(self, payload: str) -> str | None:
        """The address that opens a chat with us, with `payload` in `Started`; None: has none."""


@runtime_checkable
class OpensPages(Protocol):
    """What a channel has besides, whose messenger opens pages of ours inside itself and tells them
    who looks (Telegram's Mini Apps)."""

    def viewer(self, data: str) -> Sender | None:
        """Who looks, by what the messenger has given the page (raw, as the page has it); None
        unless it is the messenger's own word, and of late."""


class Pos(Protocol):
    """A till system's adapter."""

    poll_every: timedelta | None
    """How often `poll` is wanted; None: never."""

    def verify(self, request: Request, cafe: str) -> None:
        """Raises Refused."""

    def parse(self, request: Request, cafe: str) -> Sequence[TillEvent | Fetch]:
        """Raises Unreadable."""

    async def fetch(self, cafe: str, ref: str) -> Sequence[TillEvent]:
        """Raises FetchError; [] where there is nothing to count (not paid)."""

    async def poll(self, cafe: str, cursor: str | None) -> Polled:
        """Raises FetchError."""

    async def grant(self, cafe: str, discount: Discount) -> Coupon | None:
        """A coupon for a confirmed reward; None: this POS has none. Raises FetchError.

        Asked once for each redemption, and its answer is waited for 2.5 seconds. So it makes one
        coupon at most: what may have been carried out is not repeated."""

    async def check(self) -> Sequence[Finding]: ...

    def cafes(self) -> Sequence[str]:
        """The slugs of the cafes that this adapter is set up for, the same while it runs."""
