"""Codes 兑换码: made by a pattern or brought along, and redeemed by members for a coupon of their template."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from domain.coupons.distribution import CodesCreated, CouponCode, NewCode
from domain.coupons.distribution_ports import Codes, DistributionTransaction
from domain.coupons.errors import CodeExpired, CodeUsedUp, InvalidTerms, TooManyAttempts
from domain.coupons.model import CouponClaimed
from domain.coupons.register import Register, history_of
from domain.coupons.rules import TEMPLATE_CHECKS
from domain.shared.errors import BadUserInput, Forbidden, NotFound, Refusal
from domain.shared.idempotency import Done, Once, Outcome, decide_in_set, do_once, encode, replay_in_set
from domain.shared.ids import CouponId, MemberId, TemplateId
from domain.shared.principal import Scope

MAX_CODES: Final = 10_000
MAX_USES: Final = 1_000_000_000
MIN_LENGTH: Final = 4
MAX_LENGTH: Final = 64
# Of as many guesses at a pattern at most one finds a code of the batch.
GUESSES_PER_CODE: Final = 10_000
# A member who types that many codes in vain within the hour waits for its end.
MAX_ATTEMPTS: Final = 10
ATTEMPTS_WITHIN: Final = timedelta(hours=1)

DIGITS: Final = "0123456789"
# As in a coupon's own code: no I, L, O and U, which are misread.
LETTERS: Final = "ABCDEFGHJKMNPQRSTVWXYZ"
_PLACES: Final = {"#": DIGITS, "?": LETTERS, "*": DIGITS + LETTERS}
_CODE: Final = re.compile(f"[A-Z0-9]{{{MIN_LENGTH},{MAX_LENGTH}}}")
_PATTERN: Final = re.compile(f"[A-Z0-9#?*-]{{{MIN_LENGTH},{MAX_LENGTH}}}")
_SILENT: Final = re.compile(r"[\s_-]+")

Begin: TypeAlias = Callable[[], AbstractAsyncContextManager[DistributionTransaction]]
RedeemOutcome: TypeAlias = Outcome[CouponClaimed]


@dataclass(frozen=True, slots=True)
class CreateCouponCodes:
    """Makes codes of a template: `count` by a pattern, or those that are given. Each works `uses_per_code` times."""

    template_id: TemplateId
    pattern: str | None
    count: int | None
    codes: tuple[str, ...] | None
    uses_per_code: int
    expires_at: datetime | None
    once: Once

    def __post_init__(self) -> None:
        """Refuses what is neither a pattern with a count nor a list of codes."""
        by_pattern = self.pattern is not None and self.count is not None
        if by_pattern == (self.codes is not None) or (self.pattern is None) != (self.count is None):
            raise BadUserInput("give a pattern and a count, or codes", path=["input"])


@dataclass(frozen=True, slots=True)
class RedeemCode:
    """Gives the member who asks the coupon that a code stands for."""

    code: str
    member_id: MemberId
    scope: Scope
    once: Once

    def __post_init__(self) -> None:
        """Refuses a member other than the caller."""
        if not self.scope.everything and self.scope.member_id != self.member_id:
            raise Forbidden("a member redeems codes for itself alone")


def code_key(text: str) -> str | None:
    """What of a code is compared: capitals and digits; blanks, hyphens and underscores say nothing. None: no code."""
    key = _SILENT.sub("", unicodedata.normalize("NFKC", text)).upper()
    return key if _CODE.fullmatch(key) else None


async def create_coupon_codes(command: CreateCouponCodes, *, begin: Begin) -> Done[CodesCreated]:
    """Makes codes: all of them, or none.

    Refusals: NotFound, InvalidTerms, IdempotencyKeyReused.
    """
    _check_bounds(command)

    async def decide(tx: DistributionTransaction) -> CodesCreated:
        template = await tx.templates.lock_or_none(command.template_id)
        if template is None:
            raise NotFound("CouponTemplate")
        if command.expires_at is not None and command.expires_at <= tx.now:
            raise InvalidTerms(("expiresAt",), "is in the past")
        count = await (_bring(tx, command) if command.codes is not None else _draw(tx, command))
        return CodesCreated(command.template_id, tx.now, count)

    return await do_once(command.once, begin=begin, decide=decide, result_type=CodesCreated)


def _check_bounds(command: CreateCouponCodes) -> None:
    _require(1 <= command.uses_per_code <= MAX_USES, "usesPerCode", reason=f"is 1 to {MAX_USES}")
    if command.codes is not None:
        _require(1 <= len(command.codes) <= MAX_CODES, "codes", reason=f"are 1 to {MAX_CODES} at once")
        return
    pattern, count = command.pattern, command.count
    assert pattern is not None, "a pattern or codes"
    assert count is not None, "a count comes with a pattern"
    _require(1 <= count <= MAX_CODES, "count", reason=f"is 1 to {MAX_CODES} at once")
    readable = _PATTERN.fullmatch(pattern) and code_key(re.sub(r"[#?*]", "0", pattern))
    _require(readable, "pattern", reason="has 4 to 64 of A-Z, 0-9 and -, # for a digit, ? for a letter, * for either")
    different = 1
    for place in pattern:
        different *= len(_PLACES.get(place, "-"))
    enough = different >= count * GUESSES_PER_CODE
    _require(enough, "pattern", reason=f"has so few free places that one of {GUESSES_PER_CODE} guesses would find one")


async def _bring(tx: DistributionTransaction, command: CreateCouponCodes) -> int:
    """Stores the codes that are given."""
    places: dict[str, int] = {}
    printed = [text.strip() for text in command.codes or ()]
    for place, text in enumerate(printed):
        key = code_key(text)
        if key is None or len(text) > MAX_LENGTH:
            raise InvalidTerms(("codes", str(place)), f"has {MIN_LENGTH} to {MAX_LENGTH} letters A-Z and digits")
        if places.setdefault(key, place) != place:
            raise InvalidTerms(("codes", str(place)), f"is the same as number {places[key]}")
    new = _new(tx, {key: printed[place] for key, place in places.items()}, command=command)
    stored = await tx.codes.add(new, template_id=command.template_id, uses_limit=command.uses_per_code)
    for key, place in places.items():
        _require(key in stored, "codes", str(place), reason="is taken")
    return len(stored)


async def _draw(tx: DistributionTransaction, command: CreateCouponCodes) -> int:
    """Draws codes by the pattern; one that is there already is drawn again."""
    pattern, count = command.pattern or "", command.count or 0
    stored = 0
    while stored < count:
        drawn = {_one(pattern, codes=tx.codes) for _ in range(count - stored)}
        new = _new(tx, {code_key(text) or text: text for text in sorted(drawn)}, command=command)
        stored += len(await tx.codes.add(new, template_id=command.template_id, uses_limit=command.uses_per_code))
    return stored


def _one(pattern: str, *, codes: Codes) -> str:
    return "".join(codes.choose(_PLACES[place]) if place in _PLACES else place for place in pattern)


def _new(tx: DistributionTransaction, printed: Mapping[str, str], *, command: CreateCouponCodes) -> Sequence[NewCode]:
    # Ids grow with the place in the batch: codes are listed as they were given.
    ids = sorted(tx.ids.new() for _ in printed)
    return [
        NewCode(id_, code, text, command.expires_at) for id_, (code, text) in zip(ids, printed.items(), strict=True)
    ]


async def redeem_codes(commands: Sequence[RedeemCode], *, begin: Begin) -> Sequence[RedeemOutcome]:
    """Gives the coupons that a code stands for, by the limits and from the stock of a claim, and counts its uses.

    The commands are of one code, each of another member, and are decided in the order given, in one transaction; one
    outcome per command. `begin` is a transaction of the system. A member's tries are decided one after another: as many
    guesses at once as one likes are as many tries, and the same try sent again meanwhile is none. A code that works
    costs none.

    Refusals: NotFound, CodeUsedUp, CodeExpired, TooManyAttempts, NotStarted, Ended, ClaimLimitReached, SoldOut,
    IdempotencyKeyReused.
    """
    assert len({code_key(command.code) for command in commands}) == 1, "a set is of one code"
    assert len({command.member_id for command in commands}) == len(commands), "a set has one command of a member"
    return await decide_in_set(commands, lambda some: _redeem_set(some, begin=begin))


async def _redeem_set(commands: Sequence[RedeemCode], *, begin: Begin) -> Sequence[RedeemOutcome]:
    async with begin() as tx:
        outcomes: dict[MemberId, RedeemOutcome] = {}
        asked = await _not_yet_answered(tx, commands, outcomes=outcomes)
        if asked:
            # Other tries of these members wait here until these are decided, as these have for those before them.
            waiting = await tx.codes.attempt([c.member_id for c in asked], most=MAX_ATTEMPTS, within=ATTEMPTS_WITHIN)
            tried = await _not_yet_answered(tx, asked, outcomes=outcomes)
            outcomes |= {c.member_id: TooManyAttempts(waiting[c.member_id]) for c in tried if c.member_id in waiting}
            allowed = [command for command in tried if command.member_id not in waiting]
            given = await _use(tx, allowed) if allowed else {}
            outcomes |= given
            # Where the template stands in the way the code is good: that was no guess. What is in vain stays counted.
            vain = {m for m, outcome in given.items() if isinstance(outcome, NotFound | CodeUsedUp | CodeExpired)}
            await tx.codes.forgive([c.member_id for c in asked if c.member_id not in vain | waiting.keys()])
            await tx.receipts.record_all(
                [(c.once, encode(done.result)) for c in allowed if isinstance(done := given[c.member_id], Done)]
            )
        return [outcomes[command.member_id] for command in commands]


async def _not_yet_answered(
    tx: DistributionTransaction, commands: Sequence[RedeemCode], *, outcomes: dict[MemberId, RedeemOutcome]
) -> Sequence[RedeemCode]:
    """Those without a receipt; the others get their first answer again."""
    receipts = await tx.receipts.find_all([command.once for command in commands])
    for command in commands:
        receipt = receipts.get(command.once.place)
        if receipt is not None:
            outcomes[command.member_id] = replay_in_set(receipt, once=command.once, result_type=CouponClaimed)
    return [command for command in commands if command.once.place not in receipts]


async def _use(tx: DistributionTransaction, commands: Sequence[RedeemCode]) -> Mapping[MemberId, RedeemOutcome]:
    key, member_ids = code_key(commands[0].code) or "", [command.member_id for command in commands]
    found = await tx.codes.find(key)
    locked = None if found is None else await tx.coupons.lock_template_stock(found.template_id)
    if found is None or locked is None:
        return {member_id: NotFound("CouponCode") for member_id in member_ids}
    # After the lock, which whoever uses a code of the template holds.
    code = await tx.codes.find(key)
    assert code is not None, "codes are not deleted, and templates stay published"
    used_by = await tx.codes.used_by(code.id, member_ids=member_ids)
    outcomes: dict[MemberId, RedeemOutcome] = {}
    for member_id in member_ids:
        vain = _vain(code, used=member_id in used_by, at=tx.now)
        if vain is not None:
            outcomes[member_id] = vain
    left = [member_id for member_id in member_ids if member_id not in outcomes]
    if left:
        history = await history_of(tx, locked, template_id=code.template_id, member_ids=left)
        register = Register(locked, counts=history.counts, programme=tx.programme, ids=tx.ids, gates=TEMPLATE_CHECKS)
        outcomes |= await _give(tx, code, register=register, member_ids=left)
    return outcomes


async def _give(
    tx: DistributionTransaction, code: CouponCode, *, register: Register, member_ids: Sequence[MemberId]
) -> Mapping[MemberId, RedeemOutcome]:
    outcomes: dict[MemberId, RedeemOutcome] = {}
    given: dict[MemberId, CouponId] = {}
    for member_id in member_ids:
        if code.uses + len(given) >= code.uses_limit:
            outcomes[member_id] = CodeUsedUp()
        elif isinstance(decided := register.decide(member_id), Refusal):
            outcomes[member_id] = decided
        else:
            given[member_id] = decided
            outcomes[member_id] = Done(CouponClaimed(member_id, decided), replayed=False)
    if given:
        await register.write(tx, facts={"code": code.printed})
        await tx.codes.use(code.id, coupons=given)
    return outcomes


def _vain(code: CouponCode, *, used: bool, at: datetime) -> Refusal | None:
    if used:
        return CodeUsedUp()
    if code.expires_at is not None and code.expires_at <= at:
        return CodeExpired(code.expires_at)
    return CodeUsedUp() if code.uses >= code.uses_limit else None


def _require(condition: object, *path: str, reason: str) -> None:
    if not condition:
        raise InvalidTerms(path, reason)
