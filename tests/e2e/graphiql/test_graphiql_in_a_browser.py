from pathlib import Path

import pytest

from tests.e2e.graphiql.browser import assert_newcomer_is_well_served, browse
from tests.e2e.graphiql.stub import serving

SCHEMA = Path(__file__).parents[3] / "schema" / "schema.graphql"

pytestmark = [pytest.mark.chromium, pytest.mark.node, pytest.mark.timeout(300)]


def test_a_newcomer_queries_claims_and_sees_the_coupon_arrive_live() -> None:
    with serving(SCHEMA) as (base_url, stub):
        seen = browse(base_url)
    assert_newcomer_is_well_served(seen)

    # Introspection too: at every load with the token of that load.
    assert [authorization for operation, authorization, _ in stub.fetched if operation == "IntrospectionQuery"] == [
        f"Bearer token-{load}-of-member" for load in range(1, stub.loads + 1)
    ]
    assert all(accept.startswith("application/graphql-response+json") for _, _, accept in stub.fetched)
    assert stub.socket_inits == [{"Authorization": seen["prepared"][0]}]
    # The stub's tokens are new at every load: none of the one before came back from the browser's storage.
    assert set(seen["reload"]["authorizations"]).isdisjoint(seen["prepared"])
