"""Every setting of the application: one environment variable each, with its default, its range and its reason.

The field ``data_dir`` is the variable ``DATA_DIR``. A variable that is set and empty counts as unset.
``docs/operations.md`` prints this table (`settings_table`), and a test compares the two.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

KIB = 1024
MIB = 1024 * KIB

PositiveInt = Annotated[int, Field(gt=0)]


class Environment(StrEnum):
    """What the process is for. Production gives up every convenience that would be a hole."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"
    TEST = "test"


class ExecutionMode(StrEnum):
    """How documents are run: compiled plans, or graphql-core itself, the reference that they are compared with."""

    COMPILED = "compiled"
    REFERENCE = "reference"


class SettingsError(Exception):
    """A setting has a value that cannot be used. The message is one line and holds no secret."""


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def _outside_production(values: Mapping[str, object]) -> bool:
    """Default of a convenience: on for those who develop, off in production."""
    return values.get("laurel_env") is not Environment.PRODUCTION


class Settings(BaseSettings):
    """The environment of one process, checked once at its start and then fixed."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, case_sensitive=False)

    # ── what and where ──────────────────────────────────────────────────────────────────────────────────────────────
    laurel_env: Environment = Field(
        default=Environment.DEVELOPMENT,
        description="`development`, `production` or `test`. Production has no development keys and no introspection, "
        "and needs its secrets set.",
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0 lets the system choose one.")
    workers: int = Field(
        default_factory=usable_cores,
        ge=1,
        le=256,
        description="Server processes; as many as there are cores when unset.",
    )
    run_worker: bool = Field(
        default=True, description="Run the background worker inside `serve`; 0 where `worker` runs on its own."
    )
    worker_metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="Where `worker` on its own shows `/metrics`, on `HOST`. Unset: nowhere.",
    )
    demo: bool = Field(
        default_factory=_outside_production,
        description="Load the demo programme into an empty database; 0 starts empty. Off in production unless set.",
    )
    data_dir: Path = Field(
        default=Path(".laurel"),
        description="Folder of everything that is kept: embedded servers, development keys, sockets.",
    )
    drain_seconds: float = Field(
        default=10.0,
        gt=0,
        le=300,
        description="After SIGTERM, how long running requests and open sockets get to finish.",
    )

    # ── servers ─────────────────────────────────────────────────────────────────────────────────────────────────────
    database_url: SecretStr | None = Field(
        default=None,
        description="`postgresql://user:password@host/database`. Unset: an embedded PostgreSQL 18 in `DATA_DIR`.",
    )
    database_pool: int = Field(default=8, ge=1, le=200, description="Connections to PostgreSQL per process.")
    redis_url: SecretStr | None = Field(
        default=None, description="`redis://…` or `rediss://…`. Unset: an embedded Valkey 9 in `DATA_DIR`."
    )

    # ── who callers are ─────────────────────────────────────────────────────────────────────────────────────────────
    jwks_url: str | None = Field(
        default=None,
        description="Where the issuer publishes its keys (JWKS); cached, fetched anew on an unknown key id.",
    )
    jwt_key_file: Path | None = Field(
        default=None, description="File with the issuer's public keys, PEM or JWKS, instead of `JWKS_URL`."
    )
    jwt_issuer: str = Field(default="laurel", min_length=1, description="The `iss` that a token must carry.")
    jwt_audience: str = Field(default="laurel", min_length=1, description="The `aud` that a token must carry.")

    # ── personal data ───────────────────────────────────────────────────────────────────────────────────────────────
    personal_data_keys: SecretStr | None = Field(
        default=None,
        description="`id:base64key,…` of 32 bytes each, to encrypt personal columns; the first one writes, all read. "
        "Unset in development: made in `DATA_DIR`.",
    )
    blind_index_key: SecretStr | None = Field(
        default=None,
        description="32 bytes in base64: key of the blind indexes over personal data. "
        "Unset in development: made in `DATA_DIR`.",
    )

    # ── sockets ─────────────────────────────────────────────────────────────────────────────────────────────────────
    allowed_origins: str = Field(
        default="",
        description="Origins, separated by commas, whose pages may open sockets besides the server's own: "
        "`https://shop.example`.",
    )
    limit_sockets: PositiveInt = Field(default=10_000, description="Open sockets of one server process.")
    limit_sockets_per_caller: PositiveInt = Field(default=20, description="Open sockets of one caller, per process.")
    limit_operations_per_socket: PositiveInt = Field(default=100, description="Operations under way on one socket.")

    # ── the programme ───────────────────────────────────────────────────────────────────────────────────────────────
    programme_zone: str = Field(
        default="Asia/Shanghai",
        description="Time zone of days, weeks, limits and check-ins; stays as it is once there are coupons.",
    )
    programme_currency: str = Field(
        default="CNY", pattern=r"^[A-Z]{3}$", description="ISO 4217 code of the programme's own amounts."
    )
    programme_min_payable_minor: int = Field(
        default=0,
        ge=0,
        le=1,
        description="What coupons and points leave to pay of an order at least, in minor units: 0, or 1 where payment "
        "must be made. The same in all processes.",
    )

    # ── limits of one request ───────────────────────────────────────────────────────────────────────────────────────
    limit_body_bytes: PositiveInt = Field(default=1 * MIB, description="Size of a request's body; above it 413.")
    limit_batch: PositiveInt = Field(default=10, description="Operations in one batched request.")
    limit_document_bytes: PositiveInt = Field(default=32 * KIB, description="Size of a document.")
    limit_tokens: PositiveInt = Field(default=2_000, description="Lexical tokens of a document.")
    limit_fields: PositiveInt = Field(default=1_000, description="Fields and fragments, fragments counted at each use.")
    limit_depth: PositiveInt = Field(default=16, description="Nesting of fields.")
    limit_aliases: PositiveInt = Field(
        default=50, description="Aliases in an operation, fragments counted at each use."
    )
    limit_root_fields: PositiveInt = Field(default=20, description="Root fields of an operation.")
    limit_directives: PositiveInt = Field(
        default=50, description="Directives in an operation, fragments counted at each use."
    )
    limit_cost: PositiveInt = Field(
        default=20_000,
        description="Cost of an operation: one for each object that it may answer with, nested lists multiplied.",
    )
    limit_variables_bytes: PositiveInt = Field(default=384 * KIB, description="Size of the variables.")
    limit_variables_depth: PositiveInt = Field(default=12, description="Nesting of the variables.")
    introspection: bool = Field(
        default_factory=_outside_production, description="Answer introspection. Off in production unless set."
    )

    # ── trusted documents ───────────────────────────────────────────────────────────────────────────────────────────
    trusted_documents_only: bool = Field(
        default=False,
        description="Run only documents that were added by `python -m app documents add`; any other text is refused.",
    )
    register_documents: bool = Field(
        default_factory=_outside_production,
        description="Let clients register persisted queries (Apollo's form). Off in production unless set.",
    )

    # ── running it ──────────────────────────────────────────────────────────────────────────────────────────────────
    laurel_execution: ExecutionMode = Field(
        default=ExecutionMode.COMPILED,
        description="`compiled` plans, or `reference`: every document by graphql-core itself.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe line that is written."
    )
    log_sample: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Share of successful requests that get an access line; failures always get one.",
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="`json` lines, coloured `console` lines, or `auto`: console in development on a terminal.",
    )
    otel_exporter_otlp_endpoint: str | None = Field(
        default=None,
        description="Send OpenTelemetry spans to this OTLP/HTTP endpoint. Unset: nothing of it is even imported.",
    )

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _postgresql_address(cls, value: SecretStr | None) -> SecretStr | None:
        return _with_scheme(value, ("postgresql://", "postgres://"))

    @field_validator("redis_url")
    @classmethod
    def _redis_address(cls, value: SecretStr | None) -> SecretStr | None:
        return _with_scheme(value, ("redis://", "rediss://", "unix://"))

    @field_validator("jwks_url", "otel_exporter_otlp_endpoint")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            msg = "must begin with http:// or https://"
            raise ValueError(msg)
        return value

    @field_validator("programme_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
            msg = "no such time zone"
            raise ValueError(msg) from unknown
        return value

    @model_validator(mode="after")
    def _production_has_its_secrets(self) -> Self:
        if self.jwks_url is not None and self.jwt_key_file is not None:
            msg = "JWKS_URL and JWT_KEY_FILE exclude each other"
            raise ValueError(msg)
        if self.laurel_env is not Environment.PRODUCTION:
            return self
        missing = [name for name in ("PERSONAL_DATA_KEYS", "BLIND_INDEX_KEY") if getattr(self, name.lower()) is None]
        if self.jwks_url is None and self.jwt_key_file is None:
            missing.append("JWKS_URL or JWT_KEY_FILE")
        if missing:
            msg = f"LAUREL_ENV=production needs {', '.join(missing)}"
            raise ValueError(msg)
        return self

    @property
    def production(self) -> bool:
        """Whether this is a production process: no development keys, no defaults of convenience."""
        return self.laurel_env is Environment.PRODUCTION

    @property
    def zone(self) -> ZoneInfo:
        """The programme's time zone."""
        return ZoneInfo(self.programme_zone)


def _with_scheme(value: SecretStr | None, schemes: tuple[str, ...]) -> SecretStr | None:
    if value is not None and not value.get_secret_value().startswith(schemes):
        msg = f"must begin with {' or '.join(schemes)}"
        raise ValueError(msg)
    return value


def load_settings() -> Settings:
    """The settings of this process's environment.

    Raises `SettingsError` with one line that names the variable; the value itself is shown only where it is no secret.
    """
    try:
        return Settings()
    except ValidationError as invalid:
        raise SettingsError(_one_line(invalid)) from None


def settings_or_exit() -> Settings:
    """As `load_settings`, for commands: a bad value prints its one line and ends the process with status 1."""
    try:
        return load_settings()
    except SettingsError as error:
        sys.stderr.write(f"laurel: {error}\n")
        raise SystemExit(1) from None


def _one_line(invalid: ValidationError) -> str:
    first = invalid.errors(include_url=False)[0]
    reason = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return reason
    field = str(first["loc"][0])
    secret = "SecretStr" in str(Settings.model_fields[field].annotation)
    shown = "" if secret else f", not {str(first['input'])!r}"
    return f"{field.upper()}: {reason[0].lower()}{reason[1:]}{shown}"


@dataclass(frozen=True, slots=True)
class DocumentedSetting:
    """One row of the settings table."""

    variable: str
    default: str
    description: str


def documented_settings() -> tuple[DocumentedSetting, ...]:
    """Every setting in the order of this file, as the operations manual prints it."""
    return tuple(
        DocumentedSetting(variable=name.upper(), default=_default_text(name), description=field.description or "")
        for name, field in Settings.model_fields.items()
    )


_DEFAULTS_BY_RULE: Mapping[str, str] = {
    "workers": "the cores",
    "demo": "1; 0 in production",
    "introspection": "1; 0 in production",
    "register_documents": "1; 0 in production",
}


def _default_text(name: str) -> str:
    if name in _DEFAULTS_BY_RULE:
        return _DEFAULTS_BY_RULE[name]
    default: object = Settings.model_fields[name].default
    if isinstance(default, bool):
        return str(int(default))
    return "" if default is None else str(default)


def settings_table() -> str:
    """The table of `docs/operations.md`, in Markdown."""
    rows = (
        f"| `{row.variable}` | {f'`{row.default}`' if row.default else 'unset'} | {row.description} |"
        for row in documented_settings()
    )
    return "\n".join(("| variable | default | meaning |", "|---|---|---|", *rows))
