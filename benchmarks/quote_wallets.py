"""Carts of 50 lines and wallets of 40 coupons that could all act, by how they stand to each other."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Final
from uuid import UUID

from domain.coupons.cart import Cart, CartLine, Scope
from domain.coupons.kinds import KINDS
from domain.coupons.model import Coupon, CouponTemplate, RefundPolicy, TemplateState, Validity, code_of
from domain.coupons.offer import CouponState, Stacking, ThresholdBase, default_funder
from domain.coupons.terms import TermJson
from domain.coupons.wallet import HeldCoupon
from domain.shared.ids import CouponId, MemberId, MerchantId, TemplateId
from domain.shared.time import Interval

LINES: Final = 50
COUPONS: Final = 40
NOW: Final = datetime(2026, 6, 1, 4, tzinfo=UTC)
MEMBER: Final = MemberId(UUID(int=1))
_MERCHANTS: Final = [MerchantId(UUID(int=100 + number)) for number in range(5)]
_CATEGORIES: Final = [f"c{number}" for number in range(8)]
_YEAR: Final = Interval(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))

Stackings = Callable[[Random], Stacking]


def _alone(_chance: Random) -> Stacking:
    return Stacking()


def _grouped(chance: Random) -> Stacking:
    tag = frozenset({"all"})
    return Stacking(tags=tag, combines_with_tags=tag, exclusive_group=f"g{chance.randrange(10)}")


def _tagged(chance: Random) -> Stacking:
    mine = chance.choice("abc")
    return Stacking(tags=frozenset(mine), combines_with_tags=frozenset(chance.sample("abc", 2)))


def _free(chance: Random) -> Stacking:
    tag = frozenset({"all"})
    return Stacking(tags=tag, combines_with_tags=tag, priority=chance.randrange(3))


MIXES: Final[Mapping[str, Stackings]] = {"lanes": _alone, "groups": _grouped, "tags": _tagged, "free": _free}
"""lanes: one coupon acts in each lane. groups: one of each of ten. tags: three families. free: all go together."""


def random_cart(chance: Random) -> Cart:
    """Goods of five merchants in eight categories, ¥5 to ¥200 each."""
    lines = tuple(
        CartLine(
            id=str(place),
            product_ref=f"p{place}",
            merchant_id=chance.choice(_MERCHANTS),
            quantity=chance.randint(1, 3),
            unit_price_minor=chance.randrange(500, 20_000, 10),
            category_refs=frozenset({chance.choice(_CATEGORIES)}),
        )
        for place in range(LINES)
    )
    return Cart("CNY", lines, shipping_minor=1200)


def random_wallet(chance: Random, *, stacking: Stackings) -> Sequence[HeldCoupon]:
    """Coupons of every kind, most of them 满减 and 折扣, of the platform and of merchants."""
    return [_held(chance, number, stacking=stacking(chance)) for number in range(COUPONS)]


def _held(chance: Random, number: int, *, stacking: Stacking) -> HeldCoupon:
    kind = chance.choice([*KINDS, "THRESHOLD_AMOUNT_OFF", "THRESHOLD_AMOUNT_OFF", "PERCENT_OFF", "AMOUNT_OFF"])
    terms = KINDS[kind].terms_from_json(_terms(chance, kind))
    merchant_id = chance.choice([None, None, *_MERCHANTS])
    template = CouponTemplate(
        id=TemplateId(UUID(int=1000 + number)),
        merchant_id=merchant_id,
        campaign_id=None,
        name=kind,
        state=TemplateState.PUBLISHED,
        kind=kind,
        terms=terms,
        currency="CNY",
        scope=Scope(category_refs=frozenset(chance.sample(_CATEGORIES, 4 * chance.choice([0, 0, 1])))),
        limit_per_member=None,
        limit_per_member_per_day=None,
        claim_opens_at=_YEAR.starts_at,
        claim_closes_at=_YEAR.ends_at,
        validity=Validity(_YEAR, None),
        threshold_base=ThresholdBase.BEFORE_THIS,
        stacking=stacking,
        funders=(default_funder(merchant_id),),
        refund_policy=RefundPolicy.KEEP_ALLOCATION,
    )
    coupon_id = CouponId(UUID(int=chance.getrandbits(128)))
    return HeldCoupon(
        Coupon(
            id=coupon_id,
            member_id=MEMBER,
            template_id=template.id,
            merchant_id=merchant_id,
            ordinal=1,
            code=code_of(coupon_id),
            state=CouponState.CLAIMED,
            kind=kind,
            terms=terms,
            claimed_at=_YEAR.starts_at,
            claimed_on=_YEAR.starts_at.date(),
            valid_from=_YEAR.starts_at,
            valid_until=_YEAR.ends_at,
            read_at=NOW,
            balance_minor=KINDS[kind].balance(terms),
        ),
        template,
    )


def _terms(chance: Random, kind: str) -> dict[str, TermJson]:
    threshold = chance.randrange(5_000, 40_000, 1_000)
    amount = threshold // chance.randint(4, 20)
    terms: dict[str, dict[str, TermJson]] = {
        "THRESHOLD_AMOUNT_OFF": {"thresholdMinor": threshold, "amountMinor": amount},
        "AMOUNT_OFF": {"amountMinor": amount},
        "PERCENT_OFF": {"payableBasisPoints": chance.randrange(8_000, 9_800, 100), "maxDiscountMinor": 10 * amount},
        "CASH": {"faceMinor": chance.randrange(1_000, 20_000, 1_000)},
        "FREE_SHIPPING": {"maxMinor": chance.choice([500, 800, 1200])},
        "BUY_X_GET_Y": {"buyQuantity": 2, "getQuantity": 1},
        "FIXED_PRICE": {"priceMinor": 990},
        "PRODUCT_EXCHANGE": {"productRefs": [f"p{place}" for place in chance.sample(range(LINES), 3)]},
    }
    return terms[kind]
