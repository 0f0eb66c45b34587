"""An unlock is never untrue: whoever does what it says, in any way that it can be read, sees the coupon act."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from domain.coupons.cart import Channel, Scope
from domain.coupons.conditions import read_conditions
from domain.coupons.decision import Circumstances
from domain.coupons.eligibility import Eligibility, Unlock
from domain.coupons.facts import MemberFacts
from domain.coupons.offer import CouponState, Offer
from domain.coupons.pricing import Pricing, PricingPolicy, price
from domain.coupons.solver.answers import StepBudget
from domain.coupons.solver.rejections import rejections
from domain.coupons.solver.search import solve
from domain.members.tiers import DEFAULT_PROGRAMME
from domain.shared.ids import CouponId
from tests.domain.coupons.carts import NOW
from tests.domain.coupons.steps import STORES, ZONE, World, ways
from tests.domain.coupons.wallets import random_cart, random_wallet

SEEDS = range(90)
WALLETS_OF_A_SEED = 12
DAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]


def random_leaf(chance: Random) -> dict[str, Any]:
    """Any condition, of numbers that the random carts come near."""
    amount, count = chance.randint(1, 12_000), chance.randint(1, 9)
    leaves: list[dict[str, Any]] = [
        {"cartAmountMinor": {"atLeast": amount}},
        {"cartAmountMinor": {"atMost": amount}},
        {"cartAmountMinor": {"atLeast": amount, "atMost": amount + chance.randint(0, 3000)}},
        {"cartQuantity": {"atLeast": count}},
        {"cartQuantity": {"atMost": count}},
        {"channel": [chance.choice(["ONLINE", "IN_STORE"])]},
        {"store": [str(store_id) for store_id in chance.sample(STORES, chance.randint(1, 2))]},
        {"weekday": chance.sample(DAYS, chance.randint(1, 3))},
        {"timeOfDay": {"from": f"{chance.randint(0, 11):02}:30", "until": f"{chance.randint(12, 23)}:00"}},
        {"timeOfDay": {"from": f"{chance.randint(18, 23)}:00", "until": f"{chance.randint(0, 6):02}:00"}},
        {"memberTier": {"atLeast": chance.choice(DEFAULT_PROGRAMME.tiers).code}},
        {"memberTags": ["VIP"]},
        {"firstOrder": True},
        {"orderNumber": {"atLeast": chance.randint(1, 5)}},
        {"orderNumber": {"atMost": chance.randint(1, 5)}},
        {"birthdayMonth": True},
    ]
    return chance.choice(leaves)


def random_tree(chance: Random, *, depth: int = 2) -> dict[str, Any]:
    """A condition, or a group of some."""
    if not depth or chance.random() < 0.4:
        return random_leaf(chance)
    children = [random_tree(chance, depth=depth - 1) for _ in range(chance.randint(1, 3))]
    return {chance.choice(["all", "all", "any", "none"]): children}


def random_world(chance: Random) -> World:
    """A cart, somewhere, at some time, of some member."""
    owner = MemberFacts(
        tier=chance.choice(DEFAULT_PROGRAMME.tiers),
        tags=frozenset(chance.sample(["VIP", "staff"], chance.randint(0, 2))),
        orders=chance.randint(0, 4),
        birth_month=chance.choice([None, *range(1, 13)]),
    )
    cart = replace(
        random_cart(chance, lines=3),
        channel=chance.choice(list(Channel)),
        store_id=chance.choice([None, *STORES]),
    )
    return World(cart, NOW + timedelta(minutes=chance.randint(0, 20_000)), owner)


def conditioned(chance: Random, offer: Offer, *, world: World) -> Offer:
    """The coupon with a condition or a place more, where chance has it so."""
    scope: Scope = offer.scope
    if chance.random() < 0.15:
        scope = replace(scope, channels=frozenset((chance.choice(list(Channel)),)))
    if chance.random() < 0.15:
        scope = replace(scope, store_ids=frozenset(chance.sample(STORES, 2)))
    found = replace(offer, scope=scope, valid_until=NOW + timedelta(days=chance.choice([3, 10, 40, 400])))
    if chance.random() < 0.5:
        found = replace(found, conditions=read_conditions(random_tree(chance), zone=ZONE), owner=world.owner)
    return found


@dataclass(frozen=True)
class Basis:
    """How a wallet is priced: the coupons beside each other, what points pay, and the least to pay."""

    offers: Sequence[Offer]
    points_minor: int
    policy: PricingPolicy

    def price(self, world: World) -> Pricing:
        """The coupons in this world."""
        known = [replace(offer, owner=world.owner) if offer.owner else offer for offer in self.offers]
        return price(world.cart, known, policy=self.policy, at=world.at, points_minor=self.points_minor)

    def taken(self, world: World) -> dict[CouponId, int]:
        """What each of them takes off that acts."""
        return {one.offer.coupon_id: one.amount_minor for one in self.price(world).applied}


def check(eligibility: Eligibility, offer: Offer, *, basis: Basis, world: World) -> str:
    """Do what is told, in every way that it can be read, and see the coupon act; answers what was told."""
    unlock = eligibility.unlock
    if unlock is None:
        return "nothing"
    text = unlock.text.zh_cn
    found = ways(text, offer=offer, world=world)
    amounts = [basis.taken(one).get(offer.coupon_id, 0) for one in found]
    # "One of the named stores" need not be each of them.
    worst = max(amounts) if "指定门店" in text else min(amounts)
    assert worst > 0, text
    assert all(offer.valid_from <= one.at < offer.valid_until for one in found), text
    if isinstance(unlock, Unlock):
        assert worst == unlock.saving.minor, text
        assert unlock.at_least == (max(amounts) > worst), text
        check_that_less_would_not_do(offer, unlock.more.minor - 1, basis=basis, world=world)
    return re.sub(r"(?<=周)[一二三四五六日]|[\d¥,.:-]+", "…", text)


def check_that_less_would_not_do(offer: Offer, less_minor: int, *, basis: Basis, world: World) -> None:
    now = set(basis.taken(world))
    if less_minor:
        found = ways(f"再买 ¥{less_minor / 100:.2f} 即减 ¥0.01", offer=offer, world=world)
        assert not all(now | {offer.coupon_id} <= set(basis.taken(one)) for one in found)


def chosen(seed: int) -> Iterator[str]:
    """What is told beside the coupons that somebody chose, each step carried out."""
    for world, basis in wallets(seed):
        for refused in basis.price(world).not_applied:
            yield check(refused.eligibility, refused.offer, basis=basis, world=world)


def wallets(seed: int) -> Iterator[tuple[World, Basis]]:
    chance = Random(seed)
    for number in range(WALLETS_OF_A_SEED):
        world = random_world(chance)
        wallet = random_wallet(chance, most=5, friendly=bool(number % 2))
        offers = [conditioned(chance, offer, world=world) for offer in wallet]
        points_minor = chance.choice([0, 0, chance.randint(1, 5000)])
        yield world, Basis(offers, points_minor, PricingPolicy(chance.randint(0, 1)))


@pytest.mark.parametrize("seed", SEEDS)
def test_of_chosen_coupons_every_step_that_is_told_makes_its_coupon_act(seed: int) -> None:
    assert list(chosen(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_beside_the_best_combination_every_step_that_is_told_makes_its_coupon_act(seed: int) -> None:
    for world, basis in wallets(seed):
        cart, policy, budget = world.cart, basis.policy, StepBudget(1000)
        best = solve(cart, basis.offers, policy=policy, at=world.at, budget=budget).best.offers
        acting = {one.offer.coupon_id for one in replace(basis, offers=best).price(world).applied}
        best = tuple(offer for offer in best if offer.coupon_id in acting)
        for refused in rejections(
            cart,
            basis.offers,
            best=best,
            policy=policy,
            circumstances=Circumstances(world.at, frozenset({CouponState.CLAIMED})),
            points_minor=basis.points_minor,
        ):
            beside = replace(basis, offers=[*best, refused.offer])
            check(refused.eligibility, refused.offer, basis=beside, world=world)


def test_the_random_wallets_are_told_steps_of_every_sort() -> None:
    told = {text for seed in SEEDS for text in chosen(seed)}
    assert told >= {
        "nothing",
        "再买 … 即减 …",
        "再买 … 至少减 …",
        "再买 … 件即可使用",
        "再买 … 件（单价不低于 …）即可使用",
        "再买 … 件（单价不高于 …）即可使用",
        "门店购买即可使用",
        "线上购买即可使用",
        "到指定门店购买即可使用",
        "… 起可用",
        "明天 … 起可用",
        "周…可用",
        "生日当月可用",
        "再完成 … 笔订单后可用",
    }
