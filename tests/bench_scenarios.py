"""The sixteen scenarios of FailoverBench as data: what the primary does, and what must come of it.  Runs nothing.

Its catalogue (methodology 0.1) gives the faults, the limits and the meaning of *pass*, *partial*, *safe* and *fail*;
its seconds are scaled down, its counts are not.  Where its text leaves a choice that its checks do not (S01 and S03:
ask the primary again, or fail over), both are rows here: with nobody else to ask the primary is asked again, as the
check wants it; with a backup at hand the backup is asked at once, which that check, an advisory one, calls partial.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from spoiling import Spoil, bad_event, no_done

from chatsheet_llm import errors

Hop = Literal["primary", "backup"]
Verdict = Literal["pass", "partial", "safe", "fail"]

LARGER: Mapping[str, object] = {"answers_after": ("context_length",)}
"""A backup that is set up as the one with the larger window."""
BUFFERED: Mapping[str, Any] = {"stream_recovery": "buffer"}
"""A client that would rather have its answer whole than at once."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row.

    ``fault`` is what the sandbox does at the primary, ``spoil`` what is done to its answer.  ``by`` is who must answer;
    None where an ``error`` is right.  ``primary`` and ``backup`` are the fewest and the most sends to each; ``gap`` the
    fewest seconds between the first two at the primary, ``within`` the most for the whole call.  ``billed``: whether
    the send that failed may have been.  ``needs`` are the options of the client, and ``backup_needs`` those of the
    backup, without which the call ends in the error ``plain``: safely, but without an answer.  ``settings`` are laid
    over those of the bench.
    """

    id: str
    title: str
    by: Hop | None
    fault: str | None = None
    spoil: Spoil | None = None
    alone: bool = False
    no_prefill: bool = False
    primary: tuple[int, int] = (1, 1)
    backup: tuple[int, int] = (0, 0)
    gap: float = 0.0
    within: float = 4.0
    error: type[errors.CallError] | None = None
    billed: bool = False
    needs: Mapping[str, Any] = field(default_factory=dict)
    backup_needs: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    plain: type[errors.CallError] | None = None
    streamed_only: bool = False

    @property
    def name(self) -> str:
        return f"{self.id} {self.title}"


ONE, ONCE_OR_TWICE = (1, 1), (1, 2)

CUT = Scenario(
    "S08",
    "Stream cut mid-answer",
    by="backup",
    fault="cut:40",
    backup=ONE,
    billed=True,
    needs=BUFFERED,
    plain=errors.StreamTruncated,
    streamed_only=True,
)
"""What others that break in the middle of a stream differ from in how they do."""

SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        "S01",
        "429 with Retry-After, nobody else to ask",
        by="primary",
        alone=True,
        fault="429;retry-after=0.3;times=1",
        primary=(2, 2),
        gap=0.3,
    ),
    Scenario("S01", "429 with Retry-After", by="backup", fault="429;retry-after=9", backup=ONE),
    Scenario("S02", "429 without Retry-After, persistent", by="backup", fault="429", backup=ONE),
    Scenario(
        "S03",
        "500 once, then healthy, nobody else to ask",
        by="primary",
        alone=True,
        fault="500;times=1",
        primary=(2, 2),
        billed=True,
    ),
    Scenario("S03", "500 once, then healthy", by="backup", fault="500;times=1", backup=ONE, billed=True),
    Scenario("S04", "503 persistent", by="backup", fault="503", primary=ONCE_OR_TWICE, backup=ONE),
    Scenario("S05", "TCP reset before headers", by="backup", fault="reset;times=1", backup=ONE, billed=True),
    Scenario(
        "S06",
        "No response at all",
        by="backup",
        fault="stall",
        backup=ONE,
        billed=True,
        settings={"first_token_timeout": 0.3, "deadline": 1.6},
        within=1.85,
    ),
    Scenario(
        "S07",
        "Slow first token",
        by="backup",
        fault="slow:2",
        backup=ONE,
        billed=True,
        settings={"first_token_timeout": 0.3},
        within=1.5,
        streamed_only=True,
    ),
    CUT,
    replace(
        CUT,
        id="S09",
        title="Stream stalls",
        fault="stall:20",
        settings={"idle_timeout": 0.3},
        plain=errors.StreamInterrupted,
    ),
    replace(
        CUT,
        id="S10",
        title="Malformed chunk in the stream",
        fault=None,
        spoil=bad_event,
        plain=errors.StreamInterrupted,
    ),
    Scenario("S11", "Stream ends without [DONE]", by="primary", spoil=no_done, streamed_only=True),
    Scenario(
        "S12",
        "Context length exceeded",
        by="backup",
        fault="400:context_length_exceeded",
        backup=ONE,
        backup_needs=LARGER,
        plain=errors.ContextLengthError,
    ),
    Scenario(
        "S13",
        "Content-filter rejection",
        by=None,
        fault="400:content_policy_violation",
        error=errors.ContentFilteredError,
    ),
    replace(CUT, id="S14", title="Fallback target rejects prefill", no_prefill=True),
    Scenario("S16", "Fail-over accounting", by="backup", fault="503", primary=ONCE_OR_TWICE, backup=ONE),
)
"""All but S15, which is a sequence of calls: :data:`FLAP`."""


@dataclass(frozen=True, slots=True)
class Flap:
    """The primary answers 503 for ``down`` seconds; ``calls`` are made, one every ``every`` seconds.

    All must be answered, and the primary must be in use again ``recovered`` seconds after it is healthy.  It may be
    asked ``asked`` times while it is down: those that open its circuit, and no more.
    """

    title: str = "S15 Primary flaps: down, then healthy"
    down: float = 3.0
    calls: int = 20
    every: float = 0.45
    recovered: float = 30.0
    asked: int = 5


FLAP = Flap()
