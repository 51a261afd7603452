"""The recorded traffic through every bridge: no failure, and the published counts are true."""

import answers
import fidelity
import pytest
import vanishing


@pytest.fixture(scope="module")
def counts():
    return fidelity.counted()


@pytest.mark.parametrize("pair", fidelity.PAIRS, ids=" to ".join)
@pytest.mark.parametrize("what", ["requests", "replies", "streams"])
def test_nothing_recorded_loses_anything_in_silence(counts, what, pair):
    tally = counts[what, pair[0], pair[1]]

    assert tally.failures == []
    assert tally.records > 40
    assert tally.same > tally.records * 0.4


@pytest.mark.parametrize("pair", fidelity.PAIRS, ids=" to ".join)
def test_every_recorded_request_decodes_and_encodes_again(counts, pair):
    tally = counts["requests", pair[0], pair[1]]

    assert tally.back + tally.refused == tally.records
    assert tally.refused < 5


def test_every_record_in_scope_was_counted(counts):
    kinds = {"requests": 952, "replies": 670, "streams": 224}
    found = {what: sum(counts[what, one, other].records for one, other in fidelity.PAIRS) // 2 for what in kinds}

    assert found == kinds


def test_our_bridge_drops_nothing_that_litellm_s_drops(counts):
    rows = list(fidelity.compared())

    assert len(rows) == 26
    assert [row for row in rows if row.silent] == []
    assert sum(bool(row.dropped) for row in rows) > 5


def test_the_published_page_is_true(counts):
    assert fidelity.PAGE.read_text(encoding="utf-8") == fidelity.page(counts)


def test_a_value_that_vanishes_is_found():
    source = {"a": "kept", "b": {"c": ["gone", "told"]}, "d": '{"e": "inner"}'}
    told = [fidelity.Loss("chat", "b.c[1]", "x")]

    assert vanishing.vanished(source, {"z": "kept"}, told, lambda *_: False) == ["b.c[0]", "d.e"]


def test_a_text_that_changes_without_a_declared_loss_is_a_failure():
    tally = fidelity.Tally()
    one, other = (answers.Said(text, (), "stop", (1, 1)) for text in ("a", "b"))
    fidelity._compare(tally, "x", one, other, [])
    fidelity._compare(tally, "y", one, other, [fidelity.Loss("chat", "usage.x", "y")])

    assert len(tally.failures) == 2
