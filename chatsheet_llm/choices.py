"""What a client, its copies and one call may choose: chain, mode, times, losses, persistence.  Sends nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import TypeGuard, cast

import httpx2
from tenacity import stop_after_attempt

from chatsheet_llm.errors import SettingsError
from chatsheet_llm.hops import OnLoss, Recovery
from chatsheet_llm.latency import HedgeAfter
from chatsheet_llm.route import MODES
from chatsheet_llm.steps import Policy

BLOCK = "chatsheet"
"""The key in ``extra_body`` under which a call says how it wants to be treated; it never leaves the process."""
LONGEST_DEADLINE = 604800.0
"""Seconds in a week; a longer deadline is a mistake."""
_BLOCK_KEYS = ("chain", "mode", "deadline", "on_loss", "stream_recovery", "hedge_after")
_ONE_OF: Mapping[str, tuple[str, ...]] = {
    "on_loss": ("error", "drop"),
    "stream_recovery": ("off", "buffer", "restart"),
}
"""Key to the words that it takes."""
_PARTS = ("connect", "read", "write", "pool")
"""Of a timeout, in the order in which a tuple has them."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What a client and its copies may differ in."""

    chain: tuple[str, ...]
    deadline: float
    on_loss: OnLoss
    policy: Policy
    max_sends: int
    own_stop: bool
    stream_recovery: Recovery = "off"
    hedge_after: HedgeAfter | None = None

    def changed(
        self,
        chain: Sequence[str] | str | None,
        deadline: float | None,
        on_loss: OnLoss | None,
        stream_recovery: Recovery | None = None,
        hedge_after: HedgeAfter | None = None,
        *,
        where: str,
    ) -> Choices:
        """Return the choices with those changed that were given.  Raises SettingsError, which begins with ``where``."""
        made = self
        if chain is not None:
            made = replace(made, chain=_chain(chain, where))
        if deadline is not None:
            made = replace(made, deadline=_deadline(deadline, where))
        if on_loss is not None:
            made = replace(made, on_loss=cast("OnLoss", _word("on_loss", on_loss, where)))
        if stream_recovery is not None:
            made = replace(made, stream_recovery=cast("Recovery", _word("stream_recovery", stream_recovery, where)))
        if hedge_after is not None:
            made = replace(made, hedge_after=_hedge_after(hedge_after, where))
        return made

    def persistent(self, retries: int) -> Policy:
        """Return the policy with this many re-sends on one hop; asking for many also raises the number of sends."""
        stop = self.policy.stop if self.own_stop else stop_after_attempt(max(self.max_sends, retries + 1))
        return replace(self.policy, max_retries=retries, insists=True, stop=stop)


def read_block(value: object) -> Mapping[str, object]:
    """Return the ``chatsheet`` block of ``extra_body``, checked.  Raises SettingsError."""
    where = f"extra_body[{BLOCK!r}]"
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SettingsError(f"{where} must be a mapping with {', '.join(_BLOCK_KEYS)}; got a {type(value).__name__}")
    unknown = [str(key) for key in value if key not in _BLOCK_KEYS]
    if unknown:
        raise SettingsError(f"{where} has no {', '.join(map(repr, unknown))}; it takes {', '.join(_BLOCK_KEYS)}")
    block = {key: item for key, item in value.items() if item is not None}
    if "chain" in block:
        block["chain"] = _chain(block["chain"], where)
    if "mode" in block and block["mode"] not in MODES:
        raise SettingsError(f"{where}: mode must be one of {', '.join(MODES)}; got {_shown(block['mode'])}")
    if "deadline" in block:
        block["deadline"] = _deadline(block["deadline"], where)
    if "hedge_after" in block:
        block["hedge_after"] = _hedge_after(block["hedge_after"], where)
    for name in _ONE_OF.keys() & block.keys():
        _word(name, block[name], where)
    return block


def timeout_from(value: object, where: str) -> float | httpx2.Timeout | None:
    """Return a timeout of any kind that the SDK takes: seconds, a tuple or object of parts, None for none of its own.

    Raises SettingsError, which begins with ``where``.
    """
    parts: Mapping[str, object]
    if value is None or (_is_number(value) and value > 0):
        return value
    if isinstance(value, tuple) and 2 <= len(value) <= 4:
        parts = {**dict.fromkeys(_PARTS), **dict(zip(_PARTS, value, strict=False))}
    else:
        # httpx2's own, or that of httpx, which the SDK takes too.
        as_dict = getattr(value, "as_dict", None)
        parts = as_dict() if callable(as_dict) else {}
    if parts.keys() != set(_PARTS) or parts["read"] == 0 or not all(map(_is_part, parts.values())):
        raise SettingsError(
            f"{where}: timeout must be a number of seconds greater than 0, a tuple of connect and read (and write and "
            f"pool), an httpx2.Timeout, or None for no limit of its own; got {_shown(value)}"
        )
    return value if isinstance(value, httpx2.Timeout) else httpx2.Timeout(**cast("dict[str, float | None]", parts))


def retries_from(value: object, where: str) -> int:
    """Return a number of re-sends.  Raises SettingsError, which begins with ``where``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise SettingsError(f"{where}: max_retries must be a whole number of at least 0; got {_shown(value)}")
    return value


def _is_number(value: object) -> TypeGuard[float]:
    # Those of numpy are numbers too.
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return not math.isnan(float(value))
    except OverflowError:
        # There are integers that no float can hold.
        return False


def _is_part(value: object) -> bool:
    return value is None or (_is_number(value) and value >= 0)


def _shown(value: object) -> str:
    """A value as the caller wrote it, but not all of a long one."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _word(name: str, value: object, where: str) -> object:
    """Return the word, where it is one of those that this choice takes."""
    allowed = _ONE_OF[name]
    if value not in allowed:
        listed = ", ".join(map(repr, allowed[:-1])) + f" or {allowed[-1]!r}"
        raise SettingsError(f"{where}: {name} must be {listed}; got {_shown(value)}")
    return value


def _chain(value: object, where: str) -> tuple[str, ...]:
    hops = value.split(",") if isinstance(value, str) else value
    if not isinstance(hops, Sequence) or not hops or not all(isinstance(hop, str) and hop.strip() for hop in hops):
        raise SettingsError(
            f"{where}: chain must list hops such as 'litellm' or 'azure/responses'; got {_shown(value)}"
        )
    return tuple(hop.strip() for hop in hops)


def _hedge_after(value: object, where: str) -> HedgeAfter:
    if value == "p95":
        return "p95"
    if not _is_number(value) or not 0 < value <= LONGEST_DEADLINE:
        raise SettingsError(f"{where}: hedge_after must be a number of seconds, or 'p95'; got {_shown(value)}")
    return float(value)


def _deadline(value: object, where: str) -> float:
    if not _is_number(value) or not 0 < value <= LONGEST_DEADLINE:
        allowed = f"a number of seconds greater than 0 and at most {LONGEST_DEADLINE:.0f}"
        raise SettingsError(f"{where}: deadline must be {allowed}; got {_shown(value)}")
    return float(value)
