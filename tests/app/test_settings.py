"""Settings: every variable is documented, and a bad value is one clear line."""

import os
import subprocess
import sys

import pytest

from app.settings import (
    Environment,
    ExecutionMode,
    Settings,
    SettingsError,
    documented_settings,
    load_settings,
    usable_cores,
)

SECRETS = {"PERSONAL_DATA_KEYS": "k1:AAAA", "BLIND_INDEX_KEY": "AAAA", "JWKS_URL": "https://issuer.example/jwks"}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for row in documented_settings():
        monkeypatch.delenv(row.variable, raising=False)


def test_development_needs_nothing() -> None:
    settings = load_settings()
    assert settings.laurel_env is Environment.DEVELOPMENT
    assert (settings.host, settings.port, settings.demo, settings.introspection) == ("127.0.0.1", 8000, True, True)
    assert settings.workers == usable_cores()
    assert settings.laurel_execution is ExecutionMode.COMPILED


@pytest.mark.parametrize("cores", [1, 3, 64])
def test_there_are_as_many_server_processes_as_cores_that_may_be_used(
    monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(cores)), raising=False)
    assert load_settings().workers == cores
    monkeypatch.setenv("WORKERS", "2")
    assert load_settings().workers == 2


def test_production_gives_up_conveniences_unless_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**SECRETS, "LAUREL_ENV": "production"}.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.production
    assert (settings.demo, settings.introspection, settings.register_documents) == (False, False, False)
    monkeypatch.setenv("INTROSPECTION", "1")
    assert load_settings().introspection


@pytest.mark.parametrize("missing", [*SECRETS])
def test_production_without_its_secrets_does_not_start(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    for name, value in {**SECRETS, "LAUREL_ENV": "production"}.items():
        if name != missing:
            monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=missing):
        load_settings()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "abc"), ("PORT", "65536"), ("WORKERS", "0"), ("LAUREL_ENV", "prod"), ("DATABASE_URL", "mysql://x"),
        ("REDIS_URL", "http://x"), ("PROGRAMME_ZONE", "Mars/Olympus"), ("PROGRAMME_CURRENCY", "yuan"),
        ("LOG_SAMPLE", "1.5"), ("LOG_LEVEL", "chatty"), ("LIMIT_COST", "-1"), ("DEMO", "maybe"),
        ("JWKS_URL", "file:///etc/passwd"), ("LAUREL_EXECUTION", "jit"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector"),
    ],
)  # fmt: skip
def test_a_bad_value_is_one_line_that_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    line = str(refused.value)
    assert line.startswith(f"{variable}: ")
    assert "\n" not in line


def test_a_bad_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://laurel:hunter2@db/laurel")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert "hunter2" not in str(refused.value)


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("PORT", "")
    assert load_settings().database_url is None
    assert load_settings().port == 8000


def test_a_secret_is_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://laurel:hunter2@db/laurel")
    assert "hunter2" not in repr(load_settings())


def test_a_command_with_a_bad_setting_ends_with_one_line_and_status_1() -> None:
    command = "from app.settings import settings_or_exit; settings_or_exit()"
    done = subprocess.run(
        [sys.executable, "-c", command],
        env={"PORT": "abc", "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("laurel: PORT: ")
    assert done.stderr.count("\n") == 1


def test_every_setting_is_documented() -> None:
    for row in documented_settings():
        assert row.description.endswith("."), row.variable
        assert row.variable == row.variable.upper()
    assert len(documented_settings()) == len(Settings.model_fields)
