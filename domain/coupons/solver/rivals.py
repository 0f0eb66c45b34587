"""Which coupons go together: classes of coupons that all others treat alike, and sets of classes that may act together.

What two coupons of one lane consent to, what an exclusive group allows, and how many of a template an order takes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from domain.coupons.offer import Stacking
from domain.coupons.sights import bits
from domain.coupons.solver.candidates import Candidate

MAX_SETS: Final = 64
"""Of a family of classes with more sets than these, it is only asked that no two of one clique act together."""


@dataclass(frozen=True, slots=True)
class Rivals:
    """How candidates stand to each other; sets of candidates, and of classes, are bits of integers.

    `of[i]` is the class of candidate i. Of a class that is `friendly` any may act together, otherwise one. `clash[i]`
    are the candidates that do not go with i. A family is classes that are at odds with each other and with no class
    outside it: `sets` are by family the largest sets of classes that may act together, `family` the one of each class,
    `within` the places of the sets that the class is in. `exact` says that two of a set do go together.
    """

    of: tuple[int, ...]
    friendly: tuple[bool, ...]
    clash: tuple[int, ...]
    sets: tuple[tuple[tuple[int, ...], ...], ...]
    family: tuple[int, ...]
    within: tuple[tuple[int, ...], ...]
    exact: bool


_Class = tuple[int, frozenset[str], frozenset[str], str | None]


def rivals_of(candidates: Sequence[Candidate]) -> Rivals:
    """Sort candidates into classes, and find what may act together."""
    numbers: dict[_Class, int] = {}
    of = tuple([numbers.setdefault(_class_of(one), len(numbers)) for one in candidates])
    odds = _odds(list(numbers))
    members, templates = [0] * len(numbers), dict[int, int]()
    for place, one in enumerate(candidates):
        members[of[place]] |= 1 << place
        templates[one.template] = templates.get(one.template, 0) | 1 << place
    against = [_union(members, others) for others in odds]
    clash = []
    for place, one in enumerate(candidates):
        others = against[of[place]]
        if one.at_most == 1:
            others |= templates[one.template]
        clash.append(others & ~(1 << place))
    family, sets, exact = _families(odds)
    return Rivals(
        of=of,
        friendly=tuple([not others >> number & 1 for number, others in enumerate(odds)]),
        clash=tuple(clash),
        sets=sets,
        family=family,
        within=tuple(
            [
                tuple([place for place, one in enumerate(sets[family[number]]) if number in one])
                for number in range(len(numbers))
            ]
        ),
        exact=exact,
    )


def _class_of(one: Candidate) -> _Class:
    stacking: Stacking = one.offer.stacking
    return (one.order[0], stacking.tags, stacking.combines_with_tags, stacking.exclusive_group or None)


def _odds(classes: Sequence[_Class]) -> list[int]:
    """For each class those that it does not go with; itself among them where no two of it go together.

    Worked out by tag and not by pair: there may be as many classes as coupons.
    """
    lanes, groups = dict[int, int](), dict[str, int]()
    tagged, seeking = dict[tuple[int, str], int](), dict[tuple[int, str], int]()
    for number, (lane, tags, combines, group) in enumerate(classes):
        bit = 1 << number
        lanes[lane] = lanes.get(lane, 0) | bit
        if group is not None:
            groups[group] = groups.get(group, 0) | bit
        for tag in tags:
            tagged[lane, tag] = tagged.get((lane, tag), 0) | bit
        for tag in combines:
            seeking[lane, tag] = seeking.get((lane, tag), 0) | bit
    odds = []
    for lane, tags, combines, group in classes:
        liked = sought = 0
        for tag in combines:
            liked |= tagged.get((lane, tag), 0)
        for tag in tags:
            sought |= seeking.get((lane, tag), 0)
        odds.append(lanes[lane] & ~(liked & sought) | (0 if group is None else groups[group]))
    return odds


def _union(members: Sequence[int], classes: int) -> int:
    union = 0
    for number in bits(classes):
        union |= members[number]
    return union


def _families(odds: Sequence[int]) -> tuple[tuple[int, ...], tuple[tuple[tuple[int, ...], ...], ...], bool]:
    """The family of each class, and the largest sets of each family."""
    family, sets, exact = [0] * len(odds), list[tuple[tuple[int, ...], ...]](), True
    left = (1 << len(odds)) - 1
    while left:
        together = new = left & -left
        while new:
            new = _union(odds, new) & ~together
            together |= new
        left &= ~together
        found = _largest_sets(odds, together)
        parts = (
            [(together, found)]
            if found
            else [(part, [1 << n for n in bits(part)]) for part in _cliques(odds, together)]
        )
        exact = exact and bool(found)
        for part, largest in parts:
            for number in bits(part):
                family[number] = len(sets)
            sets.append(tuple([tuple(bits(one)) for one in largest]))
    return tuple(family), tuple(sets), exact


def _largest_sets(odds: Sequence[int], classes: int) -> list[int]:
    """The sets of these classes that may act together and to which none can be added (Bron and Kerbosch, with pivots).

    None of them where there are more than MAX_SETS.
    """
    found: list[int] = []

    def extend(chosen: int, open_: int, past: int) -> bool:
        if not open_:
            if not past:
                found.append(chosen)
            return len(found) <= MAX_SETS
        best = min(bits(open_ | past), key=lambda number: (open_ & (odds[number] | 1 << number)).bit_count())
        for number in bits(open_ & (odds[best] | 1 << best)):
            without = ~(odds[number] | 1 << number)
            if not extend(chosen | 1 << number, open_ & without, past & without):
                return False
            open_ &= ~(1 << number)
            past |= 1 << number
        return True

    return found if extend(0, classes, 0) else []


def _cliques(odds: Sequence[int], classes: int) -> list[int]:
    """The classes in sets of which no two go together."""
    cliques: list[int] = []
    for number in bits(classes):
        for place, clique in enumerate(cliques):
            if clique & ~odds[number] == 0:
                cliques[place] |= 1 << number
                break
        else:
            cliques.append(1 << number)
    return cliques
