"""The benchmarks run, on a handful of rows; nothing here depends on how fast anything is."""

import asyncio
import json
import os
import secrets
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import typer
from typer.testing import CliRunner
from typing_extensions import override

from app.keys import personal_data, token_issuer
from benchmarks import wallet as wallets
from benchmarks.__main__ import main
from benchmarks.answers import claim_of, hold_same, wallet_of
from benchmarks.budgets import budgets
from benchmarks.claims import claims
from benchmarks.listeners import frame, unframe
from benchmarks.load import UNIQUE, Plan, drive
from benchmarks.machine import Machine, cpu_seconds, resident_kib
from benchmarks.measure import BadAnswers, Contender, Sample, figures
from benchmarks.options import Options
from benchmarks.peers import postgraphile as postgraphiles
from benchmarks.place import Place
from benchmarks.push import push
from benchmarks.results import TARGETS, OtherScale, Results, Run
from benchmarks.seeds import Size, member_ref
from benchmarks.servers import NODE_FOLDER, NoPeer, Server
from domain.coupons.model import code_of
from domain.shared.ids import CouponId
from schema.node_ids import NodeType, node_id, owned_node_id
from tests.servers import drop_database, servers

OPTIONS = Options(
    size=Size("tiny", members=20, large_wallets=1, coupons_of_large=50),
    tenth=Size("tinier", members=10, large_wallets=1, coupons_of_large=30),
    rounds=1, seconds=0.5, callers=10, claimers=10, sockets=10, in_flight=10,
)  # fmt: skip
SOMEBODY = UUID(int=1)
command = typer.Typer()
command.command()(main)
MACHINE = Machine(system="", processor="", cores=2, memory_gib=1)


@pytest.fixture
def options() -> Options:
    """Databases of this test's own: members are sealed with the keys of its folder."""
    own = secrets.token_hex(4)
    size, tenth = OPTIONS.size, OPTIONS.tenth
    return replace(OPTIONS, size=replace(size, name=f"tiny{own}"), tenth=replace(tenth, name=f"tinier{own}"))


@pytest.fixture
def place(tmp_path: Path, options: Options) -> Iterator[Place]:
    urls = servers()
    made = Place(tmp_path, urls.database_url, urls.redis_url, server_pids=())
    personal_data(made.settings)
    token_issuer(made.settings)
    yield made
    for size in (options.size, options.tenth):
        drop_database(made.url_of(size.database))


def test_seeds_are_whole_and_agree_with_themselves(place: Place, options: Options) -> None:
    database = place.seeded(options.size)

    async def rows(query: str) -> list[asyncpg.Record]:
        session = await asyncpg.connect(place.url_of(database))
        try:
            return list(await session.fetch(query))
        finally:
            await session.close()

    per_member = asyncio.run(rows("SELECT count(*) AS coupons FROM coupons GROUP BY member_id ORDER BY 1"))
    assert [row["coupons"] for row in per_member] == [20] * options.size.members + [50]
    expired = "SELECT 1 FROM coupons WHERE (state = 'CLAIMED') <> (valid_until > now())"
    assert asyncio.run(rows(expired)) == [], "no answer depends on the day it is asked on"
    taken = "SELECT sum(total - remaining)::int AS taken FROM coupon_template_stock"
    assert asyncio.run(rows(taken))[0]["taken"] == options.size.coupons
    indexes = asyncio.run(rows("SELECT indexname FROM pg_indexes WHERE tablename = 'coupons'"))
    assert len(indexes) == 5, "every key and index is there again"


@pytest.mark.timeout(300)
def test_wallet_servers_answer_alike_and_are_measured(
    place: Place, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise NoPeer("not in this test")

    monkeypatch.setattr(wallets, "node_peer", missing)
    results = Results()
    wallets.one_worker(place, options, results, database=place.seeded(options.size))
    assert set(results.ratios) == {"wallet_vs_limit_1w", "wallet_vs_strawberry"}


@pytest.mark.timeout(300)
def test_a_visitor_of_postgraphile_sees_its_own_rows_and_no_others(place: Place, options: Options) -> None:
    url = place.url_of(place.seeded(options.size))

    async def seen() -> tuple[int, int, int]:
        session = await asyncpg.connect(url)
        try:
            if not await session.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
                pytest.skip("this needs a PostgreSQL in which we may make roles: the benchmarks' own is one")
            await postgraphiles.prepare(url)
            await postgraphiles.prepare(url)
            await session.execute("SET ROLE postgraphile_visitor")
            nobody = await session.fetchval("SELECT count(*) FROM coupons")
            await session.execute(f"SET jwt.claims.sub = '{member_ref(3)}'")
            members = await session.fetchval("SELECT count(*) FROM members")
            return nobody, members, await session.fetchval("SELECT count(*) FROM coupons")
        finally:
            await session.close()

    assert asyncio.run(seen()) == (0, 1, 20)


@pytest.mark.timeout(300)
def test_claims_are_measured(place: Place, options: Options) -> None:
    results = Results()
    claims(place, options, results)
    assert set(results.ratios) == {"claims_vs_json_route", "claims_vs_for_update"}


@pytest.mark.timeout(300)
def test_draws_on_one_budget_are_measured_and_none_is_missed(place: Place, options: Options) -> None:
    results = Results()
    budgets(place, options, results)
    assert set(results.details) == {"budgets"}


@pytest.mark.timeout(300)
def test_push_is_measured(place: Place, options: Options) -> None:
    results = Results()
    push(place, options, results)
    assert set(results.details) == {"push"}
    assert "push_5000_ms" not in results.ratios, "ten sockets say nothing of five thousand"


class _Counting(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bodies: list[bytes] = []  # noqa: RUF012 - of this test's server alone
    lock = threading.Lock()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        with _Counting.lock:
            _Counting.bodies.append(body)
            answer = b'{"good": true}' if len(_Counting.bodies) != 10 else b"{}"
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    @override
    def log_message(self, *_: object) -> None:
        pass


def test_the_load_sends_unique_keys_and_counts_bad_answers() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Counting)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    request = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(UNIQUE)}\r\n\r\n{UNIQUE}"
    try:
        plan = Plan(server.server_port, connections=2, seconds=20, requests=[request], expected='"good"', least=20)
        counts = drive(plan)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert len(counts.latencies) >= 20
    assert counts.bad == 1
    assert "{}" in counts.example
    assert len(set(_Counting.bodies)) == len(_Counting.bodies)


def test_answers_are_compared_without_the_form_of_ids_and_instants() -> None:
    member = node_id(NodeType.Member, SOMEBODY)

    def answer(id_: str, at: str) -> dict[str, object]:
        me = {"id": id_, "locale": "en", "joinedAt": at, "wallet": {"coupons": {"edges": []}}}
        return {"data": {"me": me}}

    ours, theirs = answer(member, "2026-01-01T08:00:00+08:00"), answer(str(SOMEBODY), "2026-01-01T00:00:00.000Z")
    assert wallet_of(ours) == wallet_of(theirs)
    assert wallet_of(ours) != wallet_of(answer(str(SOMEBODY), "2026-01-01T00:00:01Z"))


def test_frames_of_all_lengths_come_back() -> None:
    for length in (0, 125, 126, 60_000):
        payload = b"x" * length
        masked = frame(payload)
        # A server's frame is a client's without the mask.
        head = 2 if length < 126 else 4
        unmasked = bytes([masked[0], masked[1] & 127]) + masked[2:head] + masked[head + 4 :]
        assert unframe(unmasked + b"rest") == (1, payload, b"rest")
        assert unframe(unmasked[:-1]) is None


def run_of(date: str, scale: str = "real") -> Run:
    return Run(date, scale, rounds=5, seconds=4.0, machine=MACHINE, versions={"python": date})


def found(**ratios: float) -> Results:
    results = Results()
    for key, value in ratios.items():
        results.ratio(key, value)
        results.detail(key.partition("_")[0], {"of": value})
    return results


def test_results_keep_what_another_run_measured_with_how_it_was(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    found(wallet_vs_limit_1w=0.9, claims_vs_json_route=0.6, push_5000_ms=900).write(path, run=run_of("2026-01-01"))
    found(claims_vs_json_route=0.7).write(path, run=run_of("2026-02-02"))
    written = json.loads(path.read_text())
    assert written["ratios"] == {"wallet_vs_limit_1w": 0.9, "claims_vs_json_route": 0.7, "push_5000_ms": 900}
    assert written["details"]["claims"] == {"of": 0.7}
    assert [(run["date"], run["ratios"], run["details"]) for run in written["runs"]] == [
        ("2026-01-01", ["push_5000_ms", "wallet_vs_limit_1w"], ["push", "wallet"]),
        ("2026-02-02", ["claims_vs_json_route"], ["claims"]),
    ]
    assert [run["versions"]["python"] for run in written["runs"]] == ["2026-01-01", "2026-02-02"]
    assert {(run["rounds"], run["seconds"]) for run in written["runs"]} == {(5, 4.0)}
    found(wallet_vs_limit_1w=1, claims_vs_json_route=1, push_5000_ms=1).write(path, run=run_of("2026-03-03"))
    assert [run["date"] for run in json.loads(path.read_text())["runs"]] == ["2026-03-03"], (
        "nothing is left of the others"
    )


def test_results_of_another_scale_are_not_mixed_in(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    found(wallet_vs_limit_1w=0.9).write(path, run=run_of("2026-01-01"))
    before = path.read_text()
    with pytest.raises(OtherScale, match="real"):
        found(wallet_vs_limit_1w=0.1).write(path, run=run_of("2026-02-02", scale="small"))
    assert path.read_text() == before
    refused = CliRunner().invoke(command, ["wallet", "--scale", "small", "--json", str(path)])
    assert refused.exit_code == 1, "and that is said before anything is measured"
    assert path.read_text() == before


def test_results_that_were_written_before_runs_were_told_apart_are_one_run(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    how = {"date": "2025-12-31", "scale": "real", "machine": {}, "versions": {"python": "3.11"}}
    old = {**how, "ratios": {"push_5000_ms": 1, "quote_ms_median": 2}, "details": {"push": {}}}
    path.write_text(json.dumps(old))
    found(quote_ms_median=3).write(path, run=run_of("2026-01-01"))
    written = json.loads(path.read_text())
    assert written["ratios"] == {"push_5000_ms": 1, "quote_ms_median": 3}
    assert written["runs"][0] == {**how, "ratios": ["push_5000_ms"], "details": ["push"]}


def server_at(port: int, name: str) -> Server:
    no_process: Any = None
    return Server(name, port, no_process, Path())


def test_the_figures_of_a_run_have_the_smallest_and_the_largest_rate() -> None:
    samples = [Sample(rate, 1.0, 2.0, None, None, 3.0) for rate in (30.0, 10.0, 20.0)]
    rates = figures([Contender(server_at(1, "laurel"), lambda _: [], "", samples)])["laurel"]
    assert (rates["per_second_min"], rates["per_second"], rates["per_second_max"]) == (10.0, 20.0, 30.0)


class _Telling(BaseHTTPRequestHandler):
    """Answers with what it is asked for, and the key it is asked with."""

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["content-length"])).decode()
        answer = json.dumps({"said": "odd" if "7" in asked and self.path == "/odd" else asked[:2]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    @override
    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(("path", "same"), [("/even", True), ("/odd", False)])
def test_answers_are_compared_for_many_requests_not_the_first_alone(path: str, same: bool) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Telling)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def contender(name: str, path: str) -> Contender:
        requests = [f"POST {path} HTTP/1.1\r\nHost: x\r\n\r\n{number:02d}" for number in range(60)]
        return Contender(server_at(server.server_port, name), lambda _: requests, "")

    try:
        everyone = [contender("one", "/even"), contender("other", path)]
        shown = lambda answer: str(answer["said"])  # noqa: E731
        if same:
            hold_same(everyone, shown=shown)
        else:
            with pytest.raises(BadAnswers, match="other and one answer differently"):
                hold_same(everyone, shown=shown)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_claims_are_compared_without_the_form_of_ids() -> None:
    coupon = {"id": str(SOMEBODY), "code": code_of(CouponId(SOMEBODY))}
    ours = {"coupon": {**coupon, "id": owned_node_id(NodeType.Coupon, SOMEBODY, member_id=SOMEBODY)}, "replayed": False}
    assert claim_of({"data": {"claimCoupon": ours}}) == claim_of({"coupon": coupon, "replayed": False})
    assert claim_of({"coupon": coupon, "replayed": True}) != claim_of({"coupon": coupon, "replayed": False})
    assert claim_of({"coupon": {**coupon, "code": "x"}, "replayed": False}) != claim_of(
        {"coupon": coupon, "replayed": False}
    )


def test_verdicts_know_which_way_is_better() -> None:
    assert [TARGETS["wallet_vs_limit_1w"].verdict(v) for v in (0.5, 0.8, 1.0)] == [
        "missed",
        "must reached",
        "aim reached",
    ]
    assert [TARGETS["push_5000_ms"].verdict(v) for v in (300, 150, 50)] == ["missed", "must reached", "aim reached"]


def test_this_process_has_used_time_and_memory() -> None:
    used, held = cpu_seconds(os.getpid()), resident_kib(os.getpid())
    assert used is None or used > 0
    assert held is None or held > 1_000


def test_the_lock_of_the_node_peers_names_no_host() -> None:
    lock = (NODE_FOLDER / "package-lock.json").read_text()
    assert "://" not in "".join(line for line in lock.splitlines() if '"resolved"' in line)
