"""Batches and codes read: how far a caller's batch is, and a manager's codes."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import sqlalchemy as sa

from domain.coupons.distribution import CouponCode, IssueProgress
from domain.shared.ids import TemplateId
from domain.shared.paging import Page, PageRequest
from domain.shared.principal import Scope
from persistence.base import Statement, arrays, scope_params, within_scope
from persistence.coupons.codes import code_of_row
from persistence.coupons.distribution_tables import codes, issues
from persistence.paging import after_id, pages_of
from persistence.unit_of_work import Database

_AFTER_ID = sa.bindparam("after_id", type_=sa.Uuid)

ISSUE_PROGRESS = Statement(
    "issue_progress",
    sa.select(issues.c.key, issues.c.total, issues.c.done, issues.c.changed_at).where(
        issues.c.caller_id == sa.bindparam("caller_id", type_=sa.Uuid),
        issues.c.key == sa.bindparam("key", type_=sa.Text),
    ),
)
_templates = arrays("templates", {"template_ids": sa.Uuid()})
_page = (
    sa.select(codes)
    .where(
        codes.c.template_id == _templates.c.template_ids,
        sa.or_(_AFTER_ID.is_(None), codes.c.id < _AFTER_ID),
        within_scope(merchant=codes.c.merchant_id),
    )
    .order_by(codes.c.id.desc())
    .limit(sa.bindparam("limit", type_=sa.Integer))
    .lateral("page")
)
CODES_OF_TEMPLATES = Statement(
    "codes_of_templates",
    sa.select(_page).select_from(_templates.join(_page, sa.true())).order_by(_page.c.template_id, _page.c.id.desc()),
)


class SqlDistributionReads:
    """Reads of batches and codes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def issue_progress(self, *, caller_id: UUID, key: str) -> IssueProgress | None:
        """How far the caller's batch under this key is."""
        async with self._database.read() as connection:
            row = await ISSUE_PROGRESS.row(connection, {"caller_id": caller_id, "key": key})
        if row is None:
            return None
        return IssueProgress(key=row["key"], total=row["total"], done=row["done"], changed_at=row["changed_at"])

    async def codes_of(
        self, template_ids: Sequence[TemplateId], *, page: PageRequest, scope: Scope
    ) -> Mapping[TemplateId, Page[CouponCode]]:
        """The same page of each template's codes, the newest first, where the scope manages them."""
        params = {"template_ids": list(template_ids), "after_id": after_id(page), "limit": page.first + 1}
        async with self._database.read() as connection:
            rows = await CODES_OF_TEMPLATES.fetch(connection, {**params, **scope_params(scope)})
        return pages_of(
            rows,
            parents=template_ids,
            parent=lambda row: TemplateId(row["template_id"]),
            request=page,
            item=code_of_row,
            key=lambda row: (str(row["id"]),),
        )
