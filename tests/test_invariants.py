"""What holds for any calls, in any order, under any faults: the invariants, over random histories.  A fake clock."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytest
from histories import RULES, violations
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from interleaved import Break, Cancel, Go, Move, Pass, Place, Planner, Script, Start, from_json, play
from tenacity import stop_never

from chatsheet_llm import account, aftermath
from chatsheet_llm.account import Account
from chatsheet_llm.breaker import Breaker
from chatsheet_llm.domains import Domains
from chatsheet_llm.faults import FAULTS, RESENDS
from chatsheet_llm.hops import Hop
from chatsheet_llm.plan import plan
from chatsheet_llm.route import SendState
from chatsheet_llm.steps import Failed, Send, Wait

SEEDS = sorted((Path(__file__).parent / "seeds").glob("*.json"))

# Every run asks the same; HYPOTHESIS_PROFILE=search asks anew each time, for longer, and keeps what it found.
SEARCHES = os.environ.get("HYPOTHESIS_PROFILE") == "search"
LOOK = (
    settings(max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck))
    if SEARCHES
    else settings(max_examples=60, derandomize=True, database=None, deadline=None)
)
T = TypeVar("T")
Choose = Callable[[Sequence[T]], T]

NAMES = ("gate/chat", "gate/responses", "blue/chat", "blue/responses", "green/chat", "red/responses")
ALLOWANCES: Sequence[tuple[str, ...]] = ((), (), (), ("content_filter",), ("context_length", "gateway_policy"))
SECONDS = (0.0, 0.0, 0.01, 0.3, 1.0, 2.5, 6.0, 31.0, 61.0, 130.0)
HINTS = (None, None, None, 0.2, 1.0, 3.0, 20.0, 90.0, 86400.0)
STATES: Sequence[SendState | Literal[""]] = ("", "", "", "", "not_sent", "rejected", "ambiguous")
OFTEN = ("reset", "server_error", "rate", "overload", "refused", "empty", "read_timeout")
RARELY = (False,) * 7 + (True,)
ANY = sorted(FAULTS)


def any_start(choose: Choose[Any], hops: int) -> Start:
    """A call over some of the hops, in any order; half of them are plain ones."""
    left, chain = list(range(hops)), []
    for _ in range(min(hops, choose((1, 2, 3, 4)))):
        chain.append(choose(left))
        left.remove(chain[-1])
    if choose((True, False)):
        return Start(tuple(chain))
    return Start(
        tuple(chain),
        deadline=choose((120.0, 0.0, 0.05, 1.0, 5.0, 30.0, 600.0)),
        attempt=choose((None, None, None, 0.5, 10.0)),
        side_effects=choose(RARELY),
        max_retries=choose((1, 0, 2, 3)),
        insists=choose((False, True)),
        sends=choose((4, 1, 2, 3, 5, 6)),
        pause=choose((0.05, 0.0, 8.0)),
        throttled=choose((1.0, 0.0, 8.0)),
        hedge=choose((None, 0.2, 3.0)),
    )


def any_go(choose: Choose[Any]) -> Go:
    """Whatever may come of a send."""
    call, slow, second = choose(range(8)), choose(RARELY), choose((False, True))
    if choose((True, False, False, False)):
        return Go(call, seconds=choose(SECONDS), slow=slow, second=second)
    fault, hint = choose(choose((OFTEN, ANY))), choose(HINTS)
    blames, should = not choose(RARELY), not choose(RARELY)
    return Go(call, fault, choose(STATES), hint, choose(SECONDS), blames, should, slow, second)


def any_script(choose: Choose[Any]) -> Script:
    """Up to six hops at up to three resources, and whatever may happen to calls over them."""
    names = NAMES[: choose(range(1, 1 + len(NAMES)))]
    resources = {endpoint: choose(range(3)) for endpoint in ("gate", "blue", "green", "red")}
    proxies = [choose(("", "", "", "http://proxy")) for _ in range(3)]
    places = tuple(
        Place(
            name,
            resource := resources[name.partition("/")[0]],
            proxies[resource],
            1 if name.startswith("gate") else 2,
            choose(ALLOWANCES),
        )
        for name in names
    )
    moves: list[Move] = []
    for _ in range(choose((5, 20, 50, 100))):
        kind = choose(("start",) * 3 + ("go",) * 6 + ("cancel", "break", "pass"))
        made: Mapping[str, Callable[[], Move]] = {
            "start": lambda: any_start(choose, len(places)),
            "go": lambda: any_go(choose),
            "cancel": lambda: Cancel(choose(range(8))),
            "break": lambda: Break(choose(range(8)), choose(OFTEN)),
            "pass": lambda: Pass(choose(SECONDS)),
        }
        moves.append(made[kind]())
    return Script(places, tuple(moves), choose((0.0, 1.0, -1.0)), choose((140.0, 140.0, 20.0, 0.0)))


def smallest(script: Script, breaks: str, planner: Planner = plan) -> Script:
    """The script without every move, and every field of one, that is not needed to break that invariant."""

    def shorter(moves: Sequence[Move]) -> bool:
        nonlocal script
        made = replace(script, moves=tuple(moves))
        if breaks not in broken(made, planner):
            return False
        script = made
        return True

    size = len(script.moves)
    while size:
        at = 0
        while at < len(script.moves):
            at += 0 if shorter(script.moves[:at] + script.moves[at + size :]) else size
        size //= 2
    for at, move in enumerate(script.moves):
        for name, value in plainer(move):
            plain = replace(script.moves[at], **{name: value})
            shorter((*script.moves[:at], plain, *script.moves[at + 1 :]))
    return script


def plainer(move: Move) -> list[tuple[str, Any]]:
    """The fields of a move that are not at their default, with that."""
    told = {each.name: each.default for each in fields(move) if each.default is not MISSING}
    return [(name, value) for name, value in told.items() if getattr(move, name) != value]


def broken(script: Script, planner: Planner = plan) -> set[str]:
    """The numbers of the invariants that do not hold in what comes of a script."""
    return {said.partition(":")[0] for said in violations(play(script, planner))}


@LOOK
@given(st.data())
def test_whatever_happens_every_invariant_of_the_plan_holds(data: st.DataObject) -> None:
    script = any_script(lambda options: data.draw(st.sampled_from(options)))
    note(f"to keep it, write to tests/seeds/NAME.json:\n{script.as_json()}")

    assert violations(play(script)) == []


def test_in_thousands_of_histories_every_invariant_of_the_plan_holds() -> None:
    first = random.SystemRandom().randrange(2**40) if SEARCHES else 0
    for number in range(first, first + (100_000 if SEARCHES else 1500)):
        script = any_script(random.Random(number).choice)
        for said in violations(play(script))[:1]:
            rule = said.partition(":")[0]
            pytest.fail(f"{said}\nto keep it, write to tests/seeds/NAME.json:\n{smallest(script, rule).as_json()}")


@pytest.mark.parametrize("seed", SEEDS, ids=lambda path: path.stem)
def test_what_was_once_found_stays_mended(seed: Path) -> None:
    assert violations(play(from_json(seed.read_text()))) == []


def test_every_seed_names_the_rule_that_it_broke() -> None:
    assert {json.loads(seed.read_text())["rule"] for seed in SEEDS} <= RULES.keys()


# --- a plan that is broken on purpose --------------------------------------------------------------------------------


def _backwards(hops: Sequence[Hop], *args: Any, **more: Any) -> Any:
    return plan(hops[::-1], *args, **more)


def _patient(*args: Any, **more: Any) -> Any:
    return plan(*args, **{**more, "deadline_at": more["deadline_at"] + 60.0})


def _dear(*args: Any, **more: Any) -> Any:
    return plan(*args, **{**more, "side_effects": False})


def _stubborn(*args: Any, **more: Any) -> Any:
    return plan(*args, **{**more, "policy": replace(more["policy"], stop=stop_never)})


def _miscounted(*args: Any, **more: Any) -> Any:
    steps = plan(*args, **more)
    told: Any = next(steps)
    while True:
        try:
            heard = yield replace(told, number=1) if isinstance(told, Send) else told
            told = steps.send(heard)
        except Failed as failed:
            told = steps.throw(failed)
        except StopIteration:
            return


def _restless(*args: Any, **more: Any) -> Any:
    yield from plan(*args, **more)
    yield Wait(0.0, "once more")


PLANNERS: Mapping[str, tuple[str, Planner]] = {
    "a call that goes on after its answer": ("I1", _restless),
    "a deadline that is stretched": ("I3", _patient),
    "a stop that is not asked": ("I4", _stubborn),
    "side effects that are forgotten": ("I4 doubtful", _dear),
    "hops in another order": ("I11", _backwards),
    "sends that are counted wrong": ("I12", _miscounted),
}
PATCHES: Mapping[str, tuple[str, Any, str, Any]] = {
    "waits that do not fit": ("I3", Account, "fits", lambda *_: True),
    "re-sends for nothing": ("I4", Account, "pays", lambda *_: True),
    "second probes for nothing": ("I5", account, "COST_PROBE", 0.0),
    "re-sends without end": ("I4 doubtful", aftermath, "RESENDS", dict.fromkeys(RESENDS)),
    "closed domains that let every call in": ("I5", Breaker, "enter", lambda *_, **__: True),
    "probes before a time that was named": ("I5 named", Domains, "waits", lambda *_: False),
    "many probes": ("I6", Breaker, "_probe_free", lambda *_: True),
    "a probe that is kept": ("I6", Domains, "abandoned", lambda *_: None),
    "hops that a fault has condemned": ("I11", Account, "leave", lambda *_: None),
}


@pytest.mark.parametrize("broken_so", PLANNERS)
def test_a_plan_that_breaks_an_invariant_is_caught(broken_so: str) -> None:
    rule, planner = PLANNERS[broken_so]

    assert any(rule in broken(any_script(random.Random(number).choice), planner) for number in range(200))


@pytest.mark.parametrize("broken_so", PATCHES)
def test_domains_and_decisions_that_break_an_invariant_are_caught(
    broken_so: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule, where, name, instead = PATCHES[broken_so]
    monkeypatch.setattr(where, name, instead)

    assert any(rule in broken(any_script(random.Random(number).choice)) for number in range(400))


@pytest.mark.parametrize("fault", ["invalid_request", "content_filter", "gateway_policy", "pool"])
def test_a_callers_fault_that_is_offered_to_others_is_caught(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAULTS, fault, replace(FAULTS[fault], move="origin"))
    places = (Place("blue/chat"), Place("green/chat", 1))

    assert "I9" in broken(Script(places, (Start((0, 1)), Go(fault=fault))))
