"""How the coupons of a wallet stand to each other: which go together, and which may stand in for each other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from domain.coupons.decision import Circumstances
from domain.coupons.lanes import Lane
from domain.coupons.moment import Moment
from domain.coupons.offer import Offer, Stacking
from domain.coupons.solver.candidates import Candidate, Scout, Sort
from domain.shared.ids import TemplateId

MAX_SEARCHED: Final = 60
"""How many coupons are searched; of more that could act, those that could take most off."""


@dataclass(frozen=True, slots=True)
class Table:
    """The candidates in pricing order, and how they stand to each other; sets of candidates are bits of integers.

    `useful` are those worth trying; `goes_with[i]` are the later ones of these that may act after i. `before[j]` is the
    interchangeable one before j (-1: none): j is only tried together with it. `stand_in[j]` is the coupon to use at j.
    `either[j]` numbers a set of coupons, j's own, of which no two go together; `atoms` are sets of lines: every view
    has one in it or has not, `atoms_of[v]` those that the view v is made of, and `shift_into[w][v]` is by how much, at
    most, rounding in v may change the sum of w; `meets[v]` are the views that share a line with v. `cut_minor` is what
    the coupons that are left out of the search could take off at most.
    """

    start: Moment
    candidates: tuple[Candidate, ...]
    views: tuple[tuple[int, ...], ...]
    useful: int
    goes_with: tuple[int, ...]
    before: tuple[int, ...]
    stand_in: tuple[Offer, ...]
    either: tuple[int, ...]
    atoms: tuple[tuple[int, ...], ...]
    atoms_of: tuple[tuple[int, ...], ...]
    shift_into: tuple[tuple[float, ...], ...]
    meets: tuple[tuple[int, ...], ...]
    cut_minor: int


def tabulate(offers: Sequence[Offer], *, start: Moment, circumstances: Circumstances) -> Table:
    """Keep what could act, and work out once what the search needs of each pair."""
    scout = Scout(start, circumstances)
    ordered = sorted(offers, key=lambda offer: offer.pricing_order)
    able = [candidate for offer in ordered if (candidate := scout.candidate(offer)) is not None]
    by_value = sorted(able, key=lambda one: (-one.cap_minor, one.offer.valid_until, one.offer.coupon_id))
    kept_ids = {one.offer.coupon_id for one in by_value[:MAX_SEARCHED]}
    candidates = tuple(one for one in able if one.offer.coupon_id in kept_ids)
    goes_with = _goes_with(candidates)
    before, stand_in, useful = _interchange(candidates, goes_with=goes_with)
    atoms, atoms_of = _atoms(scout.views)
    return Table(
        start=start,
        candidates=candidates,
        views=scout.views,
        useful=useful,
        goes_with=tuple(mask & useful for mask in goes_with),
        before=before,
        stand_in=stand_in,
        either=_eithers(candidates, goes_with=goes_with),
        atoms=atoms,
        atoms_of=atoms_of,
        shift_into=_shifts(scout.views),
        meets=_meets(atoms_of),
        cut_minor=sum(one.cap_minor for one in by_value[MAX_SEARCHED:]),
    )


def bits(places: int) -> Iterator[int]:
    """The places in a set of bits, the earliest first."""
    while places:
        lowest = places & -places
        yield lowest.bit_length() - 1
        places ^= lowest


def _goes_with(candidates: Sequence[Candidate]) -> list[int]:
    """For each candidate the later ones that may act after it, by the rules that pricing holds against each pair."""
    members: dict[tuple[Lane, Stacking], int] = {}
    templates: dict[TemplateId, int] = {}
    for place, one in enumerate(candidates):
        bit, stacking = 1 << place, (one.lane, one.offer.stacking)
        members[stacking] = members.get(stacking, 0) | bit
        templates[one.offer.template_id] = templates.get(one.offer.template_id, 0) | bit
    single = sum(1 << place for place, one in enumerate(candidates) if one.at_most == 1)
    together = {first: sum(mask for then, mask in members.items() if _go_together(first, then)) for first in members}
    return [
        together[one.lane, one.offer.stacking] & ~(templates[one.offer.template_id] & single) & (-2 << place)
        for place, one in enumerate(candidates)
    ]


def _go_together(first: tuple[Lane, Stacking], then: tuple[Lane, Stacking]) -> bool:
    (first_lane, one), (then_lane, other) = first, then
    if one.exclusive_group and one.exclusive_group == other.exclusive_group:
        return False
    return first_lane is not then_lane or one.combines_with(other)


def _interchange(
    candidates: Sequence[Candidate], *, goes_with: Sequence[int]
) -> tuple[tuple[int, ...], tuple[Offer, ...], int]:
    """Which coupons may stand in for each other, and which of them are of any use.

    Two coupons that differ in id and period alone act alike, unless one that goes with them is priced between the two.
    Of a row of such coupons the earliest expiring are used first, then the lowest ids; more than the order takes are
    of no use.
    """
    rows: list[list[int]] = []
    open_rows: dict[Sort, list[int]] = {}
    for place, candidate in enumerate(candidates):
        row = open_rows.get(candidate.sort)
        if row is None or not _nothing_between(row[-1], place, goes_with=goes_with):
            row = open_rows[candidate.sort] = []
            rows.append(row)
        row.append(place)
    before, stand_in = [-1] * len(candidates), [candidate.offer for candidate in candidates]
    useful = 0
    for row in rows:
        best_first = sorted(
            (candidates[place].offer for place in row), key=lambda one: (one.valid_until, one.coupon_id)
        )
        for nth, place in enumerate(row[: candidates[row[0]].at_most]):
            before[place] = row[nth - 1] if nth else -1
            stand_in[place] = best_first[nth]
            useful |= 1 << place
    return tuple(before), tuple(stand_in), useful


def _nothing_between(first: int, last: int, *, goes_with: Sequence[int]) -> bool:
    """Whether no coupon that goes with either of these two is priced between them."""
    return not any(
        goes_with[first] >> between & 1 or goes_with[between] >> last & 1 for between in range(first + 1, last)
    )


def _eithers(candidates: Sequence[Candidate], *, goes_with: Sequence[int]) -> tuple[int, ...]:
    """Sets of coupons of which no two go together, as few as are found at once, the dearest first."""
    count = len(candidates)
    together = list(goes_with)
    for first, later in enumerate(goes_with):
        for place in bits(later):
            together[place] |= 1 << first
    either = [0] * count
    sets: list[int] = []
    for place in sorted(range(count), key=lambda place: -candidates[place].cap_minor):
        for number, members in enumerate(sets):
            if not together[place] & members:
                sets[number] |= 1 << place
                either[place] = number
                break
        else:
            either[place] = len(sets)
            sets.append(1 << place)
    return tuple(either)


def _atoms(views: Sequence[tuple[int, ...]]) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
    """The lines in sets that no view parts, and of which of them each view is made."""
    seen_by: dict[int, int] = {}
    for number, view in enumerate(views):
        for line in view:
            seen_by[line] = seen_by.get(line, 0) | 1 << number
    lines_of: dict[int, list[int]] = {}
    for line, seen in seen_by.items():
        lines_of.setdefault(seen, []).append(line)
    parts = list(lines_of)
    made_of = [tuple(n for n, seen in enumerate(parts) if seen >> number & 1) for number in range(len(views))]
    return tuple(tuple(lines_of[seen]) for seen in parts), tuple(made_of)


def _meets(atoms_of: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    """For each view those that share a line with it."""
    masks = [sum([1 << atom for atom in atoms]) for atoms in atoms_of]
    return tuple(tuple([view for view, other in enumerate(masks) if mask & other]) for mask in masks)


def _shifts(views: Sequence[tuple[int, ...]]) -> tuple[tuple[float, ...], ...]:
    """For each view by how much rounding in each changes its sum at most.

    Largest remainders move each line by less than one minor unit, and the lines of a view by nothing in all. So a part
    of k of m lines is off by less than k and m - k; and by m / 4 at most, where half of them are moved half.
    """
    masks = [sum([1 << line for line in view]) for view in views]

    def shift(rounded: int, seen: int) -> float:
        inside, lines = (rounded & seen).bit_count(), rounded.bit_count()
        return min(inside, lines - inside, lines / 4)

    return tuple(tuple([shift(rounded, seen) for rounded in masks]) for seen in masks)
