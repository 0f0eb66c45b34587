"""Single conditions on the cart, the place and the hour."""

import re
from dataclasses import dataclass
from datetime import time
from typing import Final, cast

from domain.coupons.cart import Channel
from domain.coupons.eligibility import Predicate
from domain.coupons.facts import Facts, Node, NoStores, NotOfMember, Path, Pivots, Wording
from domain.coupons.reading_conditions import Names, Range, read_fields, read_list, read_named, read_range
from domain.coupons.terms import MAX_REFS, TermsError, amount_text
from domain.shared.events import JSON
from domain.shared.ids import StoreId
from domain.shared.money import Money, display_text
from domain.shared.text import Text

_HOUR_AND_MINUTE: Final = re.compile("([01][0-9]|2[0-3]):([0-5][0-9])")
WEEKDAYS: Final = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
CHANNEL_TEXTS: Final = {Channel.ONLINE: Text("线上", "online"), Channel.IN_STORE: Text("门店", "in store")}
DAYS: Final = "一二三四五六日"


@dataclass(frozen=True, slots=True)
class CartAmount(NotOfMember, NoStores):
    """The goods in scope cost so much."""

    range: Range

    def prove(self, facts: Facts) -> Predicate:
        """What they cost."""
        currency, amount = facts.currency, facts.amount_minor
        required = self.range.required(lambda minor: display_text(Money(minor, currency)))
        return Predicate("cartAmount", self.range.holds(amount), required, display_text(Money(amount, currency)))

    @property
    def pivots(self) -> Pivots:
        """Its bounds."""
        return Pivots(amounts_minor=self.range.pivots)

    def text(self, wording: Wording) -> Text:
        """An amount."""
        bounds = self.range.text(lambda minor: amount_text(minor, wording.currency).en)
        return Text(f"商品金额{bounds.zh_cn}", f"an amount of {bounds.en}")

    def to_json(self) -> dict[str, JSON]:
        """As it was written."""
        return {"cartAmountMinor": self.range.to_json()}


@dataclass(frozen=True, slots=True)
class CartQuantity(NotOfMember, NoStores):
    """There are so many units in scope."""

    range: Range

    def prove(self, facts: Facts) -> Predicate:
        """How many there are."""
        return Predicate(
            "cartQuantity", self.range.holds(facts.quantity), self.range.required(str), str(facts.quantity)
        )

    @property
    def pivots(self) -> Pivots:
        """Its bounds."""
        return Pivots(quantities=self.range.pivots)

    def text(self, wording: Wording) -> Text:
        """A number of units."""
        del wording
        bounds = self.range.text(str)
        return Text(f"商品件数{bounds.zh_cn}", f"{bounds.en} units")

    def to_json(self) -> dict[str, JSON]:
        """As it was written."""
        return {"cartQuantity": self.range.to_json()}


@dataclass(frozen=True, slots=True)
class Channels(NotOfMember, NoStores):
    """It is bought over one of these channels."""

    channels: tuple[Channel, ...]

    def prove(self, facts: Facts) -> Predicate:
        """Over which it is."""
        required = " | ".join(channel.value for channel in self.channels)
        return Predicate("channel", facts.channel in self.channels, required, facts.channel.value)

    @property
    def pivots(self) -> Pivots:
        """The channels."""
        return Pivots(channels=frozenset(self.channels))

    def text(self, wording: Wording) -> Text:
        """The channels."""
        del wording
        words = [CHANNEL_TEXTS[channel] for channel in self.channels]
        return Text(f"{'或'.join(w.zh_cn for w in words)}购买", f"bought {' or '.join(w.en for w in words)}")

    def to_json(self) -> dict[str, JSON]:
        """As it was written."""
        return {"channel": [channel.value for channel in self.channels]}


@dataclass(frozen=True, slots=True)
class Stores(NotOfMember):
    """It is bought in one of these stores."""

    store_ids: tuple[StoreId, ...]

    def prove(self, facts: Facts) -> Predicate:
        """In which it is."""
        required = " | ".join(sorted(map(str, self.store_ids)))
        return Predicate("store", facts.store_id in self.store_ids, required, str(facts.store_id or "none"))

    @property
    def pivots(self) -> Pivots:
        """The stores."""
        return Pivots(store_ids=frozenset(self.store_ids))

    def text(self, wording: Wording) -> Text:
        """The stores by name, or how many there are where names are not known."""
        named = [wording.names[id_] for id_ in self.store_ids if id_ in wording.names]
        if len(named) < len(self.store_ids):
            count = len(self.store_ids)
            return Text(f"在指定的 {count} 家门店购买", f"bought in one of the {count} named stores")
        return Text(f"在门店（{'、'.join(named)}）购买", f"bought in the store {' or '.join(named)}")

    def to_json(self) -> dict[str, JSON]:
        """The stores by UUID."""
        return {"store": [str(id_) for id_ in self.store_ids]}

    def stores(self, path: Path) -> list[tuple[Path, StoreId]]:
        """These."""
        return [((*path, "store", str(place)), id_) for place, id_ in enumerate(self.store_ids)]


@dataclass(frozen=True, slots=True)
class Weekdays(NotOfMember, NoStores):
    """It is one of these days, 0 for Monday."""

    days: tuple[int, ...]

    def prove(self, facts: Facts) -> Predicate:
        """Which it is."""
        found = facts.local.weekday()
        required = " | ".join(WEEKDAYS[day] for day in self.days)
        return Predicate("weekday", found in self.days, required, WEEKDAYS[found])

    @property
    def pivots(self) -> Pivots:
        """Midnights."""
        return Pivots(weekdays=True)

    def text(self, wording: Wording) -> Text:
        """The days."""
        del wording
        return Text(
            "周" + "、周".join(DAYS[day] for day in self.days),
            "on " + ", ".join(WEEKDAYS[day].capitalize() for day in self.days),
        )

    def to_json(self) -> dict[str, JSON]:
        """As it was written."""
        return {"weekday": [WEEKDAYS[day] for day in self.days]}


@dataclass(frozen=True, slots=True)
class TimeOfDay(NotOfMember, NoStores):
    """From `starts` until before `ends`, over midnight where that is the earlier."""

    starts: time
    ends: time

    def prove(self, facts: Facts) -> Predicate:
        """What time it is."""
        found = facts.local.time()
        within, over = self.starts <= found < self.ends, found >= self.starts or found < self.ends
        required = f"{self.starts:%H:%M} ≤ t < {self.ends:%H:%M}"
        return Predicate("timeOfDay", within if self.starts < self.ends else over, required, f"{found:%H:%M:%S}")

    @property
    def pivots(self) -> Pivots:
        """When it begins and ends."""
        return Pivots(times=frozenset((self.starts, self.ends)))

    def text(self, wording: Wording) -> Text:
        """The hours."""
        del wording
        starts, ends = f"{self.starts:%H:%M}", f"{self.ends:%H:%M}"
        following = self.starts > self.ends
        zh_cn = f"每日 {starts} 至{'次日' if following else ''} {ends}（不含）"
        return Text(zh_cn, f"from {starts} until before {ends}{' of the next day' if following else ''}")

    def to_json(self) -> dict[str, JSON]:
        """As it was written."""
        return {"timeOfDay": {"from": f"{self.starts:%H:%M}", "until": f"{self.ends:%H:%M}"}}


def read_cart_amount(value: object, path: Path, _names: Names) -> Node:
    """{atLeast?, atMost?} in minor units."""
    return CartAmount(read_range(value, path))


def read_cart_quantity(value: object, path: Path, _names: Names) -> Node:
    """{atLeast?, atMost?}."""
    return CartQuantity(read_range(value, path))


def read_channels(value: object, path: Path, _names: Names) -> Node:
    """A list of channels."""
    return Channels(tuple(map(Channel, read_named(value, path, names=[channel.value for channel in Channel]))))


def read_stores(value: object, path: Path, names: Names) -> Node:
    """A list of stores' ids."""
    found = [names.store(given) for given in read_list(value, path=path, most=MAX_REFS)]
    if None in found:
        raise TermsError("is not the id of a store", path=(*path, str(found.index(None))))
    if len(set(found)) < len(found):
        raise TermsError("names the same twice", path=path)
    return Stores(tuple(cast("list[StoreId]", found)))


def read_weekdays(value: object, path: Path, _names: Names) -> Node:
    """A list of days."""
    return Weekdays(tuple(WEEKDAYS.index(name) for name in read_named(value, path, names=WEEKDAYS)))


def read_time_of_day(value: object, path: Path, _names: Names) -> Node:
    """{from, until} as HH:MM."""
    given = read_fields(value, names=("from", "until"), path=path)
    starts, ends = (_time(given.get(name), (*path, name)) for name in ("from", "until"))
    if starts == ends:
        raise TermsError("is not from", path=(*path, "until"))
    return TimeOfDay(starts, ends)


def _time(value: object, path: Path) -> time:
    found = _HOUR_AND_MINUTE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise TermsError("is a time of day as HH:MM", path=path)
    return time(int(found[1]), int(found[2]))
