"""What a service raises when a person asked for something that can't be."""

from core.contract import MalvaError


class NotPossible(MalvaError):
    """What was asked for can't be done; the text says why, and to whom it may be shown: a person
    of the business."""


class Refusal(NotPossible):
    """A till asked for something that it can't have. `code` is stable, for programs (the till API
    answers with it, and knows its HTTP status); the text is for the person at the till."""

    code = "not_possible"


class UnknownCode(Refusal):
    """No open card holds it, or nobody has that phone number."""

    code = "unknown_code"


class CodeUsed(Refusal):
    """Another visit has used the code."""

    code = "code_used"


class Ambiguous(Refusal):
    """Several guests typed that phone number, and none of them proved it."""

    code = "ambiguous"


class Locked(Refusal):
    """Too many wrong codes at this till; `retry_after` in whole seconds."""

    code = "locked"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Invalid(Refusal):
    """What was sent can't be an order or a refund; the text says what is wrong with it."""

    code = "invalid"


class Conflict(Refusal):
    """The same key, order id or refund id came before with other data."""

    code = "conflict"


class UnknownVisit(Refusal):
    """No visit of this cafe has that id."""

    code = "unknown_visit"


class UnknownOrder(Refusal):
    """No order of this cafe has that id."""

    code = "unknown_order"


class UnknownRedemption(Refusal):
    """No redemption has that id."""

    code = "unknown_redemption"


class WrongCurrency(Refusal):
    """The order is in another currency than its cafe."""

    code = "wrong_currency"


class TooMuch(Refusal):
    """More is to be refunded than is left of the order."""

    code = "too_much"


class AlreadyClaimed(Refusal):
    """The order has a guest, and it is another one."""

    code = "already_claimed"


class TooLate(Refusal):
    """The order is too old to find its guest now."""

    code = "too_late"
