"""The recorded traffic through every bridge and back: no failure, no row too many, and the page is true."""

import answers
import beside_litellm
import counting
import fidelity
import pytest
import vanishing
from normal_forms import REQUESTS, normal, normal_reply
from normal_replies import REPLIES
from odd_trips import ODD_ANSWER, ODD_REPLIES, ODD_REQUESTS
from random_answers import answered, said_by
from round_trip import differences, marked
from sdk_folds import sdk_folded
from shared_files import schema
from stream_rows import STREAM_ROWS, UNREAD

from chatsheet_llm.formats import BRIDGES, FormatError
from chatsheet_llm.formats import REPLIES as REPLY_BRIDGES
from chatsheet_llm.formats.state import seals
from chatsheet_llm.route import MODES, Loss

pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")


@pytest.fixture(scope="module")
def counts():
    return counting.counted()


@pytest.mark.parametrize("pair", counting.PAIRS, ids=" to ".join)
@pytest.mark.parametrize("what", ["requests", "replies", "streams"])
def test_nothing_recorded_loses_anything_in_silence(counts, what, pair):
    tally = counts[what, pair[0], pair[1]]

    assert tally.failures == []
    assert tally.records > 40
    assert tally.same > tally.records * 0.4


@pytest.mark.parametrize("pair", counting.PAIRS, ids=" to ".join)
@pytest.mark.parametrize("what", ["requests", "replies"])
def test_everything_recorded_comes_back_as_it_was(counts, what, pair):
    tally = counts[what, pair[0], pair[1]]

    assert tally.back + tally.refused == tally.records
    assert tally.refused < 5


def test_every_record_in_scope_was_counted(counts):
    kinds = {"requests": 952, "replies": 670, "streams": 224}
    found = {what: sum(counts[what, one, other].records for one, other in counting.PAIRS) // 2 for what in kinds}

    assert found == kinds


def test_our_bridge_drops_nothing_that_litellm_s_drops():
    rows = list(beside_litellm.compared())

    assert len(rows) == 26
    assert [row for row in rows if row.silent] == []
    assert sum(bool(row.dropped) for row in rows) > 5


def test_the_published_page_is_true(counts):
    assert fidelity.PAGE.read_text(encoding="utf-8") == fidelity.page(counts)


# --- every row of the tables is needed -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trips():
    """Every round trip: (kind, format, through) -> pairs of what was sent, with lost things marked, and came back."""
    made = {}
    for here, there in counting.PAIRS:
        made["request", here, there] = [
            trip
            for body in [*(body for _, body, _ in counting.requests(here)), *ODD_REQUESTS[here]]
            if (trip := _trip(BRIDGES, (here, there), body))
        ]
        made["reply", here, there] = [
            trip
            for body in [*(body for _, body in counting.replies(here)), *ODD_REPLIES[here]]
            if (trip := _trip(REPLY_BRIDGES, (here, there), body))
        ]
    return made


def _trip(bridges, pair, body):
    try:
        there, losses = bridges[pair](body)
    except FormatError:
        return None
    back, _ = bridges[pair[1], pair[0]](there)
    return marked(body, [loss.path for loss in losses]), back


def needs(row, rows, normalize, pair, trip):
    """Whether a round trip is the same with this row and another one without it."""
    left = [other for other in rows if other is not row]
    try:
        another = differences(*(normalize(pair[0], body, pair[1], left) for body in trip)) != []
    except (KeyError, TypeError):
        # Another row builds on it.
        another = True
    return another and differences(*(normalize(pair[0], body, pair[1], rows) for body in trip)) == []


def is_needed(row, rows, normalize, trips, kind):
    pairs = [(row.mode, there) for there in row.through if there != row.mode]
    return any(needs(row, rows, normalize, pair, trip) for pair in pairs for trip in trips[(kind, *pair)])


@pytest.mark.parametrize("row", REQUESTS, ids=lambda row: f"{row.mode}: {row.reason}")
def test_a_difference_that_is_forgiven_a_request_occurs(trips, row):
    assert is_needed(row, REQUESTS, normal, trips, "request")


@pytest.mark.parametrize("row", REPLIES, ids=lambda row: f"{row.mode}: {row.reason}")
def test_a_difference_that_is_forgiven_a_reply_occurs(trips, row):
    assert is_needed(row, REPLIES, normal_reply, trips, "reply") or _sets_apart(row)


def _sets_apart(row):
    """Whether a reply that came through a bridge is another than one written directly, without this row."""
    for here, there in counting.PAIRS:
        source = said_by(ODD_ANSWER, here)
        pair = REPLY_BRIDGES[here, there](answered(here, source))[0], answered(there, source)
        left = [other for other in REPLIES if other is not row]
        if there == row.mode and differences(*(normal_reply(there, body, None, left) for body in pair)):
            return True
    return False


@pytest.mark.parametrize("row", STREAM_ROWS, ids=lambda row: row.reason)
def test_a_difference_that_is_forgiven_a_stream_occurs(row):
    left = [other for other in STREAM_ROWS if other is not row]
    found = set()
    for caller in [caller for caller in row.callers if caller != row.hop]:
        for name, events in counting.streams(row.hop):
            if row.is_about(row.hop, caller, name):
                direct, _ = REPLY_BRIDGES[row.hop, caller](answers.folded(row.hop, events))
                streamed = answers.folded(caller, counting.bridged_stream(row.hop, caller, events)[0])
                others = [other for other in left if other.is_about(row.hop, caller, name)]
                if counting.stream_differences(caller, direct, streamed, others):
                    found.add(name)

    assert found
    assert found >= set(row.records)


@pytest.mark.parametrize("row", counting.UNFIT, ids=lambda row: row.message)
def test_a_body_that_fits_no_schema_occurs_only_where_its_state_is_elsewhere(row):
    found = []
    for _, body, _ in counting.requests("responses"):
        made, _ = BRIDGES["responses", "chat"](body)
        if row.message in schema(counting.SCHEMAS["chat"])(made):
            found.append(body)

    assert found
    assert all(any(seal.holds for seal in seals("responses", body)) for body in found)


@pytest.mark.parametrize("hop", MODES)
def test_a_recorded_stream_is_read_as_its_own_sdk_reads_it(hop):
    unread = {row.record for row in UNREAD}
    others = set()
    for name, events in counting.streams(hop):
        try:
            same = answers.said(hop, sdk_folded(hop, events)) == answers.said(hop, answers.folded(hop, events))
        except (AttributeError, RuntimeError):
            same = False
        others |= set() if same else {name}

    assert others <= unread
    assert others == {name for name, _ in counting.streams(hop)} & unread


# --- the counting itself ---------------------------------------------------------------------------------------------


def test_a_value_that_vanishes_is_found():
    source = {"a": "kept", "b": {"c": ["gone", "told"]}, "d": '{"e": "inner"}'}
    told = [Loss("chat", "b.c[1]", "x")]

    assert vanishing.vanished(source, {"z": "kept"}, told, lambda *_: False) == ["b.c[0]", "d.e"]


@pytest.mark.parametrize("value", [0, 0.0, False, "", [], {}])
def test_a_zero_or_emptiness_that_vanishes_is_found(value):
    source, other = {"a": {"b": value}}, {"a": {"c": 0}, "d": [False, "", [], {}]}
    told = [Loss("chat", "a", "x")]

    assert vanishing.vanished(source, other, [], lambda *_: False) == ["a.b"]
    assert vanishing.vanished(source, other, told, lambda *_: False) == []
    assert vanishing.vanished(source, {"e": {"b": value}}, [], lambda *_: False) == []


def test_one_is_not_true_and_zero_is_not_false():
    assert vanishing.vanished({"a": 1}, {"a": True}, [], lambda *_: False) == ["a"]
    assert vanishing.vanished({"a": False}, {"a": 0}, [], lambda *_: False) == ["a"]
    assert differences({"a": 1}, {"a": True}) != []


@pytest.mark.parametrize(
    ("sent", "back"),
    [
        ({"a": 1}, {}),
        ({}, {"a": 1}),
        ({"a": 1}, {"a": 2}),
        ({"a": ["x", "y"]}, {"a": ["y", "x"]}),
        ({"a": [1]}, {"a": 1}),
    ],
)
def test_what_came_back_another_is_a_difference_unless_it_was_declared_lost(sent, back):
    assert differences(sent, back) != []
    assert differences(marked({"b": sent}, ["b"]), {"b": back}) == []


def test_a_text_that_changes_without_a_declared_loss_is_a_failure():
    tally = counting.Tally()
    one, other = (answers.Said(text, (), "stop", (1, 1)) for text in ("a", "b"))
    counting.compare(tally, "x", one, other, [])
    counting.compare(tally, "y", one, other, [Loss("chat", "usage.x", "y")])

    assert len(tally.failures) == 2
