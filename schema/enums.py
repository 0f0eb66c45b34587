"""The domain's enums as clients see them: the same words, each with its description."""

from enum import Enum

import strawberry


def publish_enum(enum: type[Enum], description: str, *, values: dict[str, str], name: str | None = None) -> None:
    """Makes a domain enum part of the schema, under its own name unless told. Every value must be described."""
    assert set(values) == {member.name for member in enum}, f"{enum.__name__}: describe every value"
    strawberry.enum(enum, name=name, description=description)
    for value in enum.__strawberry_definition__.values:  # type: ignore[attr-defined]
        value.description = values[value.name]
