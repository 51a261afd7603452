"""The garbage collector waits for an import, and is afterwards as it was."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from chatsheet_llm.loading import Loading


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def test_the_collector_waits_and_goes_on() -> None:
    with Loading():
        waits = not gc.isenabled()

    assert waits
    assert gc.isenabled()


def test_it_goes_on_behind_an_import_that_fails() -> None:
    with pytest.raises(ImportError), Loading():
        raise ImportError

    assert gc.isenabled()


def test_one_that_the_program_has_turned_off_stays_off() -> None:
    gc.disable()
    with Loading():
        pass

    assert not gc.isenabled()


def test_what_was_loaded_counts_as_old_and_can_still_be_collected() -> None:
    with Loading():
        made: list[object] = []
        made.append(made)

    assert any(each is made for each in gc.get_objects(generation=2))
    assert gc.get_freeze_count() == 0


def test_what_the_program_has_frozen_stays_frozen() -> None:
    gc.freeze()
    with Loading():
        pass

    assert gc.get_freeze_count() > 0
