"""What tills send and get. Input is strict: money is decimal text, and unknown fields are refused,
because a misspelt `visit` would cost a guest their points without a word."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from core.services.visits import Proof

ID_LENGTH = 128

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_QUANTITY = re.compile(r"-?\d{1,9}(\.\d{1,9})?", re.ASCII)


def _refuse(sentence: str) -> PydanticCustomError:
    return PydanticCustomError("malva", sentence)


def _printable(text: str) -> str:
    if not text.isprintable():
        raise _refuse("must not hold control characters")
    return text


def _money(value: Any) -> Any:
    if not isinstance(value, str):
        raise _refuse('must be decimal text in quotes, such as "85.50": never a JSON number')
    return value


def _quantity(value: Any) -> Decimal:
    text = str(value) if type(value) in (str, int) else ""
    if not _QUANTITY.fullmatch(text):
        raise _refuse('must be an integer or decimal text in quotes, such as 2 or "0.5"')
    return Decimal(text)


def _time(value: Any) -> datetime:
    """RFC 3339, as UTC."""
    sentence = 'must be a time with its zone, such as "2026-11-22T14:05:00+01:00"'
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise _refuse(sentence)
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _refuse(sentence) from None


Id = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=ID_LENGTH),
    AfterValidator(_printable),
]
Money = Annotated[
    str,
    BeforeValidator(_money),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^-?[0-9]+(\.[0-9]+)?$",
            "description": "Major units of the currency, as decimal text.",
            "examples": ["85.50"],
        }
    ),
]
Quantity = Annotated[
    Decimal,
    PlainValidator(_quantity),
    WithJsonSchema(
        {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}]}
    ),
]
Time = Annotated[
    datetime, PlainValidator(_time), WithJsonSchema({"type": "string", "format": "date-time"})
]


class Sent(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


# -- what tills send -------------------------------------------------------------------------------


_Text = Annotated[str, Field(max_length=1000)]


class Identify(Sent):
    """Exactly one of the three."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [name]} for name in ("qr", "code", "phone")]}
    )

    qr: Annotated[_Text | None, Field(description="What the scanner read, as it is.")] = None
    code: Annotated[_Text | None, Field(description="Six digits; spaces and dashes may be.")] = None
    phone: Annotated[_Text | None, Field(description="With its country: +381601234567.")] = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self._given()) != 1:
            raise _refuse('exactly one of "qr", "code" and "phone" is needed')
        return self

    def proof(self) -> tuple[Proof, str]:
        """How the guest is to be identified, and by what."""
        return self._given()[0]

    def _given(self) -> list[tuple[Proof, str]]:
        by: dict[Proof, str | None] = {"qr": self.qr, "code": self.code, "phone": self.phone}
        return [(proof, text) for proof, text in by.items() if text is not None]


class Item(Sent):
    name: str
    quantity: Quantity
    price: Annotated[Money, Field(description="Of one piece, before discounts.")]
    sku: str | None = None


class Order(Sent):
    order_id: Annotated[Id, Field(description="Unique in the cafe, for ever.")]
    total: Annotated[Money, Field(description="What was paid and counts for points.")]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$", description="The cafe's.")]
    visit: Annotated[
        Id | None,
        Field(description="From identify. Without it, the visit that the till had at `paid_at`."),
    ] = None
    redemptions: Annotated[tuple[Id, ...], Field(max_length=100)] = ()
    items: Annotated[tuple[Item, ...], Field(max_length=500)] = ()
    paid_at: Annotated[
        Time | None, Field(description="When it was paid; without it, when it arrived.")
    ] = None


class Refund(Sent):
    refund_id: Annotated[Id, Field(description="Unique in the cafe, for ever.")]
    amount: Annotated[Money | None, Field(description="Without it, all that is left.")] = None


class Claim(Sent):
    visit: Annotated[Id, Field(description="From identify.")]


class Redeem(Sent):
    """What the guest shows, or what the till starts for them: `qr`, or `code`, or `visit` with
    `reward_ids`."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["qr"]},
                {"required": ["code"]},
                {"required": ["visit", "reward_ids"]},
            ],
            "dependentRequired": {"reward_ids": ["visit"]},
        }
    )

    qr: Annotated[_Text | None, Field(description="What the scanner read, as it is.")] = None
    code: Annotated[_Text | None, Field(description="Eight characters that stand beside it.")] = (
        None
    )
    visit: Annotated[Id | None, Field(description="From identify, within 15 minutes.")] = None
    reward_ids: Annotated[
        tuple[Id, ...] | None,
        Field(min_length=1, max_length=10, description="One may be there twice."),
    ] = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        ways = (self.qr, self.code, self.visit)
        if sum(way is not None for way in ways) != 1:
            raise _refuse('exactly one of "qr", "code" and "visit" (with "reward_ids") is needed')
        if (self.visit is None) != (self.reward_ids is None):
            raise _refuse('"visit" and "reward_ids" go together')
        return self


# -- what they get ---------------------------------------------------------------------------------


class Reason(BaseModel):
    rule: str
    points: int


class OrderAnswer(BaseModel):
    """`balance` null: nobody's so far."""

    order_id: str
    points: int
    balance: int | None
    because: list[Reason]
    duplicate: Annotated[
        Literal[True] | None, Field(description="Only where it was counted before.")
    ] = None


class RefundAnswer(BaseModel):
    """`points` are zero or less; `balance` null: the order is nobody's, or not known yet."""

    order_id: str
    refund_id: str
    points: Annotated[int, Field(le=0)]
    balance: int | None
    status: Literal["parked"] | None = None
    duplicate: Literal[True] | None = None


class Fault(BaseModel):
    code: Annotated[str, Field(description="Stable, for programs.")]
    message: Annotated[str, Field(description="For a person.")]


class Failed(BaseModel):
    error: Fault
