"""Conditions of use: a small tree of typed predicates about the cart and the hour, which its template publishes.

Written as JSON: {"all": […]}, {"any": […]}, {"none": […]} hold further conditions; the others are one predicate each.
They are checked wherever a coupon is priced, and not when it is claimed: a claim knows no cart.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from types import MappingProxyType
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from domain.coupons.cart import Cart, CartLine, Channel
from domain.coupons.eligibility import Predicate
from domain.coupons.terms import TermsError, amount_text
from domain.shared.events import JSON
from domain.shared.money import SAFE_INT_MAX, Money, display_text
from domain.shared.text import Text

MAX_DEPTH: Final = 5
MAX_NODES: Final = 50

Path = tuple[str, ...]

_HOUR_AND_MINUTE: Final = re.compile("([01][0-9]|2[0-3]):([0-5][0-9])")


@dataclass(frozen=True, slots=True)
class Facts:
    """What conditions are held against: the cart, its lines in the coupon's scope, and the local time of the order."""

    cart: Cart
    lines: Sequence[CartLine]
    local: datetime


class Node(Protocol):
    """A condition, or a group of them."""

    def prove(self, facts: Facts) -> Predicate:
        """Whether it holds, with what was required and what was found."""
        ...

    def text(self, currency: str) -> Text:
        """The condition in words, for the published rules: a part of a sentence."""
        ...

    def to_json(self) -> dict[str, JSON]:
        """The condition as it was written."""
        ...


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of a template; hours and weekdays are those of `zone`, the programme's when it was made."""

    root: Node
    zone: ZoneInfo

    def prove(self, cart: Cart, *, lines: Sequence[CartLine], at: datetime) -> Predicate:
        """Whether they hold for this cart at that instant; the tree says of each condition what was found."""
        proof = self.root.prove(Facts(cart, lines, at.astimezone(self.zone)))
        return Predicate("conditions", proof.passed, proof.required, proof.actual, (proof,))

    def text(self, currency: str) -> Text:
        """All of them, one sentence."""
        text = self.root.text(currency)
        zone = self.zone.key
        return Text(
            f"使用条件：{text.zh_cn}。时间以 {zone} 时区为准，金额与件数按适用商品优惠前计算。",
            f"Conditions of use: {text.en}. Times are those of {zone}; amounts and quantities are those of the "
            "eligible items before any discount.",
        )

    def to_json(self) -> dict[str, JSON]:
        """As it is stored."""
        return {"zone": self.zone.key, "root": self.root.to_json()}


@dataclass(frozen=True, slots=True)
class _Group:
    rule: str
    children: tuple[Node, ...]

    def prove(self, facts: Facts) -> Predicate:
        found = tuple(child.prove(facts) for child in self.children)
        passed, number = sum(child.passed for child in found), len(found)
        required, holds = {
            "all": (f"{number}/{number}", passed == number),
            "any": (f"≥ 1/{number}", passed >= 1),
            "none": (f"0/{number}", passed == 0),
        }[self.rule]
        return Predicate(self.rule, holds, required, f"{passed}/{number}", found)

    def text(self, currency: str) -> Text:
        texts = [child.text(currency) for child in self.children]
        word = _GROUPS[self.rule]
        zh_cn, en = "；".join(text.zh_cn for text in texts), "; ".join(text.en for text in texts)
        return Text(f"{word.zh_cn}（{zh_cn}）", f"{word.en} ({en})")

    def to_json(self) -> dict[str, JSON]:
        return {self.rule: [child.to_json() for child in self.children]}


_GROUPS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "all": Text("同时满足", "all of"),
        "any": Text("满足任一", "any of"),
        "none": Text("均不属于", "none of"),
    }
)


@dataclass(frozen=True, slots=True)
class _Range:
    """A number between two bounds, both included; None does not bound."""

    at_least: int | None
    at_most: int | None

    def holds(self, value: int) -> bool:
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def required(self, show: Callable[[int], str]) -> str:
        bounds = (("≥", self.at_least), ("≤", self.at_most))
        return ", ".join(f"{sign} {show(bound)}" for sign, bound in bounds if bound is not None)

    def text(self, show: Callable[[int], str]) -> Text:
        zh_cn = [(word, bound) for word, bound in (("不少于", self.at_least), ("不超过", self.at_most))]
        en = [(word, bound) for word, bound in (("at least", self.at_least), ("at most", self.at_most))]
        return Text(
            "且".join(f"{word} {show(bound)}" for word, bound in zh_cn if bound is not None),
            " and ".join(f"{word} {show(bound)}" for word, bound in en if bound is not None),
        )

    def to_json(self) -> dict[str, JSON]:
        named: dict[str, int | None] = {"atLeast": self.at_least, "atMost": self.at_most}
        return {name: bound for name, bound in named.items() if bound is not None}


@dataclass(frozen=True, slots=True)
class _CartAmount:
    range: _Range

    def prove(self, facts: Facts) -> Predicate:
        currency, amount = facts.cart.currency, sum(line.subtotal_minor for line in facts.lines)
        required = self.range.required(lambda minor: display_text(Money(minor, currency)))
        return Predicate("cartAmount", self.range.holds(amount), required, display_text(Money(amount, currency)))

    def text(self, currency: str) -> Text:
        bounds = self.range.text(lambda minor: amount_text(minor, currency).en)
        return Text(f"商品金额{bounds.zh_cn}", f"an amount of {bounds.en}")

    def to_json(self) -> dict[str, JSON]:
        return {"cartAmountMinor": self.range.to_json()}


@dataclass(frozen=True, slots=True)
class _CartQuantity:
    range: _Range

    def prove(self, facts: Facts) -> Predicate:
        quantity = sum(line.quantity for line in facts.lines)
        return Predicate("cartQuantity", self.range.holds(quantity), self.range.required(str), str(quantity))

    def text(self, currency: str) -> Text:  # noqa: ARG002 - the currency is of no matter here
        bounds = self.range.text(str)
        return Text(f"商品件数{bounds.zh_cn}", f"{bounds.en} units")

    def to_json(self) -> dict[str, JSON]:
        return {"cartQuantity": self.range.to_json()}


@dataclass(frozen=True, slots=True)
class _Channels:
    channels: tuple[Channel, ...]

    def prove(self, facts: Facts) -> Predicate:
        required = " | ".join(channel.value for channel in self.channels)
        return Predicate("channel", facts.cart.channel in self.channels, required, facts.cart.channel.value)

    def text(self, currency: str) -> Text:  # noqa: ARG002 - the currency is of no matter here
        words = [_CHANNELS[channel] for channel in self.channels]
        return Text(f"{'或'.join(w.zh_cn for w in words)}购买", f"bought {' or '.join(w.en for w in words)}")

    def to_json(self) -> dict[str, JSON]:
        return {"channel": [channel.value for channel in self.channels]}


_CHANNELS: Final = {Channel.ONLINE: Text("线上", "online"), Channel.IN_STORE: Text("门店", "in store")}


@dataclass(frozen=True, slots=True)
class _Weekdays:
    days: tuple[int, ...]

    def prove(self, facts: Facts) -> Predicate:
        found = facts.local.weekday()
        required = " | ".join(WEEKDAYS[day] for day in self.days)
        return Predicate("weekday", found in self.days, required, WEEKDAYS[found])

    def text(self, currency: str) -> Text:  # noqa: ARG002 - the currency is of no matter here
        return Text(
            "周" + "、周".join("一二三四五六日"[day] for day in self.days),
            "on " + ", ".join(WEEKDAYS[day].capitalize() for day in self.days),
        )

    def to_json(self) -> dict[str, JSON]:
        return {"weekday": [WEEKDAYS[day] for day in self.days]}


WEEKDAYS: Final = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")


@dataclass(frozen=True, slots=True)
class _TimeOfDay:
    """From `starts` until before `ends`, over midnight where that is the earlier."""

    starts: time
    ends: time

    def prove(self, facts: Facts) -> Predicate:
        found = facts.local.time()
        within, over = self.starts <= found < self.ends, found >= self.starts or found < self.ends
        required = f"{self.starts:%H:%M} ≤ t < {self.ends:%H:%M}"
        return Predicate("timeOfDay", within if self.starts < self.ends else over, required, f"{found:%H:%M:%S}")

    def text(self, currency: str) -> Text:  # noqa: ARG002 - the currency is of no matter here
        starts, ends = f"{self.starts:%H:%M}", f"{self.ends:%H:%M}"
        following = self.starts > self.ends
        zh_cn = f"每日 {starts} 至{'次日' if following else ''} {ends}（不含）"
        return Text(zh_cn, f"from {starts} until before {ends}{' of the next day' if following else ''}")

    def to_json(self) -> dict[str, JSON]:
        return {"timeOfDay": {"from": f"{self.starts:%H:%M}", "until": f"{self.ends:%H:%M}"}}


def read_conditions(data: object, *, zone: ZoneInfo) -> Conditions:
    """Read conditions as an operator wrote them; raises TermsError with the path."""
    left = [MAX_NODES]
    return Conditions(_node(data, path=(), left=left), zone)


def stored_conditions(document: Mapping[str, object] | None) -> Conditions | None:
    """Conditions as the database holds them."""
    if document is None:
        return None
    return read_conditions(document["root"], zone=ZoneInfo(str(document["zone"])))


def _node(data: object, *, path: Path, left: list[int]) -> Node:
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
        children = _list(value, path=here)
        nodes = tuple(_node(child, path=(*here, str(place)), left=left) for place, child in enumerate(children))
        return _Group(str(name), nodes)
    read = PREDICATES.get(str(name))
    if read is None:
        raise TermsError("is no condition", path=here)
    return read(value, here)


def _list(value: object, *, path: Path) -> Sequence[object]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TermsError("is not a list", path=path)
    if not value:
        raise TermsError("is empty", path=path)
    return value


def _fields(value: object, *, names: Sequence[str], path: Path) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TermsError("is not an object", path=path)
    for name in value:
        if name not in names:
            raise TermsError(f"has {' and '.join(names)} only", path=(*path, str(name)[:64]))
    return value


def _range(value: object, path: Path) -> _Range:
    given = _fields(value, names=("atLeast", "atMost"), path=path)
    bounds: dict[str, int] = {}
    for name, bound in given.items():
        if type(bound) is not int or not 0 <= bound <= SAFE_INT_MAX:
            raise TermsError(f"is a whole number, 0 to {SAFE_INT_MAX}", path=(*path, name))
        bounds[name] = bound
    if not bounds:
        raise TermsError("has atLeast or atMost", path=path)
    at_least, at_most = bounds.get("atLeast"), bounds.get("atMost")
    if at_least is not None and at_most is not None and at_least > at_most:
        raise TermsError("is less than atLeast", path=(*path, "atMost"))
    return _Range(at_least, at_most)


def _named(value: object, path: Path, *, names: Sequence[str]) -> tuple[str, ...]:
    """Some of the names, each once, in their own order."""
    given = _list(value, path=path)
    for place, name in enumerate(given):
        if name not in names:
            raise TermsError(f"is one of {', '.join(names)}", path=(*path, str(place)))
    if len(set(given)) < len(given):
        raise TermsError("names the same twice", path=path)
    return tuple(name for name in names if name in given)


def _channels(value: object, path: Path) -> Node:
    return _Channels(tuple(map(Channel, _named(value, path, names=[channel.value for channel in Channel]))))


def _weekdays(value: object, path: Path) -> Node:
    return _Weekdays(tuple(WEEKDAYS.index(name) for name in _named(value, path, names=WEEKDAYS)))


def _time_of_day(value: object, path: Path) -> Node:
    given = _fields(value, names=("from", "until"), path=path)
    starts, ends = (_time(given.get(name), (*path, name)) for name in ("from", "until"))
    if starts == ends:
        raise TermsError("is not from", path=(*path, "until"))
    return _TimeOfDay(starts, ends)


def _time(value: object, path: Path) -> time:
    found = _HOUR_AND_MINUTE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise TermsError("is a time of day as HH:MM", path=path)
    return time(int(found[1]), int(found[2]))


PREDICATES: Final[Mapping[str, Callable[[object, Path], Node]]] = MappingProxyType(
    {
        "cartAmountMinor": lambda value, path: _CartAmount(_range(value, path)),
        "cartQuantity": lambda value, path: _CartQuantity(_range(value, path)),
        "channel": _channels,
        "weekday": _weekdays,
        "timeOfDay": _time_of_day,
    }
)
"""Every predicate by its name in JSON."""
