"""What a service raises when a person asked for something that can't be."""

from core.contract import MalvaError


class NotPossible(MalvaError):
    """What was asked for can't be done; the text says why, and to whom it may be shown: a person
    of the business."""


class Rejected(NotPossible):
    """What somebody of the business wrote can't be taken. `code` names the mistake, for pages that
    say it in their own words; the text is the command line's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class LimitReached(Rejected):
    """An employee may do no more of it for now: `limit` is how much in all, `left` what is left of
    that."""

    def __init__(self, code: str, message: str, limit: int, left: int) -> None:
        super().__init__(code, message)
        self.limit, self.left = limit, left


class Forbidden(NotPossible):
    """The role is too low for it, or the cafe isn't theirs."""


class Missing(NotPossible):
    """There is no such thing, or it belongs to a cafe that isn't theirs."""


class SessionOver(NotPossible):
    """Whoever asks isn't signed in, or no longer."""


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


class WrongKind(Refusal):
    """A card was shown where a redemption is wanted, or the other way round."""

    code = "wrong_kind"


class UnknownReward(Refusal):
    """The programme has no such reward, or not now."""

    code = "unknown_reward"


class NotAvailable(Refusal):
    """The guest has had the reward as often as it can be had, or its stock is out."""

    code = "not_available"


class Insufficient(Refusal):
    """The guest has too few points that are not held already."""

    code = "insufficient"


class AwaitingGuest(Refusal):
    """The guest has been asked in their messenger, and has not said yes."""

    code = "awaiting_guest"


class AlreadyConfirmed(Refusal):
    """The redemption was confirmed before."""

    code = "already_confirmed"


class Expired(Refusal):
    """The redemption's time is up; its points are free again."""

    code = "expired"


class Cancelled(Refusal):
    """The redemption was cancelled; its points are free again."""

    code = "cancelled"
