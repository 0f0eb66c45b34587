"""Hands out coupons of one locked template, and writes all that it handed out at once."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from domain.coupons.model import ClaimedCount, Coupon, Issue, LockedTemplate, WalletChange, code_of, state_at
from domain.coupons.offer import CouponState
from domain.coupons.ports import ClaimHistory, CouponsTransaction
from domain.coupons.rules import CLAIM_GATES, MEMBER_CHECKS, ClaimCheck, ClaimFacts, decide_claim
from domain.shared.errors import Refusal
from domain.shared.events import JSON, WALLET
from domain.shared.idempotency import Once
from domain.shared.ids import CouponId, Ids, MemberId, TemplateId
from domain.shared.programme import Programme
from domain.shared.time import local_date

_NOTHING: Final = ClaimedCount()


class Register:
    """Decides claims of one template one after another, at the instant of its lock.

    It runs once per claim of a flash sale: what is the same for all of a set is worked out here at the beginning, and
    what was handed out is kept in columns, as it is stored. `gates` are what is the same for everybody: those of a
    claim, unless the coupons are given.
    """

    def __init__(
        self,
        locked: LockedTemplate,
        *,
        counts: Mapping[MemberId, ClaimedCount],
        programme: Programme,
        ids: Ids,
        gates: Sequence[ClaimCheck] = CLAIM_GATES,
    ) -> None:
        template, at = locked.template, locked.at
        self._locked = locked
        self._zone = programme.zone
        self._counts = dict(counts)
        self._ids = ids
        self._remaining = locked.stock.remaining
        self.issue = Issue(
            template,
            claimed_at=at,
            claimed_on=local_date(at, zone=programme.zone),
            period=template.validity.of_claim(at, zone=programme.zone),
        )
        # Where the template itself stands in the way, each is told so by an exception of its own.
        open_ = decide_claim(self._facts(_NOTHING), checks=gates) is None
        self._checks = [check for check in MEMBER_CHECKS if check.applies(template)] if open_ else gates

    def decide(self, member_id: MemberId) -> CouponId | Refusal:
        """A coupon for the member, or why not."""
        claimed = self._counts.get(member_id, _NOTHING)
        refusal = decide_claim(self._facts(claimed), checks=self._checks)
        if refusal is not None:
            return refusal
        self._counts[member_id] = counted = _one_more(claimed)
        self._remaining -= 1
        coupon_id = CouponId(self._ids.new())
        self.issue.add(coupon_id, member_id=member_id, ordinal=counted.last_ordinal)
        return coupon_id

    def refusal_of(self, member_id: MemberId, *, count: int) -> Refusal | None:
        """Why the member cannot have as many; None where `decide` hands out each of them. Nothing is handed out."""
        claimed = self._counts.get(member_id, _NOTHING)
        for taken in range(count):
            refusal = decide_claim(self._facts(claimed, taken=taken), checks=self._checks)
            if refusal is not None:
                return refusal
            claimed = _one_more(claimed)
        return None

    def _facts(self, claimed: ClaimedCount, *, taken: int = 0) -> ClaimFacts:
        locked = self._locked
        return ClaimFacts(locked.template, locked.campaign, self._remaining - taken, claimed, locked.at, self._zone)

    async def write(self, tx: CouponsTransaction, *, facts: Mapping[str, JSON] | None = None) -> None:
        """Stores what was handed out, in the order of locks: streams by member, then coupons.

        `facts` are told with each event: why a coupon was given.
        """
        issue = self.issue
        if not issue.ids:
            return
        await tx.events.append_alike(
            issue.member_ids, stream=WALLET, kind=WalletChange.CLAIMED.value, subject_ids=issue.ids, facts=facts
        )
        await tx.coupons.add(issue)
        await tx.coupons.take_from_stock(issue.template.id, count=len(issue))


def _one_more(claimed: ClaimedCount) -> ClaimedCount:
    total, today, last_ordinal, week, month, campaign = claimed
    return ClaimedCount(total + 1, today + 1, last_ordinal + 1, week + 1, month + 1, campaign + 1)


async def history_of(
    tx: CouponsTransaction,
    locked: LockedTemplate | None,
    *,
    template_id: TemplateId,
    member_ids: Collection[MemberId],
    onces: Sequence[Once] = (),
) -> ClaimHistory:
    """What was before, read after the lock of the template's stock: whoever held it has committed.

    Other templates of a campaign have stocks of their own: where the campaign limits a member, the member's streams
    are locked first, so that what it gets of any of them at this moment is counted.
    """
    template = None if locked is None else locked.template
    if template is not None and template.limit_per_member_in_campaign is not None:
        await tx.events.lock(member_ids, stream=WALLET)
    return await tx.coupons.claim_history(template_id, member_ids=member_ids, onces=onces, template=template)


def coupons_of(issue: Issue) -> Sequence[Coupon]:
    """The coupons one by one, as they are at the instant of their claim."""
    template, period, at = issue.template, issue.period, issue.claimed_at
    return [
        Coupon(
            id=coupon_id,
            member_id=member_id,
            template_id=template.id,
            merchant_id=template.merchant_id,
            ordinal=ordinal,
            code=code_of(coupon_id),
            state=state_at(CouponState.CLAIMED, valid_until=period.ends_at, at=at),
            kind=template.kind,
            terms=template.terms,
            claimed_at=at,
            claimed_on=issue.claimed_on,
            valid_from=period.starts_at,
            valid_until=period.ends_at,
            read_at=at,
            balance_minor=template.coupon_kind.balance(template.terms),
        )
        for coupon_id, member_id, ordinal in zip(issue.ids, issue.member_ids, issue.ordinals, strict=True)
    ]
