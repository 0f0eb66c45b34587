"""Why a token was refused: for logs and metrics, never for the caller."""

from enum import StrEnum

from domain.shared.errors import Unauthenticated

REFUSED = "The token is missing, has expired or cannot be trusted."


class Reason(StrEnum):
    """What was wrong with a token."""

    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    FORBIDDEN_HEADER = "forbidden_header"
    ALGORITHM = "algorithm"
    UNKNOWN_KEY = "unknown_key"
    SIGNATURE = "signature"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    CLAIM = "claim"


class TokenProblem(Exception):
    """What is wrong with a token, for the programmer; it reaches the caller as Unauthenticated without this detail."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


def refusal_reason(error: Unauthenticated) -> Reason | None:
    """Why the verifier refused, or None where the error has another source."""
    cause = error.__cause__
    return cause.reason if isinstance(cause, TokenProblem) else None
