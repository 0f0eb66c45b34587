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
from domain.shared.idempotency import Done, Once, ReceiptExists, do_once, encode, replay
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


async def redeem_code(command: RedeemCode, *, begin: Begin) -> Done[CouponClaimed]:
    """Gives the coupon that the code stands for, by the limits and from the stock of a claim, and counts the use.

    `begin` is a transaction of the system. A member's tries are decided one after another: as many guesses at once as
    one likes are as many tries, and the same try sent again meanwhile is none. A code that works costs none.

    Refusals: NotFound, CodeUsedUp, CodeExpired, TooManyAttempts, NotStarted, Ended, ClaimLimitReached, SoldOut,
    IdempotencyKeyReused.
    """
    try:
        async with begin() as tx:
            answer = await _tried(tx, command)
    except ReceiptExists:
        async with begin() as tx:
            receipt = await tx.receipts.find(command.once)
            assert receipt is not None, "a receipt that stopped us is there to be read"
            return replay(receipt, once=command.once, result_type=CouponClaimed)
    if isinstance(answer, Refusal):
        raise answer
    return answer


async def _tried(tx: DistributionTransaction, command: RedeemCode) -> Done[CouponClaimed] | Refusal:
    """The coupon; or why the code is no good, which is to be committed: that the try was counted."""
    once, member_id = command.once, command.member_id
    receipt = await tx.receipts.find(once)
    if receipt is not None:
        return replay(receipt, once=once, result_type=CouponClaimed)
    # Other tries of the member wait here until this one is decided, as this one has for those before it.
    retry_at = await tx.codes.attempt(member_id, most=MAX_ATTEMPTS, within=ATTEMPTS_WITHIN)
    receipt = await tx.receipts.find(once)
    if receipt is not None:
        if retry_at is None:
            await tx.codes.forgive(member_id)
        return replay(receipt, once=once, result_type=CouponClaimed)
    if retry_at is not None:
        raise TooManyAttempts(retry_at)
    try:
        coupon_id = await _redeem(tx, command)
    except (NotFound, CodeUsedUp, CodeExpired) as vain:
        # Found out before anything was written. Where the template stands in the way the code is good: that was no
        # guess, and the try goes with the rest of the transaction.
        return vain
    await tx.codes.forgive(member_id)
    result = CouponClaimed(member_id, coupon_id)
    await tx.receipts.record(once, result=encode(result))
    return Done(result, replayed=False)


async def _redeem(tx: DistributionTransaction, command: RedeemCode) -> CouponId:
    key = code_key(command.code) or ""
    found = await tx.codes.find(key)
    locked = None if found is None else await tx.coupons.lock_template_stock(found.template_id)
    if found is None or locked is None:
        raise NotFound("CouponCode")
    # After the lock, which whoever uses a code of the template holds.
    code = await tx.codes.find(key)
    assert code is not None, "codes are not deleted, and templates stay published"
    await _check_use(tx, code, member_id=command.member_id)
    history = await history_of(tx, locked, template_id=code.template_id, member_ids=[command.member_id])
    register = Register(locked, counts=history.counts, programme=tx.programme, ids=tx.ids, gates=TEMPLATE_CHECKS)
    decided = register.decide(command.member_id)
    if isinstance(decided, Refusal):
        raise decided
    await register.write(tx, facts={"code": code.printed})
    await tx.codes.use(code.id, member_id=command.member_id, coupon_id=decided)
    return decided


async def _check_use(tx: DistributionTransaction, code: CouponCode, *, member_id: MemberId) -> None:
    if await tx.codes.used_by(code.id, member_id=member_id):
        raise CodeUsedUp
    if code.expires_at is not None and code.expires_at <= tx.now:
        raise CodeExpired(code.expires_at)
    if code.uses >= code.uses_limit:
        raise CodeUsedUp


def _require(condition: object, *path: str, reason: str) -> None:
    if not condition:
        raise InvalidTerms(path, reason)
