"""A token of a quote stands while the same quote is made again, and for nothing else."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.orders.model import Quote
from domain.orders.points_payment import PointsOffered
from domain.orders.quote_tokens import QUOTE_TOKENS, stands, token_of
from domain.orders.quotes import QUOTE_VALID_FOR, Buyer, make_quote
from domain.points.policy import DEFAULT_POLICY
from domain.shared.ids import MemberId
from tests.domain.coupons.carts import NOW, cart

BUYER = Buyer(MemberId(UUID(int=1)), 0, "CNY")


def made(*prices: int, **changed: Any) -> Quote:
    given: dict[str, Any] = {"buyer": BUYER, "points_policy": DEFAULT_POLICY, "at": NOW} | changed
    return make_quote(cart(*(prices or (1000, 500))), [], **given)


def test_the_same_quote_made_later_is_known_by_the_token_of_the_first() -> None:
    token, later = token_of(made()), NOW + timedelta(minutes=5)
    assert stands(token, quote=made(at=later), at=later)
    assert QUOTE_TOKENS.matches(token, made(at=later))


def test_a_token_is_good_for_as_long_as_its_quote() -> None:
    token, over = token_of(made()), NOW + QUOTE_VALID_FOR
    assert stands(token, quote=made(at=over), at=over - timedelta(seconds=1))
    assert not stands(token, quote=made(at=over), at=over)


@pytest.mark.parametrize(
    "other",
    [
        made(1000, 501),
        made(500, 1000),
        made(buyer=Buyer(MemberId(UUID(int=2)), 0, "CNY")),
        made(points=PointsOffered(asked=5, available=5)),
        replace(made(), shipping_minor=1),
        replace(made(), cart_hash="another"),
        replace(made(), points_used=1),
    ],
)
def test_a_token_does_not_stand_for_another_cart_buyer_or_price(other: Quote) -> None:
    assert not stands(token_of(made()), quote=other, at=NOW)


@pytest.mark.parametrize(
    "text", ["", "q1", "q1..", "q1.9.x", "q2.1.x", "q1.²." + "x" * 43, "q1." + "9" * 30 + ".x", "\0"]
)
def test_what_is_no_token_stands_for_nothing(text: str) -> None:
    assert not stands(text, quote=made(), at=NOW)


def test_a_token_cannot_be_made_to_hold_longer() -> None:
    form, until, hashed = token_of(made()).split(".")
    later = NOW + timedelta(hours=1)
    assert not stands(f"{form}.{int(until) + 7200}.{hashed}", quote=made(at=later), at=later)
