"""What PostGraphile is asked, and what its way of authentication needs in the database (peers/node/postgraphile.mjs).

Its manual has the server verify the token and hand role and claims to PostgreSQL as settings, local to a transaction;
a function finds the caller by them, and policies on rows keep each caller to what is theirs, as the other servers do by
the statements they send.
Source: postgraphile.org/postgraphile/5/jwt-guide and /security.
"""

from collections.abc import Callable, Sequence
from typing import Final

import asyncpg

from benchmarks.answers import request_text
from benchmarks.seeds import member_ref

# PostGraphile names and nests after the tables; aliases bring the same leaves.
_MEMBER: Final = (
    "{ id: memberId locale joinedAt coupons(first: 20, orderBy: [CLAIMED_AT_DESC, ROW_ID_DESC]) { edges { node { "
    "id: rowId state validUntil template { name campaign { name merchant { id: rowId name } } } } } } }"
)
DOCUMENT: Final = f"query Wallet {{ me {_MEMBER} }}"
ANONYMOUS_DOCUMENT: Final = f"query Wallet($ref: String!) {{ me: memberByExternalRef(externalRef: $ref) {_MEMBER} }}"
# Owners of tables (Laurel, the other peers) are not subject to policies. `(SELECT …)` has the caller looked up once for
# each statement, not for each row; of members a visitor sees one, itself.
_CALLER: Final = """
DO $$ BEGIN CREATE ROLE postgraphile_visitor; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DROP SCHEMA IF EXISTS postgraphile_peer CASCADE;
CREATE SCHEMA postgraphile_peer;
CREATE FUNCTION postgraphile_peer.me() RETURNS public.members LANGUAGE sql STABLE
RETURN (SELECT members FROM public.members WHERE external_ref = current_setting('jwt.claims.sub', true));
COMMENT ON FUNCTION postgraphile_peer.me() IS '@name me';
GRANT USAGE ON SCHEMA postgraphile_peer TO postgraphile_visitor;
GRANT SELECT ON members, coupons, coupon_templates, campaigns, merchants TO postgraphile_visitor;
ALTER TABLE members ENABLE ROW LEVEL SECURITY;
ALTER TABLE coupons ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS own ON members;
DROP POLICY IF EXISTS own ON coupons;
CREATE POLICY own ON members TO postgraphile_visitor
  USING (external_ref = (SELECT current_setting('jwt.claims.sub', true)));
CREATE POLICY own ON coupons TO postgraphile_visitor USING (member_id = (SELECT member_id FROM members));
"""


async def prepare(database_url: str) -> None:
    """Makes the role, the function that finds the caller, and the policies on rows; again is no error."""
    session = await asyncpg.connect(database_url)
    try:
        await session.execute(_CALLER)
    finally:
        await session.close()


def requests(tokens: Sequence[str]) -> Callable[[int], list[str]]:
    """The wallet query of these callers."""
    listed = [request_text("/graphql", token=token, body={"query": DOCUMENT}) for token in tokens]
    return lambda _round: listed


def anonymous_requests(numbers: Sequence[int]) -> Callable[[int], list[str]]:
    """The wallet query for these members, asked by nobody."""
    listed = [
        request_text(
            "/graphql", token=None, body={"query": ANONYMOUS_DOCUMENT, "variables": {"ref": member_ref(number)}}
        )
        for number in numbers
    ]
    return lambda _round: listed
