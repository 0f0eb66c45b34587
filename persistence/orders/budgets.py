"""Budgets of campaigns, drawn from by many at once.

An account is dealt out over shards. Whoever draws takes one that nobody holds and that has enough, or else waits for
one; of the last units, it takes all of them under one lock, and deals what is left out evenly again. What a budget has
left is never less than nothing: each shard has that as its floor.

PostgreSQL keeps a row locked that it waited for and then found wanting. So each attempt is undone (a savepoint) before
the next one waits: whoever waits for shards of an account holds none of it.

Where a coupon may take less (`RemainderPolicy.PARTIAL`), what could not be drawn in full is tried again in another
transaction: there what is left is read under the locks of all shards, in the order of all postings, and drawn under
them. A savepoint around the postings would not do: who waits for a row that was changed in a savepoint within it waits
for the end of the transaction, though it is rolled back.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

import sqlalchemy as sa

from domain.campaigns.model import ALL_FUNDERS, Budget, BudgetAccount, RemainderPolicy
from domain.orders.budgets import BudgetChange, BudgetPosting, Shortage, postings_of
from domain.shared.ids import CampaignId
from domain.shared.principal import Scope
from persistence.base import Conn, Statement, arrays, scope_params, within_scope
from persistence.campaigns.rows import deal
from persistence.campaigns.tables import BUDGET_SHARDS, budget_accounts, campaigns
from persistence.coupons.tables import coupons, templates
from persistence.orders.tables import reservations, reserved_coupons

_DRAWN = sa.bindparam("drawn", type_=sa.BigInteger)
_RESERVED = sa.bindparam("reserved", type_=sa.BigInteger)
_REDEEMED = sa.bindparam("redeemed", type_=sa.BigInteger)
_FUNDER = sa.bindparam("funder", type_=sa.Text)
_SHARD = sa.bindparam("shard", type_=sa.Integer)
# A budget is its campaign's, whose coupon the member has: through the coupon the scope that serves the member reaches.
_OF_COUPON = (
    coupons.c.member_id == sa.bindparam("member_id", type_=sa.Uuid),
    coupons.c.id == sa.bindparam("coupon_id", type_=sa.Uuid),
    within_scope(member=coupons.c.member_id),
)
_OF_ACCOUNT = (
    *_OF_COUPON,
    templates.c.id == coupons.c.template_id,
    campaigns.c.id == templates.c.campaign_id,
    budget_accounts.c.campaign_id == campaigns.c.id,
    budget_accounts.c.funder == _FUNDER,
)

# Of a budget without accounts one row all the same: which there should be its campaign says.
BUDGET_STANDING = Statement(
    "budget_standing",
    sa.select(
        budget_accounts.c.funder,
        campaigns.c.budget_minor,
        campaigns.c.budget_currency,
        campaigns.c.funder_budgets,
        campaigns.c.budget_remainder,
        sa.cast(sa.func.sum(budget_accounts.c.free_minor), sa.BigInteger).label("free_minor"),
    )
    .select_from(
        coupons.join(templates, templates.c.id == coupons.c.template_id)
        .join(campaigns, campaigns.c.id == templates.c.campaign_id)
        .outerjoin(budget_accounts, budget_accounts.c.campaign_id == campaigns.c.id)
    )
    .where(*_OF_COUPON)
    .group_by(campaigns.c.id, budget_accounts.c.funder),
)
_picked = (
    sa.select(budget_accounts.c.campaign_id, budget_accounts.c.funder, budget_accounts.c.shard)
    .select_from(coupons, templates, campaigns, budget_accounts)
    .where(*_OF_ACCOUNT, budget_accounts.c.free_minor >= _DRAWN)
    .order_by((budget_accounts.c.shard - _SHARD + BUDGET_SHARDS) % BUDGET_SHARDS)
    .limit(sa.literal_column("1"))
    .with_for_update(of=budget_accounts, skip_locked=True)
    .cte("picked")
)
_POSTED = {
    "free_minor": budget_accounts.c.free_minor - _DRAWN,
    "reserved_minor": budget_accounts.c.reserved_minor + _RESERVED,
    "redeemed_minor": budget_accounts.c.redeemed_minor + _REDEEMED,
}
POST_ON_FREE_SHARD = Statement(
    "post_on_free_budget_shard",
    sa.update(budget_accounts)
    .where(
        budget_accounts.c.campaign_id == _picked.c.campaign_id,
        budget_accounts.c.funder == _picked.c.funder,
        budget_accounts.c.shard == _picked.c.shard,
    )
    .values(_POSTED)
    .returning(budget_accounts.c.shard),
)
POST_ON_SHARD = Statement(
    "post_on_budget_shard",
    sa.update(budget_accounts)
    .where(*_OF_ACCOUNT, budget_accounts.c.shard == _SHARD, budget_accounts.c.free_minor >= _DRAWN)
    .values(_POSTED)
    .returning(budget_accounts.c.shard),
)
LOCK_SHARDS = Statement(
    "lock_budget_shards",
    sa.select(budget_accounts.c.shard, budget_accounts.c.free_minor)
    .select_from(coupons, templates, campaigns, budget_accounts)
    .where(*_OF_ACCOUNT)
    .order_by(budget_accounts.c.shard)
    .with_for_update(of=budget_accounts),
)
_dealt = arrays("dealt", {"shards": sa.Integer(), "free": sa.BigInteger()})
DEAL_SHARDS = Statement(
    "deal_budget_shards",
    sa.update(budget_accounts)
    .where(*_OF_ACCOUNT, budget_accounts.c.shard == _dealt.c.shards)
    .values(
        free_minor=_dealt.c.free,
        reserved_minor=budget_accounts.c.reserved_minor
        + sa.case((budget_accounts.c.shard == _SHARD, _RESERVED), else_=sa.literal_column("0")),
        redeemed_minor=budget_accounts.c.redeemed_minor
        + sa.case((budget_accounts.c.shard == _SHARD, _REDEEMED), else_=sa.literal_column("0")),
    ),
)
# What of the account's is held by reservations whose time is over, and that were not swept yet.
_lapsed_minor = (
    sa.select(
        sa.func.coalesce(
            sa.func.sum(
                sa.case(
                    (sa.literal_column(f"'{ALL_FUNDERS}'") == _FUNDER, reserved_coupons.c.discount_minor),
                    else_=sa.cast(reserved_coupons.c.shares.op("->>")(_FUNDER), sa.BigInteger),
                )
            ),
            sa.literal_column("0"),
        )
    )
    .select_from(
        reserved_coupons.join(
            reservations,
            sa.and_(
                reservations.c.member_id == reserved_coupons.c.member_id,
                reservations.c.id == reserved_coupons.c.reservation_id,
            ),
        )
    )
    .where(
        reserved_coupons.c.campaign_id == campaigns.c.id,
        reserved_coupons.c.held,
        reservations.c.state == sa.literal_column("'HELD'"),
        reservations.c.expires_at <= sa.bindparam("now", type_=sa.DateTime(timezone=True)),
    )
    .correlate(campaigns)
    .scalar_subquery()
)
COVERED_BUT_FOR_LAPSED = Statement(
    "covered_but_for_lapsed",
    sa.select(sa.func.sum(budget_accounts.c.free_minor) + _lapsed_minor >= _DRAWN)
    .select_from(coupons, templates, campaigns, budget_accounts)
    .where(*_OF_ACCOUNT)
    .group_by(campaigns.c.id),
)
HAS_LAPSED = Statement(
    "budget_has_lapsed",
    sa.select(_lapsed_minor > sa.literal_column("0"))
    .select_from(coupons, templates, campaigns)
    .where(*_OF_COUPON, templates.c.id == coupons.c.template_id, campaigns.c.id == templates.c.campaign_id),
)


# As long as so many more of the same are left, the next is likely to find enough on the shard that it waits for.
AMPLE: Final = 2 * BUDGET_SHARDS


@dataclass(frozen=True, slots=True)
class _Standing:
    """The accounts of a campaign's budget by name, with what is left of each as it was committed when it was read.

    Those that are `missing` are limited, and nobody knows any more how much of them is left.
    """

    currency: str | None
    free_minor: dict[str, int]
    missing: frozenset[str]
    partial: bool = False


class SqlBudgets:
    """Budgets in one transaction, within one scope."""

    def __init__(self, connection: Conn, *, scope: Scope, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self._scope = scope_params(scope)
        # A transaction keeps to the shard that it has begun with: what it holds it need not wait for.
        self._shards: dict[tuple[CampaignId, str], int] = {}

    async def post(self, changes: Sequence[BudgetChange]) -> Shortage | None:
        """Writes the changes, all of a transaction at once; the first that an account does not cover, or None."""
        # Of these budgets there may be something left where nothing is free: what the transaction itself gives back.
        given_back = {change.discount.campaign_id for change in changes if change.held + change.spent < 0}
        standings: dict[CampaignId, _Standing] = {}
        for posting in postings_of(changes):
            if posting.campaign_id not in standings:
                standings[posting.campaign_id] = await self._standing(posting)
            standing = standings[posting.campaign_id]
            # What is drawn on it is not covered; what comes back to it, or was held of it, goes on without it.
            if posting.account in standing.missing and posting.drawn_minor > 0:
                return Shortage(posting, lapsed=False)
            if posting.account in standing.free_minor and not await self._post(posting, standing=standing):
                has_rest = standing.free_minor[posting.account] > 0 or posting.campaign_id in given_back
                partial = standing.partial and standing.currency == posting.currency and has_rest
                return Shortage(posting, await self._has_lapsed(posting, standing=standing), partial=partial)
        return None

    async def lock_left(self, changes: Sequence[BudgetChange]) -> Mapping[CampaignId, Budget]:
        """What the budgets have left on which these changes would draw, and nobody else draws on until this ends."""
        first = dict[CampaignId, BudgetPosting]()
        # What the changes give back in all: what they draw is drawn when it is known how much it is.
        back = Counter[tuple[CampaignId, str]]()
        for change in changes:
            for one in postings_of([change]):
                first.setdefault(one.campaign_id, one)
                back[one.campaign_id, one.account] -= min(0, one.drawn_minor)
        budgets = dict[CampaignId, Budget]()
        for campaign_id in sorted(first, key=str):
            standing = await self._standing(first[campaign_id])
            if standing.currency is None:
                continue
            left = dict.fromkeys(standing.missing, 0)
            for account in sorted(standing.free_minor):
                params = {**self._of(first[campaign_id]), "funder": account}
                rows = await LOCK_SHARDS.fetch(self._connection, params)
                left[account] = sum(row["free_minor"] for row in rows) + back[campaign_id, account]
            by_funder = {name: BudgetAccount(minor, 0, 0) for name, minor in left.items() if name != ALL_FUNDERS}
            policy = RemainderPolicy.PARTIAL if standing.partial else RemainderPolicy.REJECT
            budgets[campaign_id] = Budget(standing.currency, left[ALL_FUNDERS], 0, 0, by_funder, policy)
        return budgets

    async def _has_lapsed(self, posting: BudgetPosting, *, standing: _Standing) -> bool:
        """Whether it would be covered if what has run out were swept; of one instant, as a sweep is.

        Of a budget of which a coupon takes what there is: whether there would be more.
        """
        if standing.currency != posting.currency:
            return False
        params = {**self._of(posting), "now": self._now}
        if standing.partial:
            return bool(await HAS_LAPSED.value(self._connection, {**params, "funder": ALL_FUNDERS}))
        return bool(await COVERED_BUT_FOR_LAPSED.value(self._connection, params))

    async def _standing(self, posting: BudgetPosting) -> _Standing:
        rows = await BUDGET_STANDING.fetch(self._connection, self._of(posting))
        free_minor = {row["funder"]: row["free_minor"] for row in rows if row["funder"] is not None}
        if not rows or rows[0]["budget_minor"] is None:
            return _Standing(None, free_minor, missing=frozenset())
        limited = {ALL_FUNDERS, *(rows[0]["funder_budgets"] or ())}
        partial = rows[0]["budget_remainder"] == RemainderPolicy.PARTIAL.value
        missing = frozenset(limited - free_minor.keys())
        return _Standing(rows[0]["budget_currency"], free_minor, missing, partial)

    async def _post(self, posting: BudgetPosting, *, standing: _Standing) -> bool:
        drawn = posting.drawn_minor
        # What others have drawn and not committed yet is still counted as left: it may come back.
        refused = drawn > 0 and (standing.currency != posting.currency or standing.free_minor[posting.account] < drawn)
        if refused:
            return False
        place = (posting.campaign_id, posting.account)
        start = self._shards.setdefault(place, random.randrange(BUDGET_SHARDS))  # noqa: S311 - spreads, guards nothing
        params = {**self._of(posting), "shard": start}
        shard = await self._attempt(POST_ON_FREE_SHARD, params, drawn=drawn)
        if shard is None and standing.free_minor[posting.account] >= drawn * AMPLE:
            shard = await self._attempt(POST_ON_SHARD, params, drawn=drawn)
        if shard is None:
            return await self._draw_from_all(params, drawn=drawn)
        self._shards[place] = shard
        return True

    async def _attempt(self, statement: Statement, params: dict[str, object], *, drawn: int) -> int | None:
        """The shard that was posted on; None when there was none, and then nothing is locked that was not before."""
        if drawn <= 0:
            # Whatever comes back finds room on any shard.
            return cast("int | None", await statement.value(self._connection, params))
        savepoint = self._connection.transaction()
        await savepoint.start()
        shard = await statement.value(self._connection, params)
        if shard is None:
            await savepoint.rollback()
        else:
            await savepoint.commit()
        return cast("int | None", shard)

    async def _draw_from_all(self, params: dict[str, object], *, drawn: int) -> bool:
        """The last of it, of whatever shards: under the lock of all, with what remains dealt out evenly."""
        rows = await LOCK_SHARDS.fetch(self._connection, params)
        left = sum(row["free_minor"] for row in rows) - drawn
        if left < 0:
            return False
        dealt = {"shards": [row["shard"] for row in rows], "free": deal(left, shards=len(rows))}
        await DEAL_SHARDS.execute(self._connection, {**params, **dealt})
        return True

    def _of(self, posting: BudgetPosting) -> dict[str, object]:
        return {
            "member_id": posting.coupon.member_id,
            "coupon_id": posting.coupon.coupon_id,
            "funder": posting.account,
            "drawn": posting.drawn_minor,
            "reserved": posting.reserved_minor,
            "redeemed": posting.redeemed_minor,
            **self._scope,
        }
