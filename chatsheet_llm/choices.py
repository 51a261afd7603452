"""What a client, its copies and one call may choose: chain, mode, deadline, losses, persistence.  Sends nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tenacity import stop_after_attempt

from chatsheet_llm.errors import SettingsError
from chatsheet_llm.hops import OnLoss
from chatsheet_llm.plan import Policy
from chatsheet_llm.route import MODES

BLOCK = "chatsheet"
"""The key in ``extra_body`` under which a call says how it wants to be treated; it never leaves the process."""
LONGEST_DEADLINE = 604800.0
"""Seconds in a week; a longer deadline is a mistake."""
_BLOCK_KEYS = ("chain", "mode", "deadline", "on_loss")


@dataclass(frozen=True, slots=True)
class Choices:
    """What a client and its copies may differ in."""

    chain: tuple[str, ...]
    deadline: float
    on_loss: OnLoss
    policy: Policy
    max_sends: int
    own_stop: bool

    def changed(
        self,
        chain: Sequence[str] | str | None,
        deadline: float | None,
        on_loss: OnLoss | None,
    ) -> Choices:
        """Return the choices with those changed that were given.  Raises SettingsError."""
        made = self
        if chain is not None:
            made = replace(made, chain=_chain(chain, "ChatClient"))
        if deadline is not None:
            made = replace(made, deadline=_deadline(deadline, "ChatClient"))
        if on_loss is not None:
            if on_loss not in ("error", "drop"):
                raise SettingsError(f"on_loss must be 'error' or 'drop'; got {on_loss!r}")
            made = replace(made, on_loss=on_loss)
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
        raise SettingsError(f"{where}: mode must be one of {', '.join(MODES)}; got {block['mode']!r}")
    if "deadline" in block:
        block["deadline"] = _deadline(block["deadline"], where)
    if "on_loss" in block and block["on_loss"] not in ("error", "drop"):
        raise SettingsError(f"{where}: on_loss must be 'error' or 'drop'; got {block['on_loss']!r}")
    return block


def _chain(value: object, where: str) -> tuple[str, ...]:
    hops = value.split(",") if isinstance(value, str) else value
    if not isinstance(hops, Sequence) or not hops or not all(isinstance(hop, str) and hop.strip() for hop in hops):
        raise SettingsError(f"{where}: chain must list hops such as 'litellm' or 'azure/responses'; got {value!r}")
    return tuple(hop.strip() for hop in hops)


def _deadline(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= LONGEST_DEADLINE:
        allowed = f"a number of seconds greater than 0 and at most {LONGEST_DEADLINE:.0f}"
        raise SettingsError(f"{where}: deadline must be {allowed}; got {str(value)[:40]}")
    return float(value)
