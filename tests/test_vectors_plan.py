"""Every vector against the plan, on a clock that stands still: the whole client but for time and sockets."""

from __future__ import annotations

import pytest
from vectors.mock import run
from vectors.schema import cases, vectors


@pytest.mark.parametrize(("name", "case"), [pytest.param(*case, id=": ".join(case)) for case in cases()])
def test_a_vector_comes_true(name: str, case: str) -> None:
    vector = vectors()[name]
    told = vector.cases[case]

    assert run(told, vector.attempts_of(told), vector.kind) == []
