"""`python -m app token …`: one development token, alone on standard output.

Every command imports this module, `serve` too: so what makes a token is imported by the one that makes one.
"""

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from app.auth import TokenClaims

DAY_SECONDS = 86_400
LONGEST_TTL_SECONDS = 30 * DAY_SECONDS

token_app = typer.Typer(
    name="token", no_args_is_help=True, help="Print one development token. Refused when LAUREL_ENV=production."
)


class StaffRole(Enum):
    """The roles of a merchant's staff, as they are typed."""

    OWNER = "owner"
    MANAGER = "manager"
    TILL = "till"


Ttl = Annotated[
    int,
    typer.Option(
        "--ttl", min=1, max=LONGEST_TTL_SECONDS, metavar="SECONDS", help="How long the token is valid, in seconds."
    ),
]


def _merchant_id(text: str) -> UUID:
    return _id_of("Merchant", text)


def _store_id(text: str) -> UUID:
    return _id_of("Store", text)


def _id_of(node_type: str, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        from schema.node_ids import read_node_id  # a UUID need not wait for a server's imports

        ref = read_node_id(text)
    if ref is None or ref.type.name != node_type:
        raise typer.BadParameter(f"{text!r} is not the id of a {node_type}")
    return ref.id


@token_app.command()
def member(
    ref: Annotated[str, typer.Option("--ref", help="The member's reference in the shop's own system (externalRef).")],
    ttl: Ttl = DAY_SECONDS,
) -> None:
    """A member; one that is not known yet is registered when the token is first used."""
    from app.auth import TokenClaims

    _print_token(TokenClaims.of_member(ref), ttl_seconds=ttl)


@token_app.command()
def merchant(
    merchant_id: Annotated[
        UUID,
        typer.Option("--merchant", metavar="ID", parser=_merchant_id, help="The merchant's id: of GraphQL, or a UUID."),
    ],
    store_ids: Annotated[
        list[UUID] | None,
        typer.Option("--store", metavar="ID", parser=_store_id, help="A store (repeat for more); none: all stores."),
    ] = None,
    role: Annotated[StaffRole, typer.Option("--role", help="What the staff may do.")] = StaffRole.OWNER,
    ttl: Ttl = DAY_SECONDS,
) -> None:
    """Staff of a merchant: a till redeems, a manager also plans campaigns, an owner does everything."""
    from app.auth import TokenClaims
    from domain.shared.ids import MerchantId, StoreId
    from domain.shared.principal import MerchantRole

    stores: Sequence[UUID] = store_ids or ()
    claims = TokenClaims.of_merchant(
        MerchantId(merchant_id), store_ids=map(StoreId, stores), role=MerchantRole[role.name]
    )
    _print_token(claims, ttl_seconds=ttl)


@token_app.command()
def operator(ttl: Ttl = DAY_SECONDS) -> None:
    """Whoever runs the programme."""
    from app.auth import TokenClaims

    _print_token(TokenClaims.of_operator(), ttl_seconds=ttl)


@token_app.command()
def service(ttl: Ttl = DAY_SECONDS) -> None:
    """The order system."""
    from app.auth import TokenClaims

    _print_token(TokenClaims.of_service(), ttl_seconds=ttl)


def _print_token(claims: "TokenClaims", *, ttl_seconds: int) -> None:
    from app.auth import IssuingRefused
    from app.keys import token_issuer
    from app.settings import SettingsError, load_settings

    try:
        token = token_issuer(load_settings()).issue(claims, ttl_seconds=ttl_seconds)
    except (IssuingRefused, SettingsError) as refused:
        typer.echo(f"laurel: {refused}", err=True)
        raise typer.Exit(code=1) from None
    typer.echo(token)
