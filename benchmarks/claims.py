"""Claims over HTTP, in flight by the hundred, all of one template: everyone wants the same coupon."""

from collections.abc import Callable, Sequence
from typing import Final

from benchmarks.answers import claim_of, hold_same, request_text
from benchmarks.load import UNIQUE
from benchmarks.measure import Contender, Pace, alternate, figures, table
from benchmarks.options import Options
from benchmarks.place import Place
from benchmarks.results import Results
from benchmarks.seeds import CLAIM_TEMPLATES, TEMPLATES, identity
from benchmarks.servers import laurel, module_peer, python_peer
from schema.node_ids import NodeType, node_id

DOCUMENT: Final = (
    "mutation Claim($template: ID!, $key: ID!) { "
    "claimCoupon(input: {couponTemplateId: $template, idempotencyKey: $key}) { "
    "__typename ... on ClaimCouponSuccess { coupon { id code } replayed } ... on Problem { code message } } }"
)
EXPECTED: Final = '"replayed":false'
JSON_ROUTE: Final = "benchmarks.peers.claims:json_route"
PER_REQUEST: Final = "benchmarks.peers.per_request"
# Beyond this many contenders and rounds, templates would be claimed in two rounds, which only makes later ones slower.
_STEP: Final = 3


def claims(place: Place, options: Options, results: Results) -> None:
    """Measures claims through GraphQL against the same on a JSON route, and against a transaction for each."""
    tokens = place.member_tokens(range(min(options.claimers, options.size.members)))
    with (
        place.copy_of(options.size) as database,
        laurel(place, "laurel-claims", database=database) as our_server,
        python_peer(place, "json-route", application=JSON_ROUTE, database=database) as json_server,
        module_peer(place, "for-update", module=PER_REQUEST, database=database) as row_server,
    ):
        ours = Contender(our_server, _graphql(tokens, place=0), EXPECTED)
        json_route = Contender(json_server, _json(tokens, place=1), EXPECTED)
        for_update = Contender(row_server, _graphql(tokens, place=2), EXPECTED)
        everyone = [ours, json_route, for_update]
        hold_same(everyone, shown=claim_of, times=2)
        alternate(place, everyone, pace=Pace(options.rounds, options.seconds, connections=options.in_flight))
        print(table(f"claims, {options.in_flight:,} in flight, one worker", everyone, against=json_route))
        results.ratio("claims_vs_json_route", ours.per_second / json_route.per_second)
        results.ratio("claims_vs_for_update", ours.per_second / for_update.per_second)
        results.detail("claims", figures(everyone))


def _template(round_: int, *, place: int) -> int:
    """A template of its own for each contender and round, so that nobody begins with more claimed than another."""
    return TEMPLATES + (round_ * _STEP + place) % CLAIM_TEMPLATES


def _graphql(tokens: Sequence[str], *, place: int) -> Callable[[int], list[str]]:
    def of_round(round_: int) -> list[str]:
        template = node_id(NodeType.CouponTemplate, identity("template", _template(round_, place=place)))
        body = {"query": DOCUMENT, "variables": {"template": template, "key": UNIQUE}}
        return [request_text("/graphql", token=token, body=body) for token in tokens]

    return of_round


def _json(tokens: Sequence[str], *, place: int) -> Callable[[int], list[str]]:
    def of_round(round_: int) -> list[str]:
        template = identity("template", _template(round_, place=place))
        body = {"couponTemplateId": str(template), "idempotencyKey": UNIQUE}
        return [request_text("/claim", token=token, body=body) for token in tokens]

    return of_round
