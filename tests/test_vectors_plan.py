"""Every vector against the plan, on a clock that stands still: the whole client but for time and sockets."""

from __future__ import annotations

import pytest
from vectors.mock import run
from vectors.schema import cases, vectors


def parameters() -> list[object]:
    made = []
    for name, case in cases():
        pending = vectors()[name].cases[case].pending
        marks = [pytest.mark.xfail(reason=pending, strict=True)] if pending else []
        made.append(pytest.param(name, case, id=f"{name}: {case}", marks=marks))
    return made


@pytest.mark.parametrize(("name", "case"), parameters())
def test_a_vector_comes_true(name: str, case: str) -> None:
    vector = vectors()[name]
    told = vector.cases[case]

    assert run(told, vector.attempts_of(told), vector.kind) == []
