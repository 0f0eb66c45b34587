"""Who is calling: the one package that reads and writes tokens."""

from app.auth.claims import Expected
from app.auth.issue import IssuingRefused, TokenClaims, TokenIssuer
from app.auth.keys import FileKeyDocument, FixedKeys, HttpKeyDocument, Keys, KeysUnreachable, RotatingKeys
from app.auth.reasons import Reason, refusal_reason
from app.auth.redemption import ExpiredRedemptionToken, InvalidRedemptionToken, SignedRedemptionTokens
from app.auth.verifier import Verifier, bearer_token

__all__ = [
    "Expected",
    "ExpiredRedemptionToken",
    "FileKeyDocument",
    "FixedKeys",
    "HttpKeyDocument",
    "InvalidRedemptionToken",
    "IssuingRefused",
    "Keys",
    "KeysUnreachable",
    "Reason",
    "RotatingKeys",
    "SignedRedemptionTokens",
    "TokenClaims",
    "TokenIssuer",
    "Verifier",
    "bearer_token",
    "refusal_reason",
]
