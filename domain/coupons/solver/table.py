"""What of a wallet is searched, made ready once: its coupons, and how they stand to each other."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from domain.coupons.decision import Circumstances
from domain.coupons.moment import Moment
from domain.coupons.offer import Funder, Offer
from domain.coupons.sights import bits
from domain.coupons.solver.answers import Budget
from domain.coupons.solver.candidates import UNLIMITED, Candidate, How, Limits, Scout
from domain.coupons.solver.purses import NO_PURSE
from domain.coupons.solver.rivals import Rivals, rivals_of
from domain.coupons.solver.unit_prices import UnitPrices
from domain.shared.allocation import WHOLE_BASIS_POINTS

MAX_SEARCHED: Final = 500
"""How many coupons are searched; of more that could act, those that could take most off."""

_AT_LEAST: Final = 128  # coupons that are made ready in any case: it takes few milliseconds
_BATCH: Final = 16  # coupons that are made ready between two looks at the clock after that


@dataclass(frozen=True, slots=True)
class Table:
    """The candidates in pricing order, and how they stand to each other; sets of candidates are bits of integers.

    `useful` are those worth trying. `before[j]` is the interchangeable one before j (-1: none): j is only tried with
    it. `stand_in[j]` is the coupon to use at j: j's own, unless it `has_copies`. Of the templates that are `crowded`
    there are more than an order takes.
    `masks` are the lines of each view, as bits. The first `front` candidates act on units or on the fee, and before
    points: until then units cost what they did before any discount. `points_at` is the first candidate before which
    points pay, `points_minor` at most. `cut_minor` is what the coupons that are left out of the search could take off
    at most, `most_minor` what all coupons could.
    """

    start: Moment
    candidates: tuple[Candidate, ...]
    rivals: Rivals
    useful: int
    before: tuple[int, ...]
    stand_in: tuple[Offer, ...]
    has_copies: bool
    crowded: frozenset[int]
    views: tuple[tuple[int, ...], ...]
    masks: tuple[int, ...]
    prices: Mapping[int, UnitPrices]
    front: int
    points_at: int
    points_minor: int
    cut_minor: int
    most_minor: int


def tabulate(
    offers: Sequence[Offer],
    *,
    start: Moment,
    circumstances: Circumstances,
    budget: Budget,
    limits: Limits = UNLIMITED,
    points_minor: int = 0,
) -> Table:
    """Keep what could act, and work out once what the search needs; what is left when the budget is spent is cut."""
    scout = Scout(start, circumstances=circumstances, limits=limits)
    able: list[Candidate] = []
    cut: Sequence[Offer] = ()
    cut_minor = 0
    # Those that expire first are made ready first: where time runs out, they are the ones to be used.
    ordered = sorted(offers, key=lambda offer: (offer.valid_until, offer.coupon_id.int))
    for number, offer in enumerate(ordered):
        if number >= _AT_LEAST and number % _BATCH == 0 and budget.is_spent(explored=0):
            cut = ordered[number:]
            break
        candidate = scout.candidate(offer)
        if candidate is not None:
            able.append(candidate)
    able.sort(key=lambda one: one.order)
    if len(able) > MAX_SEARCHED:
        by_value = sorted(able, key=lambda one: (-one.cap_minor, one.offer.valid_until, one.offer.coupon_id.int))
        kept = {one.offer.coupon_id for one in by_value[:MAX_SEARCHED]}
        able = [one for one in able if one.offer.coupon_id in kept]
        cut_minor = sum([one.cap_minor for one in by_value[MAX_SEARCHED:]])
    _forget_ample_purses(able)
    rivals = rivals_of(able)
    before, stand_in, useful = _interchange(able, clash=rivals.clash)
    points_at = sum([not one.lane.is_after_points for one in able])
    return Table(
        start=start,
        candidates=tuple(able),
        rivals=rivals,
        useful=useful,
        before=before,
        stand_in=stand_in,
        has_copies=any(one.offer is not offer for one, offer in zip(able, stand_in, strict=True)),
        crowded=_crowded([able[place] for place in bits(useful)]),
        views=scout.views,
        masks=tuple([sum([1 << line for line in view]) for view in scout.views]),
        prices=scout.prices,
        front=min(_front(able), points_at) if points_minor else _front(able),
        points_at=points_at,
        points_minor=points_minor,
        cut_minor=cut_minor + _most_of(cut, (), start=start, limits=limits),
        most_minor=_most_of(cut, able, start=start, limits=limits) + cut_minor,
    )


def _most_of(offers: Sequence[Offer], candidates: Sequence[Candidate], *, start: Moment, limits: Limits) -> int:
    """What these could take off together: as far as limited purses go. Of offers that draw on none nothing is known."""
    purses, most = dict[object, int](), 0
    for offer in offers:
        purse = limits.purse_of.get(offer.coupon_id, NO_PURSE)
        if purse.left_minor is None:
            return start.room_minor
        purses[purse.key] = purse.left_minor
    for one in candidates:
        if one.purse.left_minor is None:
            most += one.cap_minor
        else:
            purses[one.purse.key] = one.purse.left_minor
    return min(most + sum(purses.values()), start.room_minor)


def _forget_ample_purses(candidates: Sequence[Candidate]) -> None:
    """Where all that draw on a partial purse could do so at once, none is ever cut, and nobody need look at it."""
    for purse in {one.purse.key: one.purse for one in candidates if one.purse.partial}.values():
        drawing = [one for one in candidates if one.purse.key == purse.key]
        asked: Counter[Funder | None] = Counter({None: sum([one.cap_minor for one in drawing])})
        for one in drawing:
            for share in one.offer.borne_by:
                # A part is rounded up by less than one.
                asked[share.funder] += one.cap_minor * share.basis_points // WHOLE_BASIS_POINTS + 1
        lefts = [
            (purse.left_minor if funder is None else purse.by_funder.get(funder), most)
            for funder, most in asked.items()
        ]
        if all(left is None or most <= left for left, most in lefts):
            for one in drawing:
                one.purse = NO_PURSE


def _front(candidates: Sequence[Candidate]) -> int:
    """How many act before the first that looks at sums."""
    for place, one in enumerate(candidates):
        if one.how is not How.UNITS and one.how is not How.FEE:
            return place
    return len(candidates)


def _crowded(candidates: Sequence[Candidate]) -> frozenset[int]:
    counts = Counter([one.template for one in candidates])
    return frozenset([one.template for one in candidates if counts[one.template] > one.at_most])


def _interchange(
    candidates: Sequence[Candidate], *, clash: Sequence[int]
) -> tuple[tuple[int, ...], tuple[Offer, ...], int]:
    """Which coupons may stand in for each other, and which of them are of any use.

    Two coupons that differ in id and period alone act alike, unless one that goes with them is priced between the two.
    Of a row of such coupons the earliest expiring are used first, then the lowest ids; more than the order takes are
    of no use.
    """
    rows: list[list[int]] = []
    open_rows: dict[int, list[int]] = {}
    for place, candidate in enumerate(candidates):
        row = open_rows.get(candidate.sort)
        if row is None or not _nothing_between(row[-1], place, clash=clash):
            row = open_rows[candidate.sort] = []
            rows.append(row)
        row.append(place)
    before, stand_in = [-1] * len(candidates), [candidate.offer for candidate in candidates]
    useful = 0
    for row in rows:
        if len(row) == 1:
            useful |= 1 << row[0]
            continue
        best_first = sorted((candidates[at].offer for at in row), key=lambda one: (one.valid_until, one.coupon_id))
        for nth, place in enumerate(row[: candidates[row[0]].at_most]):
            before[place] = row[nth - 1] if nth else -1
            stand_in[place] = best_first[nth]
            useful |= 1 << place
    return tuple(before), tuple(stand_in), useful


def _nothing_between(first: int, last: int, *, clash: Sequence[int]) -> bool:
    """Whether no coupon that goes with either of these two is priced between them."""
    between = (1 << last) - (2 << first)
    return not between & ~(clash[first] & clash[last])
