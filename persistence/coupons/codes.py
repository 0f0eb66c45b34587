"""Codes that members redeem for coupons: made, used and tried."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.coupons.distribution import CouponCode, NewCode
from domain.shared.ids import CouponId, MemberId, TemplateId
from domain.shared.principal import Scope
from persistence.base import Conn, Row, Statement, arrays, insert_rows, scope_params, within_scope
from persistence.coupons.distribution_tables import code_attempts, code_uses, codes
from persistence.coupons.tables import templates

_MEMBERS = sa.bindparam("member_ids", type_=pg.ARRAY(sa.Uuid))
_COUNT = sa.bindparam("count", type_=sa.BigInteger)
_TEMPLATE = sa.bindparam("template_id", type_=sa.Uuid)
_CODE_ID = sa.bindparam("code_id", type_=sa.Uuid)
_NOW = sa.bindparam("now", type_=sa.DateTime(timezone=True))
_MANAGED = within_scope(merchant=codes.c.merchant_id)
_ONE: sa.ColumnElement[int] = sa.literal_column("1")

CODE_OWNER = Statement(
    "code_owner",
    sa.select(templates.c.merchant_id).where(
        templates.c.id == _TEMPLATE, within_scope(merchant=templates.c.merchant_id)
    ),
)
ADD_CODES = Statement(
    "add_codes",
    insert_rows(
        codes,
        ("id", "code", "printed", "merchant_id", "expires_at"),
        merchant="merchant_id",
        constants={
            "template_id": _TEMPLATE,
            "uses_limit": sa.bindparam("uses_limit", type_=sa.BigInteger),
            "uses": sa.literal_column("0"),
            "created_at": _NOW,
        },
    )
    .on_conflict_do_nothing(index_elements=["code"])
    .returning(codes.c.code),
)
CODES_OF_BATCH = Statement(
    "codes_of_batch",
    sa.select(codes.c.printed)
    .where(
        codes.c.template_id == _TEMPLATE,
        codes.c.created_at == sa.bindparam("created_at", type_=codes.c.created_at.type),
        _MANAGED,
    )
    .order_by(codes.c.id),
)
FIND_CODE = Statement(
    "find_code",
    sa.select(codes)
    .join_from(codes, templates, templates.c.id == codes.c.template_id)
    .where(
        codes.c.code == sa.bindparam("code", type_=sa.Text),
        templates.c.state == sa.literal_column("'PUBLISHED'"),
        _MANAGED,
    ),
)
CODE_USED_BY = Statement(
    "code_used_by",
    sa.select(code_uses.c.member_id).where(
        code_uses.c.member_id == sa.any_(_MEMBERS),
        code_uses.c.code_id == _CODE_ID,
        within_scope(member=code_uses.c.member_id),
    ),
)
COUNT_CODE_USE = Statement(
    "count_code_use",
    sa.update(codes)
    .where(codes.c.id == _CODE_ID, codes.c.uses + _COUNT <= codes.c.uses_limit, _MANAGED)
    .values(uses=codes.c.uses + _COUNT),
)
ADD_CODE_USE = Statement(
    "add_code_use",
    insert_rows(
        code_uses, ("member_id", "coupon_id"), member="member_id", constants={"code_id": _CODE_ID, "used_at": _NOW}
    ),
)
_tries = arrays("tries", {"member_id": sa.Uuid()})
_first_try = pg.insert(code_attempts).from_select(
    ["member_id", "since", "failed"],
    # In one order, so that two sets that share members wait for each other and never in a ring.
    sa.select(_tries.c.member_id, _NOW, _ONE)
    .where(within_scope(member=_tries.c.member_id))
    .order_by(_tries.c.member_id),
)
_OVER = code_attempts.c.since <= sa.bindparam("before", type_=sa.DateTime(timezone=True))
COUNT_ATTEMPT = Statement(
    "count_code_attempt",
    _first_try.on_conflict_do_update(
        index_elements=["member_id"],
        set_={
            "since": sa.case((_OVER, _NOW), else_=code_attempts.c.since),
            "failed": sa.case((_OVER, _ONE), else_=code_attempts.c.failed + _ONE),
        },
        where=sa.or_(_OVER, code_attempts.c.failed < sa.bindparam("most", type_=sa.BigInteger)),
    ).returning(code_attempts.c.member_id),
)
_OWN_ATTEMPTS = (code_attempts.c.member_id == sa.any_(_MEMBERS), within_scope(member=code_attempts.c.member_id))
ATTEMPTS_SINCE = Statement(
    "code_attempts_since", sa.select(code_attempts.c.member_id, code_attempts.c.since).where(*_OWN_ATTEMPTS)
)
FORGIVE_ATTEMPT = Statement(
    "forgive_code_attempt",
    sa.update(code_attempts)
    .where(*_OWN_ATTEMPTS, code_attempts.c.failed > sa.literal_column("0"))
    .values(failed=code_attempts.c.failed - _ONE),
)


class SqlCodes:
    """Codes in one transaction, within one scope."""

    def __init__(self, connection: Conn, *, scope: Scope, now: datetime) -> None:
        self._connection = connection
        self._scope = scope_params(scope)
        self._now = now

    async def add(self, new: Sequence[NewCode], *, template_id: TemplateId, uses_limit: int) -> frozenset[str]:
        """Stores codes; returns those that were stored: what there is already is left as it is."""
        owner = await CODE_OWNER.value(self._connection, {"template_id": template_id, **self._scope})
        # In one order, so that two who bring the same codes wait for each other and never in a ring.
        ordered = sorted(new, key=lambda one: one.code)
        params = {
            "id": [one.id for one in ordered],
            "code": [one.code for one in ordered],
            "printed": [one.printed for one in ordered],
            "merchant_id": [owner for _ in ordered],
            "expires_at": [one.expires_at for one in ordered],
            "template_id": template_id,
            "uses_limit": uses_limit,
            "now": self._now,
            **self._scope,
        }
        return frozenset(row["code"] for row in await ADD_CODES.fetch(self._connection, params))

    async def of_batch(self, template_id: TemplateId, *, created_at: datetime) -> Sequence[str]:
        """The codes of a template that were made at that instant, as they are printed, in order."""
        params = {"template_id": template_id, "created_at": created_at, **self._scope}
        return [row["printed"] for row in await CODES_OF_BATCH.fetch(self._connection, params)]

    def choose(self, alphabet: str) -> str:
        """One of these characters, by the system's cryptographic source."""
        return secrets.choice(alphabet)

    async def find(self, code: str) -> CouponCode | None:
        """A code of a published template, as it is now; not locked, the stock of its template is."""
        row = await FIND_CODE.row(self._connection, {"code": code, **self._scope})
        return None if row is None else code_of_row(row)

    async def used_by(self, code_id: UUID, *, member_ids: Collection[MemberId]) -> frozenset[MemberId]:
        """Those of the members who have used the code."""
        params = {"code_id": code_id, "member_ids": list(member_ids), **self._scope}
        return frozenset(MemberId(row["member_id"]) for row in await CODE_USED_BY.fetch(self._connection, params))

    async def use(self, code_id: UUID, *, coupons: Mapping[MemberId, CouponId]) -> None:
        """Counts the uses of a code that has as many left, with the coupon that each member got."""
        of_code = {"code_id": code_id, "count": len(coupons), "now": self._now, **self._scope}
        counted = await COUNT_CODE_USE.execute(self._connection, of_code)
        assert counted == 1, "the code was looked at under the lock of its template's stock"
        rows = {"member_id": list(coupons), "coupon_id": list(coupons.values())}
        stored = await ADD_CODE_USE.execute(self._connection, {**rows, **of_code})
        assert stored == len(coupons), "every use is stored: its member is within the scope"

    async def attempt(
        self, member_ids: Collection[MemberId], *, most: int, within: timedelta
    ) -> Mapping[MemberId, datetime]:
        """Counts a try of each that may fail; of whom none was counted, from when on there may be another."""
        params = {
            "member_id": list(member_ids),
            "now": self._now,
            "before": self._now - within,
            "most": most,
            **self._scope,
        }
        counted = {row["member_id"] for row in await COUNT_ATTEMPT.fetch(self._connection, params)}
        others = [member_id for member_id in member_ids if member_id not in counted]
        if not others:
            return {}
        rows = await ATTEMPTS_SINCE.fetch(self._connection, {"member_ids": others, **self._scope})
        return {MemberId(row["member_id"]): row["since"] + within for row in rows}

    async def forgive(self, member_ids: Collection[MemberId]) -> None:
        """Takes back the last try of each that was counted."""
        if member_ids:
            await FORGIVE_ATTEMPT.execute(self._connection, {"member_ids": list(member_ids), **self._scope})


def code_of_row(row: Row) -> CouponCode:
    """A code from its row."""
    return CouponCode(
        id=row["id"],
        template_id=row["template_id"],
        printed=row["printed"],
        uses_limit=row["uses_limit"],
        uses=row["uses"],
        expires_at=row["expires_at"],
        created_at=row["created_at"],
    )
