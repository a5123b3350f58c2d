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
