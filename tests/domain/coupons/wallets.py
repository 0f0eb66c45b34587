"""Random small carts and wallets in which everything that couples coupons occurs."""

from dataclasses import replace
from datetime import timedelta
from random import Random
from uuid import UUID

from domain.coupons.cart import Cart, CartLine, MemberPriceRule, Scope
from domain.coupons.kinds import KINDS
from domain.coupons.lanes import Lane
from domain.coupons.offer import Offer, PercentBase, Stacking, ThresholdBase
from domain.coupons.terms import TermJson, TermsError, TermShape
from domain.shared.ids import CouponId, MerchantId, TemplateId
from tests.domain.coupons.carts import offer

MERCHANTS = [MerchantId(UUID(int=number)) for number in (1, 2, 3)]
DEAREST_MINOR = 3000
MEMBER_PRICED = 0.25
MEMBER_PRICE_RULES = [*[MemberPriceRule.COMBINES] * 3, MemberPriceRule.EXCLUDED]


def random_cart(chance: Random, *, lines: int = 5) -> Cart:
    """A few lines of three merchants, three products and three categories."""
    return Cart(
        "CNY",
        tuple(
            CartLine(
                str(place),
                chance.choice("abc"),
                chance.choice(MERCHANTS),
                chance.randint(1, 4),
                chance.randint(0, DEAREST_MINOR),
                frozenset(chance.sample("xyz", chance.randint(0, 2))),
                at_member_price=chance.random() < MEMBER_PRICED,
            )
            for place in range(chance.randint(1, lines))
        ),
        shipping_minor=chance.choice([0, chance.randint(0, DEAREST_MINOR)]),
    )


def random_terms(chance: Random, kind: str) -> dict[str, TermJson]:
    """Terms of any kind, made from the shape that it declares."""
    while True:
        shape = KINDS[kind].shape
        terms = {
            name: _value(chance, name, term=term)
            for name, term in shape.items()
            if term.required or chance.random() < 0.5
        }
        try:
            KINDS[kind].terms_from_json(terms)
        except TermsError:
            continue
        return terms


def _value(chance: Random, name: str, *, term: TermShape) -> TermJson:
    if term.is_refs:
        return chance.sample("abc", chance.randint(1, 2))
    if name.endswith("BasisPoints"):
        return chance.choice([chance.randint(1, 9999), 5000, 8500])
    return chance.randint(1, 4000) if name.endswith("Minor") else chance.randint(1, 3)


def random_offer(chance: Random, number: int, *, friendly: bool) -> Offer:
    """A coupon of any kind; a friendly one goes together with most others."""
    kind = chance.choice(list(KINDS))
    plain = offer(number, "AMOUNT_OFF", amount_minor=1)
    odds = [0, 0, 0, 1] if friendly else [0, 1]
    tags = [frozenset("p") if friendly else frozenset(chance.sample("pq", chance.randint(0, 2))) for _ in "ab"]
    terms = KINDS[kind].terms_from_json(random_terms(chance, kind))
    face = KINDS[kind].balance(terms)
    return replace(
        plain,
        kind=kind,
        terms=terms,
        balance_minor=None if face is None else chance.randint(1, face),
        merchant_id=chance.choice([None, None, *MERCHANTS]),
        template_id=TemplateId(UUID(int=1000 + number)),
        valid_until=plain.valid_until + timedelta(days=chance.randint(0, 2)),
        scope=Scope(
            product_refs=frozenset(chance.sample("abc", chance.choice(odds))),
            category_refs=frozenset(chance.sample("xyz", chance.choice(odds))),
            with_member_price=chance.choice(MEMBER_PRICE_RULES),
        ),
        stacking=Stacking(
            lane=chance.choice([None, None, *Lane]),
            tags=tags[0],
            combines_with_tags=tags[1],
            exclusive_group=chance.choice([None, None, None, "g"]),
            priority=chance.randint(-1, 1),
            max_per_order=chance.randint(1, 3),
        ),
        threshold_base=chance.choice(list(ThresholdBase)),
        percent_base=chance.choice(list(PercentBase)),
    )


def random_wallet(chance: Random, *, most: int = 6, friendly: bool = False) -> list[Offer]:
    """Some coupons, every third of them a copy of an earlier one with an id and a validity of its own."""
    wallet: list[Offer] = []
    for number in chance.sample(range(1, 1000), chance.randint(0, most)):
        if wallet and chance.random() < 0.35:
            like = chance.choice(wallet)
            until = like.valid_until + timedelta(days=chance.randint(0, 1))
            wallet.append(replace(like, coupon_id=CouponId(UUID(int=number)), valid_until=until))
        else:
            wallet.append(random_offer(chance, number, friendly=friendly))
    return wallet
