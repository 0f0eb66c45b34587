"""One way through the wallet: coupon by coupon in pricing order, which act, and what each would take off there."""

from dataclasses import dataclass
from typing import Final

from domain.coupons.moment import Effect
from domain.coupons.sights import bits
from domain.coupons.solver.candidates import Candidate, How
from domain.coupons.solver.purses import NO_PURSE, lacking, most_from
from domain.coupons.solver.stands import Stand
from domain.coupons.solver.table import Table

SUM: Final = How.SUM
FEE: Final = How.FEE


@dataclass(slots=True, eq=False)
class Place:
    """Where a way has come to: what acts (in order, and as bits), what is left, and what may act from here on."""

    stand: Stand
    acting: tuple[int, ...]
    mask: int
    allowed: int
    saving_minor: int

    @property
    def value(self) -> tuple[int, int]:
        """What the member does not pay in money, then what of that coupons take off."""
        return (self.saving_minor + self.stand.paid_minor, self.saving_minor)


@dataclass(slots=True, eq=False)
class Turn:
    """A candidate's turn: where it comes, how much is left on its lines there, and whether it acts.

    It takes `off_minor` off, or would at most if it acted. `may_act`: it goes together with those that act before.
    `fails`: its threshold is missed, or its purse (`is_short`); `need_minor` more would have to be left, or be undrawn.
    `is_cut`: it takes what is left in its purse, which is less than it would.
    """

    number: int
    candidate: Candidate
    before: Place
    left_minor: int
    off_minor: int
    acts: bool = False
    may_act: bool = False
    fails: bool = False
    is_short: bool = False
    is_cut: bool = False
    need_minor: int = 0
    effect: Effect | None = None


@dataclass(slots=True, eq=False)
class Way:
    """A way to its end. Points pay before the turn `points_at`."""

    start: Place
    turns: list[Turn]
    end: Place
    points_at: int


def walk(start: Place, picks: int, *, table: Table) -> Way:
    """Go on from here: each of these (bits) acts, unless its own terms or those that act before forbid it."""
    turns: list[Turn] = []
    at, points_at, sums = start, -1, dict[int, int]()
    for number in bits(start.allowed):
        if points_at < 0 and number >= table.points_at:
            at, points_at = pay(at, table=table), len(turns)
            sums.clear()
        candidate = table.candidates[number]
        left = sums.get(candidate.view)
        if left is None:
            left = sums[candidate.view] = sum(map(at.stand.left.__getitem__, candidate.places))
        turn = take_turn(number, at, left_minor=left, picked=bool(picks >> number & 1), table=table)
        turns.append(turn)
        if turn.acts:
            at = after(turn, table=table)
            sums.clear()
    if points_at < 0:
        at, points_at = pay(at, table=table), len(turns)
    return Way(start, turns, at, points_at)


def take_turn(number: int, at: Place, *, left_minor: int, picked: bool, table: Table) -> Turn:
    """What comes of a candidate's turn."""
    candidate, stand = table.candidates[number], at.stand
    if candidate.how is SUM:
        off = min(candidate.off(left_minor), stand.room)
    elif candidate.how is FEE:
        off = min(candidate.cap_minor, stand.shipping, stand.room)
    else:
        off = min(candidate.cap_minor, left_minor, stand.room)
    turn = Turn(number, candidate, at, left_minor, off)
    turn.may_act = bool(at.allowed >> number & 1) and _is_open(number, at, table=table)
    if candidate.threshold_minor and _misses_threshold(turn):
        turn.fails = True
    elif turn.may_act:
        if picked and candidate.how is not SUM:
            turn.effect = stand.effect_of(candidate)
            turn.off_minor = 0 if turn.effect is None else turn.effect.amount_minor
        # What it would take off exactly is only known of one of the sort SUM, unless it is picked.
        is_known = picked or candidate.how is SUM
        turn.fails = _misses_threshold_after(turn) or (is_known and _finds_purse_short(turn))
        if turn.is_cut and turn.effect is not None:
            turn.effect = stand.effect_within(candidate, turn.off_minor)
        turn.acts = picked and not turn.fails and turn.off_minor > 0
    return turn


def _is_open(number: int, at: Place, *, table: Table) -> bool:
    """Whether the interchangeable coupon before it acts, and no more of its template than an order takes."""
    prior, template = table.before[number], table.candidates[number].template
    if prior >= 0 and not at.mask >> prior & 1:
        return False
    if template not in table.crowded:
        return True
    same = [one for one in at.acting if table.candidates[one].template == template]
    return len(same) < table.candidates[number].at_most


def _misses_threshold(turn: Turn) -> bool:
    base, points = turn.left_minor, turn.before.stand.points
    if points:
        base += sum(map(points.__getitem__, turn.candidate.places))
    turn.need_minor = max(0, turn.candidate.threshold_minor - base)
    return turn.need_minor > 0


def _misses_threshold_after(turn: Turn) -> bool:
    """Whether the threshold is missed when the candidate has taken its amount off, where it is held against that."""
    if not turn.candidate.after_this or not turn.candidate.threshold_minor:
        return False
    base, points = turn.left_minor, turn.before.stand.points
    if turn.effect is not None:
        base -= sum(turn.effect.lines_minor)
    elif turn.candidate.how is SUM:
        base -= turn.off_minor
    if points:
        base += sum(map(points.__getitem__, turn.candidate.places))
    need = max(0, turn.candidate.threshold_minor - base)
    # After points it may take less off, and so meet it, where more of them fall on its lines.
    turn.need_minor = 0 if points else need
    return need > 0


def _finds_purse_short(turn: Turn) -> bool:
    candidate, drawn = turn.candidate, turn.before.stand.drawn
    if candidate.purse is NO_PURSE:
        return False
    if candidate.purse.partial:
        most = most_from(drawn, candidate.purse, turn.off_minor, funders=candidate.offer.borne_by)
        turn.is_cut = 0 < most < turn.off_minor
        turn.off_minor = most if turn.is_cut else turn.off_minor
        turn.is_short = most == 0
        return turn.is_short
    need = lacking(drawn, candidate.purse, turn.off_minor, funders=candidate.offer.borne_by)
    turn.is_short, turn.need_minor = need > 0, need
    return turn.is_short


def after(turn: Turn, *, table: Table) -> Place:
    """Where the way goes on when the candidate has acted."""
    candidate, stand, at, off = turn.candidate, turn.before.stand, turn.before, turn.off_minor
    if turn.effect is None:
        stand = stand.after_sum(candidate, off, left_minor=turn.left_minor)
    else:
        stand = stand.after_effect(candidate, turn.effect)
    return Place(
        stand,
        (*at.acting, turn.number),
        at.mask | 1 << turn.number,
        at.allowed & ~table.rivals.clash[turn.number] & (-2 << turn.number),
        at.saving_minor + off,
    )


def pay(at: Place, *, table: Table) -> Place:
    """Where the way goes on when points have paid; it goes on as before where they have, or there are none."""
    if not table.points_minor or at.stand.points is not None:
        return at
    stand = at.stand.paid_with_points(table.points_minor)
    return Place(stand, at.acting, at.mask, at.allowed, at.saving_minor)
