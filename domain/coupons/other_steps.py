"""Steps that buy nothing: another place, another time, another standing of the member; each tried before it is told."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from domain.coupons.cart import Cart, Channel
from domain.coupons.cart_predicates import CHANNEL_TEXTS, DAYS, WEEKDAYS
from domain.coupons.checks import lines_in_scope
from domain.coupons.conditions import Conditions
from domain.coupons.eligibility import Hint
from domain.coupons.facts import NO_PIVOTS, MemberFacts, Pivots
from domain.coupons.trials import Trials
from domain.shared.ids import StoreId
from domain.shared.text import Text
from domain.shared.time import start_of_next_month

MAX_STORES_TRIED: Final = 4
MAX_INSTANTS_TRIED: Final = 4
MAX_INSTANTS_LOOKED_AT: Final = 200
_DAYS_AHEAD: Final = 7
_MONTHS: Final = 12


def _pivots(trials: Trials) -> Pivots:
    conditions = trials.offer.conditions
    return NO_PIVOTS if conditions is None else conditions.pivots


def another_place(trials: Trials) -> Hint | None:
    """The other channel, or a store that is named."""
    cart, scope, pivots = trials.cart, trials.offer.scope, _pivots(trials)
    if scope.channels or pivots.channels:
        other = Channel.IN_STORE if cart.channel is Channel.ONLINE else Channel.ONLINE
        there = replace(cart, channel=other)
        # Whoever goes online leaves the store, or orders from it: either must do.
        leaves = other is Channel.ONLINE and cart.store_id is not None
        carts = (there, replace(there, store_id=None)) if leaves else (there,)
        if all(_gains_in(trials, one) for one in carts):
            word = CHANNEL_TEXTS[other]
            return Hint(Text(f"{word.zh_cn}购买即可使用", f"Buy {word.en} to use it"))
    for store_id in _stores(trials, named=pivots.store_ids):
        if _gains_in(trials, replace(cart, channel=Channel.IN_STORE, store_id=store_id)):
            return Hint(Text("到指定门店购买即可使用", "Buy in one of the named stores to use it"))
    return None


def _gains_in(trials: Trials, cart: Cart) -> bool:
    outcome = trials.run(cart=cart)
    return outcome is not None and trials.gains(outcome)


def _stores(trials: Trials, *, named: frozenset[StoreId]) -> list[StoreId]:
    """Stores worth a try: those first that scope and conditions both name."""
    scope = trials.offer.scope.store_ids
    stores = (scope or named) - {trials.cart.store_id}
    return sorted(stores, key=lambda store_id: (store_id not in named, str(store_id)))[:MAX_STORES_TRIED]


def waiting(trials: Trials) -> Hint | None:
    """The first instant of the coupon's validity at which its conditions hold and it acts."""
    conditions, offer = trials.offer.conditions, trials.offer
    if conditions is None:
        return None
    lines, tried = lines_in_scope(offer, trials.cart), 0
    for at in _instants(conditions, trials=trials):
        if not conditions.prove(trials.cart, lines=lines, at=at, owner=offer.owner).passed:
            continue
        tried += 1
        outcome = trials.run(at=at) if tried <= MAX_INSTANTS_TRIED else None
        if outcome is None:
            return None
        if trials.gains(outcome):
            return Hint(_waiting_text(conditions, now=trials.circumstances.at, at=at, owner=_member(trials)))
    return None


def _instants(conditions: Conditions, *, trials: Trials) -> list[datetime]:
    """The instants at which the conditions may come to hold, in order, within the validity."""
    zone, pivots, now = conditions.zone, conditions.pivots, trials.circumstances.at
    if not (pivots.times or pivots.weekdays or pivots.birthday):
        return []
    days = _days(now.astimezone(zone).date(), pivots=pivots, owner=_member(trials))
    # A local time that clocks repeat is two instants; one that they skip is shifted forward.
    found = {
        datetime.combine(day, at.replace(fold=fold), tzinfo=zone).astimezone(UTC)
        for day in days
        for at in {time.min, *pivots.times}
        for fold in (0, 1)
    }
    return sorted(at for at in found if now < at < trials.offer.valid_until)[:MAX_INSTANTS_LOOKED_AT]


def _days(today: date, *, pivots: Pivots, owner: MemberFacts | None) -> Iterator[date]:
    """Days on which the conditions may answer otherwise than today."""
    ahead = _DAYS_AHEAD if pivots.weekdays else 1
    firsts = [today]
    if pivots.birthday and owner is not None and owner.birth_month is not None:
        month = today.replace(day=1)
        for _ in range(_MONTHS + 1):
            month = start_of_next_month(month)
            # A birthday begins to matter with its month, and ceases to with the next.
            if owner.birth_month in {month.month, (month.month - 2) % _MONTHS + 1}:
                firsts.append(month)
    for first in firsts:
        yield from (first + timedelta(days=days) for days in range(ahead + 1))


def _waiting_text(conditions: Conditions, *, now: datetime, at: datetime, owner: MemberFacts | None) -> Text:
    pivots, then, today = conditions.pivots, at.astimezone(conditions.zone), now.astimezone(conditions.zone).date()
    clock = f"{then:%H:%M}" if pivots.times or then.time() != time.min else ""
    if pivots.birthday and owner is not None and owner.birth_month == then.month != today.month:
        return _in_birthday_month(then, clock=clock, weekdays=pivots.weekdays)
    days = (then.date() - today).days
    weekday_zh, weekday_en = f"周{DAYS[then.weekday()]}", WEEKDAYS[then.weekday()].capitalize()
    if not days:
        return Text(f"{clock} 起可用", f"Can be used from {clock}")
    if days == 1 and not pivots.weekdays:
        return Text(f"明天 {clock or '00:00'} 起可用", f"Can be used from {clock or '00:00'} tomorrow")
    if days < _DAYS_AHEAD:
        zh_cn, en = (f" {clock} 起", f" from {clock}") if clock else ("", "")
        return Text(f"{weekday_zh}{zh_cn}可用", f"Can be used on {weekday_en}{en}")
    shown = f"{then:%Y-%m-%d %H:%M}"
    return Text(f"{shown} 起可用", f"Can be used from {shown}")


def _in_birthday_month(then: datetime, *, clock: str, weekdays: bool) -> Text:
    # Which month that is stays unsaid: the answer is not read by the member alone.
    zh_cn, en = "生日当月", "Can be used in the month of your birthday"
    if weekdays:
        zh_cn, en = f"{zh_cn}的周{DAYS[then.weekday()]}", f"{en}, on {WEEKDAYS[then.weekday()].capitalize()}"
    if clock:
        zh_cn, en = f"{zh_cn} {clock} 起", f"{en} from {clock}"
    return Text(f"{zh_cn}可用", en)


def another_standing(trials: Trials) -> Hint | None:
    """Some orders more, a known birthday, or a higher tier."""
    member, pivots = _member(trials), _pivots(trials)
    if member is None:
        return None
    for number in sorted(pivots.order_numbers):
        more = number - 1 - member.orders
        if more > 0 and _gains_as(trials, replace(member, orders=member.orders + more)):
            en = f"Can be used after {more} more {'order' if more == 1 else 'orders'}"
            return Hint(Text(f"再完成 {more} 笔订单后可用", en))
    if pivots.birthday and member.birth_month is None and trials.offer.conditions is not None:
        month = trials.circumstances.at.astimezone(trials.offer.conditions.zone).month
        if _gains_as(trials, replace(member, birth_month=month)):
            en = "Once your birthday is known, can be used in its month, within the validity"
            return Hint(Text("登记生日后，有效期内的生日当月可用", en))
    for tier in sorted(pivots.tiers, key=lambda tier: tier.rank):
        if tier.rank > member.tier.rank and _gains_as(trials, replace(member, tier=tier)):
            return Hint(Text(f"升级到{tier.name.zh_cn}即可使用", f"Reach {tier.name.en} to use it"))
    return None


def _gains_as(trials: Trials, member: MemberFacts) -> bool:
    outcome = trials.run(owner=member)
    return outcome is not None and trials.gains(outcome)


def _member(trials: Trials) -> MemberFacts | None:
    owner = trials.offer.owner
    return owner if isinstance(owner, MemberFacts) else None
