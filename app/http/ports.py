"""What the endpoint asks of the rest: who is calling, and what a context is made of."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from graphql import OperationType

from domain.shared.principal import Principal


@dataclass(slots=True, eq=False)
class RequestInfo:
    """What a context may be made of. No header beyond these reaches a resolver."""

    request_id: str
    principal: Principal | None
    operation: OperationType
    accept_language: str | None


# The Authorization header, or None without one, to its principal (None: anonymous). A token that cannot be trusted, or
# another scheme, raises Unauthenticated.
Authenticate: TypeAlias = Callable[[str | None], Awaitable[Principal | None]]
MakeContext: TypeAlias = Callable[[RequestInfo], Awaitable[object]]
