"""Does what an unlock says, by its words alone: what a cart, a clock and a member are after each way of doing it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.coupons.cart import Cart, CartLine, Channel
from domain.coupons.facts import MemberFacts
from domain.coupons.offer import Offer
from domain.members.tiers import DEFAULT_PROGRAMME
from domain.shared.ids import StoreId
from domain.shared.time import instant_of
from tests.domain.coupons.wallets import MERCHANTS

ZONE = ZoneInfo("Asia/Shanghai")
STORES = [StoreId(UUID(int=number)) for number in (71, 72, 73)]
_DAYS = "一二三四五六日"
_PRICE = r"¥([\d,]+\.\d\d)"


@dataclass(frozen=True)
class World:
    """What a step changes."""

    cart: Cart
    at: datetime
    owner: MemberFacts


def minor(text: str) -> int:
    """1,234.50 in minor units."""
    return int(text.replace(",", "").replace(".", ""))


def acts_on(offer: Offer, line: CartLine) -> bool:
    """Whether these are goods that the coupon is about."""
    return offer.scope.holds_line(line, merchant_ids=offer.merchant_ids) and offer.coupon_kind.acts_on(
        offer.terms, line
    )


def goods(offer: Offer) -> list[CartLine]:
    """All goods of the random carts' world that are in the coupon's scope."""
    sets = [frozenset(), *(frozenset(one) for one in "xyz"), frozenset("xyz")]
    kinds_of_goods = product("abcd", MERCHANTS, sets, (False, True))
    lines = [CartLine("new", *one[:2], 1, 1, one[2], at_member_price=one[3]) for one in kinds_of_goods]
    return [line for line in lines if offer.scope.holds_line(line, merchant_ids=offer.merchant_ids)]


def bought(world: World, line: CartLine, *, count: int, price_minor: int) -> World:
    """With so many units more."""
    new = replace(line, quantity=count, unit_price_minor=price_minor)
    return replace(world, cart=replace(world.cart, lines=(*world.cart.lines, new)))


def ways(text: str, *, offer: Offer, world: World, lines: Sequence[CartLine] | None = None) -> list[World]:
    """Every way of doing what the text says; `lines` are the goods that may be bought."""
    lines = goods(offer) if lines is None else lines
    if found := re.fullmatch(rf"再买 {_PRICE} (?:即|至少)减 {_PRICE}", text):
        return [bought(world, line, count=1, price_minor=minor(found[1])) for line in lines]
    if found := re.fullmatch(r"再买 (\d+) 件(.*)即可使用", text):
        units = [line for line in lines if acts_on(offer, line)]
        prices = _prices(found[2])
        return [bought(world, line, count=int(found[1]), price_minor=p) for line, p in product(units, prices)]
    if "购买即可使用" in text:
        return list(_elsewhere(text, world))
    if (owner := _standing(text, world)) is not None:
        return [replace(world, owner=owner)]
    return [replace(world, at=_instant(text, world))]


def _standing(text: str, world: World) -> MemberFacts | None:
    owner = world.owner
    if found := re.fullmatch(r"再完成 (\d+) 笔订单后可用", text):
        return replace(owner, orders=owner.orders + int(found[1]))
    if found := re.fullmatch(r"升级到(.+)即可使用", text):
        (tier,) = (tier for tier in DEFAULT_PROGRAMME.tiers if tier.name.zh_cn == found[1])
        return replace(owner, tier=tier)
    if text == "登记生日后，有效期内的生日当月可用":
        return replace(owner, birth_month=world.at.astimezone(ZONE).month)
    return None


def _prices(bounds: str) -> list[int]:
    floor, ceiling = 1, 500_000
    if found := re.search(f"单价不低于 {_PRICE}", bounds):
        floor = minor(found[1])
    elif found := re.search(f"单价不高于 {_PRICE}", bounds):
        ceiling = minor(found[1])
    elif found := re.search(f"单价 {_PRICE} 至 {_PRICE}", bounds):
        floor, ceiling = minor(found[1]), minor(found[2])
    else:
        assert not bounds
    return [floor, floor + 1, (floor + ceiling) // 2, ceiling] if floor < ceiling else [floor]


def _elsewhere(text: str, world: World) -> Iterator[World]:
    if text == "门店购买即可使用":
        yield replace(world, cart=replace(world.cart, channel=Channel.IN_STORE))
    elif text == "线上购买即可使用":
        for store_id in {world.cart.store_id, None}:
            yield replace(world, cart=replace(world.cart, channel=Channel.ONLINE, store_id=store_id))
    else:
        assert text == "到指定门店购买即可使用"
        for store_id in STORES:
            yield replace(world, cart=replace(world.cart, channel=Channel.IN_STORE, store_id=store_id))


def _instant(text: str, world: World) -> datetime:
    """The first instant after now of which the words hold."""
    found = re.fullmatch(r"(生日当月的?)?(明天|周.|\d{4}-\d\d-\d\d)? ?(\d\d:\d\d)? ?起?可用", text)
    assert found, text
    birthday, day, clock = found.groups()
    at = time.fromisoformat(clock) if clock else time.min
    today = world.at.astimezone(ZONE).date()
    for one in (today + timedelta(days=days) for days in range(800)):
        instant = instant_of(one, at=at, zone=ZONE)
        if instant > world.at.astimezone(UTC) and _is_meant(one, day, today=today):
            if birthday and one.month != world.owner.birth_month:
                continue
            return instant
    raise AssertionError(f"{text} is never")


def _is_meant(one: date, day: str | None, *, today: date) -> bool:
    if day is None:
        return True
    if day == "明天":
        return one == today + timedelta(days=1)
    if day.startswith("周"):
        return one.weekday() == _DAYS.index(day[1])
    return one.isoformat() == day
