"""Metrics: bounded labels, right values, and the same page from every process."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import Histogram

from app.plan_metrics import PlanMetrics
from app.scope import RequestScope, scoped
from app.shared_metrics import SHARED_FOLDER_VARIABLE, share_metrics
from app.telemetry import OTHER, OUTCOMES, Telemetry
from execution import Counters
from persistence.base import NOW, on_statement
from tests.app.small import small_app
from tests.app.test_http import ask, client_of


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(name, labels)


def test_a_request_is_counted_by_operation_and_outcome_with_its_time_and_statements() -> None:
    telemetry = Telemetry()
    wallet = telemetry.operation("Wallet")
    wallet.finished("ok", seconds=0.004, statements=1)
    wallet.finished("ok", seconds=0.2, statements=3)
    wallet.finished("internal", seconds=0.1, statements=0)
    assert value(telemetry, "laurel_requests_total", operation="Wallet", outcome="ok") == 2
    assert value(telemetry, "laurel_requests_total", operation="Wallet", outcome="internal") == 1
    assert value(telemetry, "laurel_request_seconds_bucket", operation="Wallet", le="0.005") == 1
    assert value(telemetry, "laurel_request_statements_sum", operation="Wallet") == 4


def test_what_is_added_up_is_what_each_would_have_been_counted_as() -> None:
    waiting: list[Callable[[], None]] = []
    telemetry = Telemetry(later=waiting.append)
    wallet = telemetry.operation("Wallet")
    each = Histogram("each", "As told of each.", buckets=(0.001, 0.0025, 0.005, 10.0), registry=telemetry.registry)
    took = (0.0, 0.001, 0.0011, 0.0025, 0.005, 0.1, 10.0, 11.0)
    for seconds in took:
        wallet.finished("ok", seconds=seconds, statements=2)
        each.observe(seconds)
    assert not value(telemetry, "laurel_requests_total", operation="Wallet", outcome="ok")
    assert len(waiting) == 1
    for _ in range(2):  # what was written down is not written down again
        waiting[0]()
        assert value(telemetry, "laurel_requests_total", operation="Wallet", outcome="ok") == len(took)
        for bound in ("0.001", "0.0025", "0.005", "10.0", "+Inf"):
            added = value(telemetry, "laurel_request_seconds_bucket", operation="Wallet", le=bound)
            assert added == value(telemetry, "each_bucket", le=bound)
        assert value(telemetry, "laurel_request_seconds_sum", operation="Wallet") == pytest.approx(sum(took))
        assert value(telemetry, "laurel_request_statements_sum", operation="Wallet") == 2 * len(took)
    wallet.finished("ok", seconds=1, statements=0)
    assert len(waiting) == 2


def test_operations_past_the_cap_are_counted_together() -> None:
    telemetry = Telemetry(max_operations=3)
    for n in range(10):
        telemetry.operation(f"op{n}").finished("ok", seconds=0.1, statements=0)
    assert telemetry.operation("op1").label == "op1"
    assert telemetry.operation("new").label == OTHER
    assert value(telemetry, "laurel_requests_total", operation=OTHER, outcome="ok") == 7


def test_an_operations_counters_are_bound_once() -> None:
    telemetry = Telemetry()
    assert telemetry.operation("a") is telemetry.operation("a")


def test_batches_sockets_and_the_outbox_are_told() -> None:
    telemetry = Telemetry()
    telemetry.batch("claim_coupons", size=3)
    telemetry.batch("claim_coupons", size=5)
    telemetry.socket_opened()
    telemetry.socket_opened()
    telemetry.socket_closed()
    telemetry.outbox_lag(1.5)
    assert value(telemetry, "laurel_batch_size_sum", batch="claim_coupons") == 8
    assert value(telemetry, "laurel_sockets") == 1
    assert value(telemetry, "laurel_outbox_lag_seconds") == 1.5


async def test_plans_are_told_along_with_the_requests_that_they_answered() -> None:
    small = small_app(mode="compiled")
    async with client_of(small) as client:
        for _ in range(4):
            assert (await ask(client, "{ hello }")).status_code == 200
        for _ in range(2):
            await ask(client, "{ __schema { queryType { name } } }")
        await ask(client, "{ nothing }")
    told = small.telemetry
    assert value(told, "laurel_plans_total", result="hit") == 3 + 1
    assert value(told, "laurel_plans_total", result="miss") == 3
    assert value(told, "laurel_plans_compiled_total") == 1
    assert value(told, "laurel_plan_evictions_total") == 0
    assert value(told, "laurel_plan_fallbacks_total", reason="introspection") == 2


def test_what_was_told_of_plans_is_not_told_again() -> None:
    telemetry, counters = Telemetry(), Counters()
    PlanMetrics(telemetry, counters)
    counters.evictions = 2
    for _ in range(2):
        telemetry.operation("Wallet").finished("ok", seconds=0.1, statements=0)
    counters.evictions = 5
    telemetry.write_down()
    assert value(telemetry, "laurel_plan_evictions_total") == 5


def test_statements_are_counted_in_the_scope_of_their_request() -> None:
    with scoped(RequestScope(request_id="a")) as scope:
        listener = on_statement.get()
        assert listener is not None
        listener(NOW)
        listener(NOW)
    assert scope.statements == 2
    assert on_statement.get() is None


async def test_every_outcome_of_a_request_is_one_of_the_known() -> None:
    small = small_app()
    async with client_of(small) as client:
        for query in ("{ hello }", "{", "{ broken }", "{ away }", "{ refused }", "{ shops(first: 0) { name } }"):
            await ask(client, query)
        await ask(client, "{ hello }", headers={"authorization": "Bearer forged"})
        await client.put("/graphql")
    seen = {
        sample.labels["outcome"]
        for metric in small.telemetry.registry.collect()
        for sample in metric.samples
        if sample.name == "laurel_requests_total"
    }
    assert seen == {"ok", "bad_user_input", "internal", "unavailable", "unauthenticated", "bad_request"}
    assert seen <= set(OUTCOMES)


PROCESS = """
import os, sys, time
from app.telemetry import Telemetry
telemetry = Telemetry()
telemetry.operation("Wallet").finished("ok", seconds=0.1, statements=2)
telemetry.socket_opened()
print("counted", flush=True)
sys.stdin.readline()
sys.stdout.write(telemetry.exposition().decode())
"""


def test_any_process_answers_for_all_and_dead_ones_leave_their_counts_but_no_sockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SHARED_FOLDER_VARIABLE, "to be replaced")
    share_metrics(tmp_path)
    environment = {**os.environ, "PYTHONPATH": "."}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "counted\n"
    processes[0].kill()
    processes[0].communicate()
    page, _ = processes[1].communicate("\n", timeout=30)
    assert 'laurel_requests_total{operation="Wallet",outcome="ok"} 3.0' in page
    assert 'laurel_request_statements_sum{operation="Wallet"} 6.0' in page
    assert "laurel_sockets 2.0" in page
    processes[2].communicate("\n", timeout=30)


def test_the_shared_folder_starts_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SHARED_FOLDER_VARIABLE, "to be replaced")
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "counter_1.db").write_bytes(b"of an earlier run")
    share_metrics(tmp_path)
    assert list((tmp_path / "metrics").iterdir()) == []
    assert os.environ[SHARED_FOLDER_VARIABLE] == str((tmp_path / "metrics").resolve())
