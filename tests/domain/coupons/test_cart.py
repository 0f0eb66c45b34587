"""A cart that exists can be priced."""

from dataclasses import replace

import pytest

from domain.coupons.cart import MAX_LINES, Cart, CartError, CartLine
from domain.coupons.offer import Funder, FunderShare, Stacking, require_whole
from domain.coupons.terms import TermsError
from domain.shared.money import SAFE_INT_MAX, UnknownCurrency
from tests.domain.coupons.carts import TEA_HOUSE, cart

LINE = CartLine("1", "p", TEA_HOUSE, 2, 300)


def test_a_carts_sums_are_those_of_its_lines() -> None:
    whole = Cart("CNY", (LINE, replace(LINE, id="2", quantity=1)), shipping_minor=50)
    assert (whole.subtotal_minor, whole.total_minor) == (900, 950)


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (replace(LINE, quantity=0), ("lines", "0", "quantity")),
        (replace(LINE, unit_price_minor=-1), ("lines", "0", "unitPrice")),
        (replace(LINE, id=""), ("lines", "0", "id")),
        (replace(LINE, product_ref="x" * 129), ("lines", "0", "productRef")),
        (replace(LINE, category_refs=frozenset({""})), ("lines", "0", "categoryRefs")),
        (replace(LINE, id="1\x00"), ("lines", "0", "id")),
        (replace(LINE, id="\ud800"), ("lines", "0", "id")),
        (replace(LINE, product_ref="p\n满减"), ("lines", "0", "productRef")),
        (replace(LINE, product_ref="p\u202e"), ("lines", "0", "productRef")),
        (replace(LINE, category_refs=frozenset({"tea\x00"})), ("lines", "0", "categoryRefs")),
        (replace(LINE, category_refs=frozenset(map(str, range(51)))), ("lines", "0", "categoryRefs")),
        (replace(LINE, unit_price_minor=SAFE_INT_MAX), ("lines",)),
    ],
)
def test_a_line_that_cannot_be_priced_is_refused_with_its_path(line: CartLine, path: tuple[str, ...]) -> None:
    with pytest.raises(CartError) as refused:
        Cart("CNY", (line,))
    assert refused.value.path == path


def test_a_cart_has_1_to_200_lines() -> None:
    assert len(cart(*[1] * MAX_LINES).lines) == 200
    for prices in ([], [1] * (MAX_LINES + 1)):
        with pytest.raises(CartError, match="1 to 200 lines"):
            cart(*prices)


def test_line_ids_are_unique() -> None:
    with pytest.raises(CartError, match="not unique"):
        Cart("CNY", (LINE, LINE))


def test_the_total_with_shipping_stays_within_the_safe_integers() -> None:
    assert cart(SAFE_INT_MAX - 1, shipping_minor=1).total_minor == SAFE_INT_MAX
    with pytest.raises(CartError, match="safe integers"):
        cart(SAFE_INT_MAX, shipping_minor=1)


def test_a_negative_shipping_fee_and_an_unknown_currency_are_refused() -> None:
    with pytest.raises(CartError, match="shipping"):
        cart(1, shipping_minor=-1)
    with pytest.raises(UnknownCurrency):
        cart(1, currency="RMB")


PLATFORM, MERCHANT = FunderShare(Funder.PLATFORM, 4000), FunderShare(Funder.MERCHANT, 6000)


def test_funders_shares_make_a_whole() -> None:
    require_whole([PLATFORM, MERCHANT])
    for funders in (
        [],
        [PLATFORM],
        [PLATFORM, PLATFORM, replace(PLATFORM, basis_points=2000)],
        [FunderShare(Funder.PLATFORM, -1), FunderShare(Funder.MERCHANT, 10_001)],
    ):
        with pytest.raises(TermsError) as refused:
            require_whole(funders)
        assert refused.value.path == ("funders",)


def test_an_order_that_may_take_none_is_refused() -> None:
    with pytest.raises(TermsError) as refused:
        Stacking(max_per_order=0)
    assert refused.value.path == ("stacking", "maxPerOrder")
