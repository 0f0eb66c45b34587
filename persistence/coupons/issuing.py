"""Batches of coupons that are issued: how far each is, and the answers of its rows."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.coupons.distribution import ROW_REFUSALS, Batch, Decided, IssueOutcome
from domain.coupons.model import Coupon
from domain.shared.errors import Refusal
from domain.shared.idempotency import Once, decode, encode
from domain.shared.ids import MemberId, TemplateId
from domain.shared.principal import Scope
from persistence.base import Conn, Row, Statement, insert_rows, of_key, parameters, scope_params, within_scope
from persistence.batches import note
from persistence.coupons.distribution_tables import issue_outcomes, issues
from persistence.coupons.rows import COUPON, coupon_of
from persistence.coupons.tables import coupons, redemptions
from persistence.members.tables import members

_ISSUE_KEY = ("caller_id", "key")
_NOW = sa.bindparam("now", type_=sa.DateTime(timezone=True))
_IDS = sa.bindparam("ids", type_=pg.ARRAY(sa.Uuid))
_OF_BATCH = of_key(issues, *_ISSUE_KEY)
_REFUSALS: Final[Mapping[str, type[Refusal]]] = {kind.__name__: kind for kind in ROW_REFUSALS}

START_ISSUE = Statement("start_issue", note(issues))
LOCK_ISSUE = Statement("lock_issue", sa.select(issues).where(*_OF_BATCH).with_for_update())
ADVANCE_ISSUE = Statement(
    "advance_issue",
    sa.update(issues)
    .where(*_OF_BATCH)
    .values(done=issues.c.done + sa.bindparam("count", type_=sa.BigInteger), changed_at=_NOW),
)
ADD_ISSUE_OUTCOMES = Statement(
    "add_issue_outcomes",
    insert_rows(
        issue_outcomes,
        ("place", "recipient_id", "coupon_id", "problem"),
        constants={name: parameters(issue_outcomes)[name] for name in _ISSUE_KEY},
    ),
)
# An operator may name any member, a merchant those who have used a coupon at it.
KNOWN_MEMBERS = Statement(
    "known_members",
    sa.select(members.c.member_id).where(
        members.c.member_id == sa.any_(_IDS), within_scope(member=members.c.member_id)
    ),
)
CUSTOMERS = Statement(
    "customers",
    sa.select(redemptions.c.member_id)
    .distinct()
    .where(redemptions.c.member_id == sa.any_(_IDS), within_scope(merchant=redemptions.c.merchant_id)),
)
_of_row = (
    sa.select(*COUPON, _NOW.label("read_at"))
    .where(
        coupons.c.member_id == issue_outcomes.c.recipient_id,
        coupons.c.id == issue_outcomes.c.coupon_id,
        within_scope(member=coupons.c.member_id),
    )
    .lateral("coupon")
)
ISSUE_OUTCOMES = Statement(
    "issue_outcomes",
    sa.select(issue_outcomes.c.recipient_id, issue_outcomes.c.problem, *_of_row.c)
    .select_from(issue_outcomes.outerjoin(_of_row, sa.true()))
    .where(*of_key(issue_outcomes, *_ISSUE_KEY))
    .order_by(issue_outcomes.c.place),
)


class SqlIssues:
    """Batches in one transaction, within one scope."""

    def __init__(self, connection: Conn, *, scope: Scope, now: datetime) -> None:
        self._connection = connection
        self._scope = scope_params(scope)
        self._now = now

    async def start(self, once: Once, *, template_id: TemplateId, reason: str, total: int) -> None:
        """Notes a batch of which nothing is done; nothing happens where it is noted already."""
        given = {"input_hash": once.input_hash, "template_id": template_id, "reason": reason, "total": total}
        await START_ISSUE.execute(self._connection, {**self._of(once), **given, "now": self._now})

    async def lock(self, once: Once) -> Batch | None:
        """The batch, locked; none where it was not started."""
        row = await LOCK_ISSUE.row(self._connection, self._of(once))
        return None if row is None else Batch(row["input_hash"], total=row["total"], done=row["done"])

    async def recipients(self, member_ids: Collection[MemberId], *, scope: Scope) -> frozenset[MemberId]:
        """Those of the members to whom a caller of this scope may issue: a merchant, to who has used a coupon there."""
        statement = KNOWN_MEMBERS if scope.everything else CUSTOMERS
        rows = await statement.fetch(self._connection, {"ids": list(member_ids), **scope_params(scope)})
        return frozenset(MemberId(row["member_id"]) for row in rows)

    async def answer(self, once: Once, *, first: int, decided: Sequence[Decided]) -> None:
        """Stores the answers of the rows from place `first` on, and that they are done."""
        answers = [answer for _, answer in decided]
        params = {
            **self._of(once),
            "place": list(range(first, first + len(decided))),
            "recipient_id": [member_id for member_id, _ in decided],
            "coupon_id": [None if isinstance(answer, Refusal) else answer for answer in answers],
            "problem": [_problem(answer) if isinstance(answer, Refusal) else None for answer in answers],
        }
        stored = await ADD_ISSUE_OUTCOMES.execute(self._connection, params)
        assert stored == len(decided), "every row's answer is stored"
        await ADVANCE_ISSUE.execute(self._connection, {**self._of(once), "count": len(decided), "now": self._now})

    async def outcomes(self, once: Once) -> Sequence[IssueOutcome]:
        """The answers of all rows, in their order; coupons as they are now."""
        params = {**self._of(once), "now": self._now, **self._scope}
        rows = await ISSUE_OUTCOMES.fetch(self._connection, params)
        return [IssueOutcome(MemberId(row["recipient_id"]), _answer_of(row)) for row in rows]

    def _of(self, once: Once) -> dict[str, object]:
        return {"caller_id": once.caller_id, "key": once.key}


def _problem(refusal: Refusal) -> Any:
    return {"refusal": type(refusal).__name__, "facts": encode(refusal)}


def _answer_of(row: Row) -> Coupon | Refusal:
    problem = row["problem"]
    if problem is None:
        return coupon_of(row)
    return decode(_REFUSALS[problem["refusal"]], problem["facts"])
