"""What a quote said, in a few characters: whoever shows the token again is told whether the price still stands.

A token is no permission. The price is made anew whenever it counts, and compared with what the token says; a forged
token can only say that the price has changed.
"""

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Final

from domain.orders.model import Quote

_FORM: Final = "q1"


def token_of(quote: Quote) -> str:
    """The token of a quote: until when it holds, and a hash of that, the cart, the coupons, the points and prices."""
    until = int(quote.valid_until.timestamp())
    return f"{_FORM}.{until}.{_hash_of(quote, until=until)}"


def stands(token: str, *, quote: Quote, at: datetime) -> bool:
    """Whether a quote that is made now says the same as the one that the token was shown with, and that still holds.

    False for anything that is not a token.
    """
    form, _, rest = token.partition(".")
    text, _, given = rest.partition(".")
    if form != _FORM or not text.isascii() or not text.isdigit() or len(text) > len(str(2**53)):
        return False
    until = int(text)
    return at < _instant(until) and given == _hash_of(quote, until=until)


def _instant(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.min.replace(tzinfo=UTC)


def _hash_of(quote: Quote, *, until: int) -> str:
    content = [
        until,
        str(quote.member_id),
        quote.cart_hash,
        quote.currency,
        [[str(one.coupon_id), one.amount_minor] for one in quote.applied],
        [[line.discount_minor, line.points_minor] for line in quote.lines],
        quote.points_used,
        quote.payable_minor,
    ]
    digest = hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class QuoteTokens:
    """The tokens of quotes, as a reservation knows them: at the instant at which the quote was made."""

    def matches(self, token: str, quote: Quote) -> bool:
        """Whether the token was given for this price of this cart; False for anything that is not a token of ours."""
        assert quote.terms is not None, "a quote that is made now knows when"
        return stands(token, quote=quote, at=quote.terms.priced_at)


QUOTE_TOKENS: Final = QuoteTokens()
