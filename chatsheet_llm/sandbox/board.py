"""The faults that are set, and the hop labels they are set for.  Performs none."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import get_args

from chatsheet_llm.sandbox.bodies import RoleName
from chatsheet_llm.sandbox.faults import Fault, parse_fault
from chatsheet_llm.sandbox.routes import APIS

ROLES: tuple[RoleName, ...] = get_args(RoleName)
"""In the order of their ports: litellm, azure, openai, anthropic."""


class Board:
    """The faults in the order in which they were set.  Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set: list[tuple[str, Fault]] = []

    def add(self, label: str, fault: Fault) -> None:
        """Set a fault, behind those that are set already."""
        with self._lock:
            self._set.append((label, fault))

    def take(self, hop: str) -> Fault | None:
        """Return the first fault for a hop, and count it as used."""
        role = hop.partition("/")[0]
        with self._lock:
            for at, (label, fault) in enumerate(self._set):
                if label not in (hop, role) or fault.name == "refuse":
                    continue
                if fault.times is not None:
                    left = fault.times - 1
                    self._set[at : at + 1] = [(label, replace(fault, times=left))] if left else []
                return fault
        return None

    def clear(self, label: str | None) -> list[RoleName]:
        """Drop the faults of a label (a role's: of all its hops) and return the roles that were refusing."""
        kept: list[tuple[str, Fault]] = []
        freed: list[RoleName] = []
        with self._lock:
            for name, fault in self._set:
                if label is not None and name != label and name.partition("/")[0] != label:
                    kept.append((name, fault))
                elif fault.name == "refuse":
                    freed.append(role_of(name))
            self._set = kept
        return freed


def check_label(label: str) -> None:
    """Raise ValueError unless the label names a role or one of its hops."""
    role, slash, api = label.partition("/")
    if role not in ROLES or (slash and api not in APIS):
        allowed = f"ROLE or ROLE/API, with a role of {', '.join(ROLES)} and an API of {', '.join(APIS)}"
        raise ValueError(f"the sandbox has no hop {label!r}; allowed are {allowed}")


def role_of(label: str) -> RoleName:
    """Return the role of a hop label."""
    check_label(label)
    return next(role for role in ROLES if role == label.partition("/")[0])


def made_fault(label: str, fault: Fault | str, times: int | None = None) -> Fault:
    """Return a fault as it can be set for a label; ``times`` wins over the one in its text.  Raises ValueError."""
    check_label(label)
    made = parse_fault(fault) if isinstance(fault, str) else fault
    if times is not None and times < 1:
        raise ValueError(f"times is {times}; a fault happens 1 or more times, or None for always")
    made = replace(made, times=made.times if times is None else times)
    if made.name == "refuse" and ("/" in label or made.times is not None):
        raise ValueError(f"refuse closes the socket of a whole role until cleared; it cannot be {label!r} {made}")
    return made
