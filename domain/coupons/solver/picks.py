"""Which coupons to try on a way: of each family the set that is worth most, of a limited purse what fills it best."""

from collections.abc import Sequence
from itertools import accumulate

from domain.coupons.sights import bits
from domain.coupons.solver.purses import NO_PURSE
from domain.coupons.solver.table import Table
from domain.coupons.solver.ways import Place


def pick(allowed: int, *, worth: Sequence[float], table: Table) -> int:
    """Those of the allowed (bits) that are worth most together, each of which goes with all others."""
    rivals, candidates = table.rivals, table.candidates
    best, picked = dict[int, float](), dict[int, int]()
    for number in bits(allowed):
        of, value = rivals.of[number], worth[number]
        purse = candidates[number].purse
        if purse.left_minor is not None and value > purse.left_minor:
            value = float(purse.left_minor) if purse.partial else 0.0
        if value <= 0:
            continue
        if rivals.friendly[of]:
            best[of] = best.get(of, 0.0) + value
            picked[of] = picked.get(of, 0) | 1 << number
        elif value > best.get(of, 0.0) or (value == best[of] and _expires_first(number, picked[of], table=table)):
            best[of], picked[of] = value, 1 << number
    chosen = 0
    for family in {rivals.family[of] for of in best}:
        sets = rivals.sets[family]
        largest = sets[0] if len(sets) == 1 else max(sets, key=lambda one: sum([best.get(of, 0.0) for of in one]))
        for of in largest:
            chosen |= picked.get(of, 0)
    return _compatible(chosen, worth=worth, table=table)


def _expires_first(number: int, than: int, *, table: Table) -> bool:
    one, other = table.stand_in[number], table.stand_in[than.bit_length() - 1]
    return (one.valid_until, one.coupon_id) < (other.valid_until, other.coupon_id)


def _compatible(chosen: int, *, worth: Sequence[float], table: Table) -> int:
    """Without those that are at odds with one that is worth more, or find nothing left in their purse."""
    left: dict[object, int] = {}
    limited = any(table.candidates[number].purse is not NO_PURSE for number in bits(chosen))
    if table.rivals.exact and not limited:
        return chosen
    kept = 0
    for number in sorted(bits(chosen), key=lambda number: (-worth[number], number)):
        candidate = table.candidates[number]
        if table.rivals.clash[number] & kept:
            continue
        purse = candidate.purse
        if purse.left_minor is not None:
            room = left.setdefault(purse.key, purse.left_minor)
            if room <= 0 or (worth[number] > room and not purse.partial):
                continue
            left[purse.key] = max(0, room - int(worth[number]))
        kept |= 1 << number
    return kept


def fewest(place: Place, *, allowed: int, table: Table) -> int:
    """As few as can take off all that is left, of those the ones that expire first: as if each took off its most."""
    caps = {number: table.candidates[number].cap_minor for number in bits(allowed)}
    open_ = sorted(caps, key=lambda number: (-caps[number], number))
    missing, count = place.stand.room, 0
    for reached in accumulate([caps[number] for number in open_]):
        count += 1
        if reached >= missing:
            break
    chosen = 0
    for number in sorted(caps, key=lambda one: (table.stand_in[one].valid_until, table.stand_in[one].coupon_id.int)):
        if not count:
            break
        open_.remove(number)
        if caps[number] + sum([caps[one] for one in open_[: count - 1]]) >= missing:
            chosen |= 1 << number
            missing, count = missing - caps[number], count - 1
    return chosen
