"""Conditions of use: a small tree of typed predicates about cart, hour and member, which its template publishes.

Written as JSON: {"all": […]}, {"any": […]}, {"none": […]} hold further conditions; the others are one predicate each.
They are checked wherever a coupon is priced, and not when it is claimed: a claim knows no cart.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from operator import or_
from types import MappingProxyType
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.coupons.cart import Cart, CartLine
from domain.coupons.cart_predicates import (
    read_cart_amount,
    read_cart_quantity,
    read_channels,
    read_stores,
    read_time_of_day,
    read_weekdays,
)
from domain.coupons.eligibility import Predicate
from domain.coupons.facts import NO_NAMES, Facts, Node, Owner, Path, Pivots, Wording
from domain.coupons.member_predicates import (
    read_birthday_month,
    read_first_order,
    read_member_tags,
    read_member_tier,
    read_order_number,
)
from domain.coupons.reading_conditions import PLAIN_NAMES, Names, read_list
from domain.coupons.terms import TermsError
from domain.shared.events import JSON
from domain.shared.ids import StoreId
from domain.shared.text import Text

__all__ = ["MAX_DEPTH", "MAX_NODES", "PREDICATES", "Conditions", "read_conditions", "stored_conditions"]

MAX_DEPTH: Final = 5
MAX_NODES: Final = 50


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of a template; hours and weekdays are those of `zone`, the programme's when it was made."""

    root: Node
    zone: ZoneInfo

    @property
    def asks_of_member(self) -> bool:
        """Whether the facts of the member are needed; where they are not, nobody reads them."""
        return self.root.asks_of_member

    @property
    def stores(self) -> Sequence[tuple[Path, StoreId]]:
        """The stores that are named, each with the path to it."""
        return self.root.stores(())

    @property
    def pivots(self) -> Pivots:
        """The values at which their answer may change."""
        return self.root.pivots

    def prove(self, cart: Cart, *, lines: Sequence[CartLine], at: datetime, owner: Owner | None = None) -> Predicate:
        """Whether they hold for this cart at that instant; the tree says of each condition what was found.

        `lines` are those in scope.
        """
        proof = self.root.prove(self._facts(cart, lines=lines, at=at, owner=owner))
        return Predicate("conditions", proof.passed, proof.required, proof.actual, (proof,))

    def text(self, currency: str, *, names: Mapping[UUID, str] = NO_NAMES) -> Text:
        """All of them, one sentence."""
        text = self.root.text(Wording(currency, names))
        zone = self.zone.key
        zh_cn, en = "", ""
        if self.asks_of_member:
            zh_cn = (
                "会员等级、标签、订单与生日以下单时为准；订单不含已取消和全部退货的，含尚未付款但已锁定优惠或积分的。"
            )
            en = (
                " Tier, tags, orders and birthday are those at the time of the order; cancelled orders and those "
                "that were returned whole do not count, those that are not paid yet but hold coupons or points do."
            )
        return Text(
            f"使用条件：{text.zh_cn}。时间以 {zone} 时区为准，金额与件数按适用商品优惠前计算。{zh_cn}",
            f"Conditions of use: {text.en}. Times are those of {zone}; amounts and quantities are those of the "
            f"eligible items before any discount.{en}",
        )

    def to_json(self) -> dict[str, JSON]:
        """As it is stored."""
        return {"zone": self.zone.key, "root": self.root.to_json()}

    def _facts(self, cart: Cart, *, lines: Sequence[CartLine], at: datetime, owner: Owner | None) -> Facts:
        return Facts(
            currency=cart.currency,
            channel=cart.channel,
            store_id=cart.store_id,
            amount_minor=sum(line.subtotal_minor for line in lines),
            quantity=sum(line.quantity for line in lines),
            local=at.astimezone(self.zone),
            owner=owner,
        )


@dataclass(frozen=True, slots=True)
class _Group:
    rule: str
    children: tuple[Node, ...]

    @property
    def asks_of_member(self) -> bool:
        return any(child.asks_of_member for child in self.children)

    def prove(self, facts: Facts) -> Predicate:
        below = replace(facts, negated=not facts.negated) if self.rule == "none" else facts
        found = tuple(child.prove(below) for child in self.children)
        passed, number = sum(child.passed for child in found), len(found)
        required, holds = {
            "all": (f"{number}/{number}", passed == number),
            "any": (f"≥ 1/{number}", passed >= 1),
            "none": (f"0/{number}", passed == 0),
        }[self.rule]
        return Predicate(self.rule, holds, required, f"{passed}/{number}", found)

    @property
    def pivots(self) -> Pivots:
        return reduce(or_, [child.pivots for child in self.children])

    def text(self, wording: Wording) -> Text:
        texts = [child.text(wording) for child in self.children]
        word = _GROUPS[self.rule]
        zh_cn, en = "；".join(text.zh_cn for text in texts), "; ".join(text.en for text in texts)
        return Text(f"{word.zh_cn}（{zh_cn}）", f"{word.en} ({en})")

    def to_json(self) -> dict[str, JSON]:
        return {self.rule: [child.to_json() for child in self.children]}

    def stores(self, path: Path) -> Sequence[tuple[Path, StoreId]]:
        return [
            found for place, child in enumerate(self.children) for found in child.stores((*path, self.rule, str(place)))
        ]


_GROUPS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "all": Text("同时满足", "all of"),
        "any": Text("满足任一", "any of"),
        "none": Text("均不属于", "none of"),
    }
)


def read_conditions(data: object, *, zone: ZoneInfo, names: Names = PLAIN_NAMES) -> Conditions:
    """Read conditions as an operator wrote them; raises TermsError with the path."""
    left = [MAX_NODES]
    return Conditions(_node(data, path=(), left=left, names=names), zone)


def stored_conditions(document: Mapping[str, object] | None) -> Conditions | None:
    """Conditions as the database holds them."""
    if document is None:
        return None
    return read_conditions(document["root"], zone=ZoneInfo(str(document["zone"])))


def _node(data: object, *, path: Path, left: list[int], names: Names) -> Node:
    left[0] -= 1
    if left[0] < 0:
        raise TermsError(f"has more than {MAX_NODES} conditions", path=path)
    if not isinstance(data, Mapping) or len(data) != 1:
        raise TermsError("is an object with one condition", path=path)
    ((name, value),) = data.items()
    here = (*path, str(name)[:64])
    if name in _GROUPS:
        if len([step for step in path if step in _GROUPS]) >= MAX_DEPTH:
            raise TermsError(f"is deeper than {MAX_DEPTH} groups", path=here)
        children = read_list(value, path=here)
        nodes = [_node(one, path=(*here, str(place)), left=left, names=names) for place, one in enumerate(children)]
        return _Group(str(name), tuple(nodes))
    read = PREDICATES.get(str(name))
    if read is None:
        raise TermsError("is no condition", path=here)
    return read(value, here, names)


PREDICATES: Final[Mapping[str, Callable[[object, Path, Names], Node]]] = MappingProxyType(
    {
        "cartAmountMinor": read_cart_amount,
        "cartQuantity": read_cart_quantity,
        "channel": read_channels,
        "store": read_stores,
        "weekday": read_weekdays,
        "timeOfDay": read_time_of_day,
        "memberTier": read_member_tier,
        "memberTags": read_member_tags,
        "firstOrder": read_first_order,
        "orderNumber": read_order_number,
        "birthdayMonth": read_birthday_month,
    }
)
"""Every predicate by its name in JSON."""
