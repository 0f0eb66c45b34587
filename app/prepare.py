"""What is done once before the server processes start, and what a newcomer is told when they have."""

import sys
from urllib.parse import urlsplit

import asyncpg

from app.auth import IssuingRefused
from app.demo.standing import demo_is_wanted
from app.graphiql.examples import TO_BE_MADE, find_starter
from app.keys import personal_data, token_keys
from app.serve import CannotServe, tell
from app.settings import Settings
from app.wiring import open_database
from persistence.migrations import migrate
from persistence.redis.client import REDIS_FAILURES, open_redis

_AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)


async def prepare_database(settings: Settings) -> None:
    """Migrates, and loads the demo programme where it is wanted; raises CannotServe with one line."""
    assert settings.redis_url is not None, "given, or embedded"
    personal_data(settings)
    token_keys(settings)
    await prepare_schema(settings)
    redis_url = settings.redis_url.get_secret_value()
    redis = open_redis(redis_url)
    try:
        await redis.ping()
    except REDIS_FAILURES as error:
        raise CannotServe(f"Redis at {_place(redis_url)} cannot be used: {_reason(error)}") from None
    finally:
        await redis.aclose()
    await _load_demo(settings)


async def _load_demo(settings: Settings) -> None:
    """A part of the demo programme for an empty database; without its files the programme starts empty."""
    if not await demo_is_wanted(settings):
        return
    from app.demo.load import load_demo
    from app.demo.source import DemoUnavailable

    tell("loading a part of the demo programme (all of it: python -m app demo --full) …")
    try:
        await load_demo(settings, full=False, progress=lambda _done, _total: None)
    except DemoUnavailable as missing:
        tell(f"{missing}; starting empty")


async def prepare_schema(settings: Settings) -> None:
    """Brings the database to the newest revision; raises CannotServe with one line."""
    assert settings.database_url is not None, "given, or embedded"
    url = settings.database_url.get_secret_value()
    try:
        await migrate(url)
    except _AWAY as error:
        raise CannotServe(f"PostgreSQL at {_place(url)} cannot be used: {_reason(error)}") from None


async def show_start(settings: Settings, *, port: int) -> None:
    """Tells where to go and with which tokens."""
    base = f"http://{settings.host}:{port}"
    say = sys.stdout.write
    try:
        async with open_database(settings) as database:
            starter = await find_starter(database, settings=settings)
    except (IssuingRefused, *_AWAY) as refused:
        say(f"\nLaurel is ready: {base}/graphql\n{_reason(refused)}\n")
        sys.stdout.flush()
        return
    tokens, examples = starter.tokens, starter.examples
    say(f"\nLaurel is ready.\n\n  GraphiQL   {base}/graphiql\n  GraphQL    {base}/graphql\n\n")
    say("Development tokens, valid for a day:\n\n")
    for name, token in (
        ("member", tokens.member),
        ("till", tokens.till),
        ("merchant", tokens.merchant),
        ("operator", tokens.operator),
        ("service", tokens.service),
    ):
        say(f"  {name:<9}  {token}\n")
    if examples.coupon_template_id != TO_BE_MADE:
        say(f"\nClaim a coupon:\n\n  {_curl(base, token=tokens.member, template_id=examples.coupon_template_id)}\n")
    say("\nCtrl-C stops everything.\n\n")
    sys.stdout.flush()


def _curl(base: str, *, token: str, template_id: str) -> str:
    document = (
        'mutation { claimCoupon(input: {couponTemplateId: \\"'
        + template_id
        + '\\", idempotencyKey: \\"first-claim\\"}) { __typename ... on ClaimCouponSuccess '
        "{ coupon { code headline validUntil } } ... on Problem { code message } } }"
    )
    return (
        f"curl -s {base}/graphql -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' "
        f'-d \'{{"query": "{document}"}}\''
    )


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname or parts.path}:{parts.port}" if parts.port else str(parts.hostname or parts.path)


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
