"""Every vector over real sockets, against fault servers, with both clients.  Only waits are over at once."""

from __future__ import annotations

from collections import Counter

import pytest
from fault_server import Certificates
from vectors.schema import cases, vectors
from vectors.sockets import run


def undriven() -> dict[str, str]:
    """The cases that cannot be driven over sockets, and why."""
    return {
        f"{name}: {case}": reason
        for name, case in cases()
        if (reason := vectors()[name].sockets or vectors()[name].cases[case].sockets)
    }


def parameters() -> list[object]:
    apart = undriven()
    return [pytest.param(*case, id=": ".join(case)) for case in cases() if ": ".join(case) not in apart]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(("name", "case"), parameters())
def test_a_vector_comes_true(name: str, case: str, asynchronous: bool, certificates: Certificates) -> None:
    vector = vectors()[name]
    told = vector.cases[case]
    attempts = vector.attempts_of(told)

    assert run(told, attempts, vector.kind, asynchronous=asynchronous, certificates=certificates) == []


def test_what_is_not_driven_over_sockets_says_why() -> None:
    listed = undriven()
    for reason, count in Counter(listed.values()).most_common():
        print(f"{count:4} cases: {reason}")

    whole = {name for name, vector in vectors().items() if all(f"{name}: {case}" in listed for case in vector.cases)}
    assert all(len(reason) > 20 for reason in listed.values())
    assert whole == {
        "11_pool", "12_bad_key", "13_lone_surrogate", "13_non_ascii_key", "14_no_token", "16_write_timeout",
    }  # fmt: skip
