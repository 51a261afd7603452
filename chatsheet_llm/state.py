"""What processes tell each other of their failure domains, and what a store of it must do.  Stores and sends nothing.

A store is asked by threads of its own and never by a call.  What comes out of one is believed only as far as it makes
sense: whatever is unknown, garbage or of another version is left aside, never raised.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Protocol, get_args

from chatsheet_llm.learned import When
from chatsheet_llm.route import MODES, Mode

VERSION = 1
LONGEST_TEXT = 200
"""Characters of a name."""
_WHENS: tuple[When, ...] = get_args(When)


@dataclass(frozen=True, slots=True)
class Opened:
    """A domain is closed to traffic until that time.  ``fault`` names why, ``throttled`` says that its server named it.

    ``open_for`` are the seconds for which it opens when a probe fails.
    """

    domain: str
    until: float
    throttled: bool
    fault: str
    open_for: float


@dataclass(frozen=True, slots=True)
class Closed:
    """A probe was answered: the domain is open for traffic again."""

    domain: str


@dataclass(frozen=True, slots=True)
class Level:
    """What is left of the retry budget of a domain."""

    domain: str
    tokens: float


@dataclass(frozen=True, slots=True)
class Taught:
    """What an endpoint has shown of a deployment, as `learned` has it; believed until that time."""

    origin: str
    deployment: str
    mode: Mode | None
    when: When | None
    fault: str
    base_model: str | None
    family: str
    until: float


@dataclass(frozen=True, slots=True)
class Untaught:
    """A lesson that does not hold any more."""

    origin: str
    deployment: str
    mode: Mode | None
    when: When | None


Note = Opened | Closed | Level | Taught | Untaught
"""One thing to tell.  Times are seconds of the store's own clock; domains and origins are named by :func:`sealed`."""

_KINDS: Mapping[str, type[Note]] = {
    "opened": Opened,
    "closed": Closed,
    "level": Level,
    "taught": Taught,
    "untaught": Untaught,
}
_NAMES: Mapping[type[Note], str] = {kind: name for name, kind in _KINDS.items()}


@dataclass(frozen=True, slots=True)
class News:
    """A note, who tells it, and which of that process's notes it is."""

    note: Note
    by: str
    number: int


class StateStore(Protocol):
    """Where processes tell each other what they know.  Thread-safe.

    Any method may block and raise whatever it likes: calls go on with what their own process knows, and the store is
    asked again after a while.  It should give up by itself after some seconds.
    """

    def listen(self) -> None:
        """Begin to hear: what is told from now on comes out of :meth:`hear`.  Called again after an error."""

    def hear(self, seconds: float) -> Iterable[News]:
        """Return what was told since, own notes included, in one order for everybody; wait for it at most so long."""

    def load(self) -> Iterable[News]:
        """Return every :class:`Opened` and :class:`Taught` that still holds."""

    def now(self) -> float:
        """Return the time in seconds of a clock that all processes share."""

    def tell(self, news: News) -> None:
        """Keep a note for as long as it holds, and tell it to everybody.

        An :class:`Opened` or :class:`Taught` that ends before what is kept of the same thing changes nothing.
        """

    def spend(self, domain: str, tokens: float, most: float, news: News) -> float:
        """Take tokens from a domain's budget, or give them back where negative; return what is left.

        The budget refills as :class:`~chatsheet_llm.budget.Bucket` does; before the spending it is cut to ``most``.
        A change is told to everybody, as ``news`` with what is left as the :class:`Level`.  All that at once, whatever
        other processes do meanwhile.
        """

    def claim(self, domain: str, seconds: float) -> bool:
        """Take or prolong the right to probe a domain, which one process has at a time, for at most so long."""

    def release(self, domain: str) -> None:
        """Give the right to probe back, where it is this process's."""

    def intact(self) -> bool:
        """Whether the store still has all that it was told since the last time that this was asked."""

    def close(self) -> None:
        """Close every connection.  Nothing is asked of it afterwards."""

    def renewed(self) -> StateStore:
        """Return one like it for the child of a fork, which shares no connection with it."""


class Shared(Protocol):
    """What one process's domains say to the others, by key.  Never waits."""

    def opened(self, key: str) -> None:
        """Hear that a domain was opened, or opened for longer."""

    def closed(self, key: str) -> None:
        """Hear that a domain was closed, by a probe or by hand."""

    def spent(self, key: str, tokens: float) -> None:
        """Hear that tokens were taken from the domain's budget, or put back."""

    def may_probe(self, key: str, *, early: bool) -> bool:
        """Whether this process may probe now; where that is not known yet, it is found out for a later call."""

    def withheld(self, key: str) -> bool:
        """Whether another process probes."""

    def probe_over(self, key: str) -> None:
        """Hear that a probe ended."""

    def met(self, key: str) -> None:
        """Hear that a domain is asked about for the first time."""


class Alone:
    """One process by itself: tells nobody, and may always probe."""

    def opened(self, key: str) -> None:
        """Tell nobody."""

    def closed(self, key: str) -> None:
        """Tell nobody."""

    def spent(self, key: str, tokens: float) -> None:
        """Tell nobody."""

    def may_probe(self, key: str, *, early: bool) -> bool:
        """Let the local rules decide."""
        del key, early
        return True

    def withheld(self, key: str) -> bool:
        """Let the local rules decide."""
        del key
        return False

    def probe_over(self, key: str) -> None:
        """Tell nobody."""

    def met(self, key: str) -> None:
        """Know nothing of it."""


def sealed(key: str) -> str:
    """Return the name of a domain in a store: a digest, which shows no host, deployment or part of a credential."""
    return hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=16, person=b"chatsheet").hexdigest()


def encoded(news: News) -> str:
    """Return the JSON text of it."""
    told = {"v": VERSION, "by": news.by, "number": news.number, "kind": _NAMES[type(news.note)]}
    return json.dumps({**asdict(news.note), **told}, separators=(",", ":"))


def decoded(text: object) -> News | None:
    """Return what the JSON text says, or None where it makes no sense."""
    if not isinstance(text, (str, bytes)) or len(text) > 20 * LONGEST_TEXT:
        return None
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return None
    kind = _KINDS.get(str(told.pop("kind", None))) if isinstance(told, dict) and told.get("v") == VERSION else None
    if kind is None:
        return None
    fields = kind.__dataclass_fields__
    by, number = told.get("by"), told.get("number")
    if not (isinstance(by, str) and isinstance(number, int)):
        return None
    if not all(name in told and _FITS[name](told[name]) for name in fields):
        return None
    made = kind(**{name: told[name] for name in fields})
    return News(made, by, number) if _coherent(made) else None


def _text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_TEXT and value.isprintable()


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


_FITS: Mapping[str, Callable[[object], bool]] = {
    "domain": lambda value: _text(value) and bool(value),
    "origin": lambda value: _text(value) and bool(value),
    "deployment": _text,
    "until": _number,
    "open_for": _number,
    "tokens": _number,
    "throttled": lambda value: isinstance(value, bool),
    "fault": _text,
    "mode": lambda value: value is None or value in MODES,
    "when": lambda value: value is None or value in _WHENS,
    "base_model": lambda value: value is None or _text(value),
    "family": _text,
}
"""Field to whether a value of it makes sense."""


def _coherent(note: Note) -> bool:
    """Whether the fields make sense together: a refusal names its fault, an API and its requests, a model neither."""
    if isinstance(note, Taught):
        return (note.mode is None) == (note.when is None) == (note.fault == "")
    if isinstance(note, Untaught):
        return (note.mode is None) == (note.when is None)
    return not isinstance(note, Opened) or note.fault != ""


def subject(note: Note) -> str:
    """Return the name of what a note is about: of two notes with one name the later replaces the other."""
    if isinstance(note, (Taught, Untaught)):
        return "lesson:" + sealed(json.dumps([note.origin, note.deployment, note.mode, note.when]))
    return "domain:" + note.domain
