"""Who asks, and what became of what it asked before."""

from datetime import datetime

import strawberry

from domain.shared.ids import MerchantId
from domain.shared.principal import Principal, Role, Scope
from schema.context import Info
from schema.enums import publish_enum
from schema.members import Member
from schema.merchants import Merchant
from schema.paging import PAGE_SIZE_DEFAULT, After, Connection, First, connection, page_request
from schema.scalars import SafeInt

publish_enum(
    Role,
    "What a caller acts as; one caller may hold several.",
    values={
        "MEMBER": "A member of the programme, for itself.",
        "MERCHANT": "Staff of a merchant: owner, manager or till.",
        "OPERATOR": "An operator of the programme.",
        "SERVICE": "A system beside this one, such as the order system.",
    },
)


@strawberry.type(description="Who asks.")
class Viewer:
    roles: list[Role] = strawberry.field(description="Empty for an anonymous caller.")
    principal: strawberry.Private[Principal | None]

    @staticmethod
    def of(principal: Principal | None) -> "Viewer":
        """The caller as it sees itself."""
        roles = [] if principal is None else sorted(principal.roles, key=lambda r: r.value)
        return Viewer(roles=roles, principal=principal)

    @strawberry.field(description="The member of a member's token; null for every other caller.")
    async def member(self, info: Info) -> Member | None:
        """The viewer as a member."""
        if self.principal is None or self.principal.member_id is None:
            return None
        member = await info.context.load.members.load(self.principal.member_id)
        return None if member is None else Member.from_domain(member)

    @strawberry.field(description="The merchants that the viewer acts for; for operators and services, all.")
    async def merchants(
        self, info: Info, first: First = PAGE_SIZE_DEFAULT, after: After = None
    ) -> Connection[Merchant]:
        """A page of merchants."""
        page = await info.context.reads.merchants.merchants_within(
            _acted_for(info.context.scope), page=page_request(first, after)
        )
        return connection(page, nodes=[Merchant.from_domain(m) for m in page.items])


def _acted_for(scope: Scope) -> tuple[MerchantId, ...] | None:
    return None if scope.everything else scope.merchant_ids


@strawberry.type(description="How far a write in parts is; it goes on when it is sent again under its key.")
class OperationProgress:
    done: SafeInt = strawberry.field(description="How many rows have their answer.")
    total: SafeInt = strawberry.field(description="How many rows there are; with as many done it is finished.")


@strawberry.type(description="A write that was committed, or whose parts are being committed.")
class OperationReceipt:
    idempotency_key: strawberry.ID = strawberry.field(description="The key that the caller gave it.")
    mutation: str = strawberry.field(description="Which mutation.")
    committed_at: datetime = strawberry.field(description="When it was committed; in parts: the last of them.")
    progress: OperationProgress | None = strawberry.field(
        description="Of a write in parts (issueCoupons): how far it is; null of all others."
    )
