"""Every coupon kind, found by looking into this folder: a new file is a new kind, and nothing else changes."""

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final

from domain.coupons.terms import AnyKind, CouponKind


def _discover() -> Mapping[str, AnyKind]:
    kinds: dict[str, AnyKind] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda found: found.name):
        if module.name.startswith("_"):
            continue
        kind = import_module(f"{__name__}.{module.name}").KIND
        if not isinstance(kind, CouponKind) or kind.code in kinds or kind.code.lower() != module.name:
            raise TypeError(f"{module.name}.py must hold one KIND, coded {module.name.upper()}")
        kinds[kind.code] = kind
    return MappingProxyType(kinds)


KINDS: Final = _discover()
"""The kinds by code; the code is the file's name in capitals, in the database and in the schema."""
