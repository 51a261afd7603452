"""Keep what processes tell each other in Redis or Valkey.  Decides nothing, and shows no host, key or deployment there.

Every change is one script, so that it happens at once for everybody; every key has an end of its own.  Domains stand
there by digest; names of deployments stand in lessons alone.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, Protocol, cast
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

from pydantic import SecretStr

from chatsheet_llm.budget import CAPACITY, REFILL_PER_SECOND
from chatsheet_llm.errors import SettingsError
from chatsheet_llm.state import Closed, News, Opened, Taught, decoded, encoded, subject

if TYPE_CHECKING:
    import redis
    from redis.client import PubSub

SECONDS: Final = 1.0
"""Longest time of one operation and of connecting."""
PING_AFTER: Final = 5.0
"""Seconds of silence after which a subscribed connection is asked whether it lives."""
MOST: Final = 2000
"""Notes to load at most; those that hold longest come first."""
LONGEST: Final = 7 * 86400.0
"""Seconds after which anything is forgotten."""
BUCKET_SECONDS: Final = CAPACITY / REFILL_PER_SECOND + 60
"""A bucket that nobody touched for so long is full again."""

# What is of another type under one of our names is nobody's: it is replaced.
_WANT = """
local function want(key, kind)
  local is = redis.call('TYPE', key).ok
  if is ~= kind and is ~= 'none' then redis.call('DEL', key) end
end
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
"""
_KEEP = (
    _WANT
    + """
want(KEYS[2], 'zset')
local ends = math.min(tonumber(ARGV[1]), now + tonumber(ARGV[4]))
local known = tonumber(redis.call('ZSCORE', KEYS[2], KEYS[1]) or 0)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if ends - now < 0.001 or (known >= ends and redis.call('EXISTS', KEYS[1]) == 1) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', math.ceil((ends - now) * 1000))
redis.call('ZADD', KEYS[2], ends, KEYS[1])
local left = math.ceil((tonumber(redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2]) - now) * 1000)
redis.call('PEXPIRE', KEYS[2], math.max(left, 1))
redis.call('PUBLISH', ARGV[3], ARGV[2])
return 1
"""
)
_DROP = (
    _WANT
    + """
want(KEYS[2], 'zset')
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], KEYS[1])
redis.call('PUBLISH', ARGV[2], ARGV[1])
"""
)
_SPEND = (
    _WANT
    + """
want(KEYS[1], 'hash')
local spent, most, full = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local known = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local had, at = tonumber(known[1] or full), tonumber(known[2] or now)
if had == nil or had ~= had or at == nil or at ~= at then had, at = full, now end
had = math.min(full, had + math.max(0, now - at) * tonumber(ARGV[4]))
local left = math.max(0, math.min(full, math.min(had, most) - spent))
redis.call('HSET', KEYS[1], 'tokens', tostring(left), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], ARGV[5])
if left ~= had then
  local told = cjson.decode(ARGV[7])
  told.tokens = left
  redis.call('PUBLISH', ARGV[6], cjson.encode(told))
end
return tostring(left)
"""
)
_CLAIM = (
    _WANT
    + """
want(KEYS[1], 'string')
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
)
_RELEASE = (
    _WANT
    + """
want(KEYS[1], 'string')
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""
)
_EPOCH = (
    _WANT
    + """
want(KEYS[1], 'string')
local epoch = redis.call('GET', KEYS[1])
if not epoch then
  epoch = ARGV[1]
  redis.call('SET', KEYS[1], epoch)
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return epoch
"""
)
_SCRIPTS: Final[Mapping[str, str]] = {
    "keep": _KEEP, "drop": _DROP, "spend": _SPEND, "claim": _CLAIM, "release": _RELEASE, "epoch": _EPOCH,
}  # fmt: skip


class _Script(Protocol):
    def __call__(self, keys: list[str], args: list[str | float]) -> object: ...


class RedisState:
    """A state store in Redis 6 or newer, or Valkey.

    ``url`` is ``redis://`` or ``rediss://``; its query may name a ``namespace``: processes of one namespace share what
    they know.  ``ca_bundle`` is a file of certificates to trust.  Raises SettingsError where the package ``redis`` is
    not installed.  Opens no connection until it is asked for something.
    """

    def __init__(self, url: SecretStr | str, *, ca_bundle: str | None = None) -> None:
        self._url, self._ca_bundle = url if isinstance(url, SecretStr) else SecretStr(url), ca_bundle
        connect = _package()
        parts = urlsplit(self._url.get_secret_value())
        space = parse_qs(parts.query).get("namespace", ["default"])[-1]
        # The braces keep the keys of a namespace on one node of a cluster, as the scripts need it.
        self._prefix = f"chatsheet:{{{quote(space, safe='')}}}:"
        self._channel = self._prefix + "news"
        self._index = self._prefix + "index"
        self._me = secrets.token_hex(8)
        self._epoch: object = None
        self._client = connect(urlunsplit(parts._replace(query="")), ca_bundle)
        self._scripts = {name: cast("_Script", self._client.register_script(text)) for name, text in _SCRIPTS.items()}
        self._news: PubSub | None = None
        self._heard_at, self._pinged = 0.0, False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({urlsplit(self._url.get_secret_value()).hostname!r})"

    def listen(self) -> None:
        """Subscribe.  Raises where that is not confirmed in time."""
        if self._news is not None:
            self._news.close()
        self._news = cast("PubSub", self._client.pubsub())  # type: ignore[no-untyped-call]
        self._news.subscribe(self._channel)
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends:
            message = self._news.get_message(timeout=SECONDS)
            if message is not None and message["type"] == "subscribe":
                self._heard_at, self._pinged = time.monotonic(), False
                return
        raise TimeoutError("the subscription was not confirmed")

    def hear(self, seconds: float) -> list[News]:
        """Return what was published since; raises where the connection is silent even when it is asked for a sign."""
        if self._news is None:
            raise ConnectionError("not subscribed")
        found: list[News] = []
        message = self._news.get_message(timeout=seconds)
        now = time.monotonic()
        if message is None and now - self._heard_at > PING_AFTER:
            if self._pinged and now - self._heard_at > PING_AFTER + SECONDS:
                raise TimeoutError("the subscribed connection is dead")
            if not self._pinged:
                self._pinged = True
                self._news.ping()
        while message is not None:
            self._heard_at, self._pinged = now, False
            news = decoded(message["data"]) if message["type"] == "message" else None
            found += [news] if news is not None else []
            message = self._news.get_message(timeout=0.0) if len(found) < MOST else None
        return found

    def load(self) -> Iterator[News]:
        """Return what is kept and holds now."""
        names = cast("list[bytes]", self._client.zrevrange(self._index, 0, MOST - 1))
        own = [name for name in names if name.startswith(self._prefix.encode())]
        for text in cast("list[object]", self._client.mget(own)) if own else ():
            news = decoded(text)
            if news is not None and isinstance(news.note, (Opened, Taught)):
                yield news

    def now(self) -> float:
        """Return the server's time."""
        seconds, micros = self._client.time()
        return seconds + micros / 1e6

    def tell(self, news: News) -> None:
        """Keep and publish a note, in one script."""
        note = news.note
        keys = [self._prefix + subject(note), self._index]
        if isinstance(note, (Opened, Taught)):
            self._scripts["keep"](keys, [note.until, encoded(news), self._channel, LONGEST])
        elif isinstance(note, Closed) or subject(note).startswith("lesson:"):
            self._scripts["drop"](keys, [encoded(news), self._channel])

    def spend(self, domain: str, tokens: float, most: float, news: News) -> float:
        """Refill, spend and publish, in one script."""
        millis = int(BUCKET_SECONDS * 1000)
        args: list[str | float] = [tokens, most, CAPACITY, REFILL_PER_SECOND, millis, self._channel, encoded(news)]
        return float(cast("bytes", self._scripts["spend"]([f"{self._prefix}tokens:{domain}"], args)))

    def claim(self, domain: str, seconds: float) -> bool:
        """Take or prolong the lease."""
        return self._scripts["claim"]([f"{self._prefix}probe:{domain}"], [self._me, int(seconds * 1000)]) == 1

    def release(self, domain: str) -> None:
        """Delete the lease, where it is this process's."""
        self._scripts["release"]([f"{self._prefix}probe:{domain}"], [self._me])

    def intact(self) -> bool:
        """Whether the mark that was found at the first time is still there: a flush or an empty restart takes it."""
        before = self._epoch
        self._epoch = self._scripts["epoch"]([self._prefix + "epoch"], [secrets.token_hex(8), int(LONGEST * 1000)])
        return before in (None, self._epoch)

    def close(self) -> None:
        """Close every connection."""
        if self._news is not None:
            self._news.close()
        self._client.close()

    def renewed(self) -> RedisState:
        """Return one for a child process, with connections of its own."""
        return RedisState(self._url, ca_bundle=self._ca_bundle)


def _package() -> Callable[[str, str | None], redis.Redis]:
    """Return what makes a client of a URL.  Raises SettingsError, in whose traceback no frame holds the URL."""
    try:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError:
        raise SettingsError(
            "CHATSHEET_STATE_URL needs the package redis, which is not installed; "
            "pip install 'chatsheet_llm[redis]', or unset it"
        ) from None

    def client(url: str, ca_bundle: str | None) -> redis.Redis:
        trust = {"ssl_ca_certs": ca_bundle} if ca_bundle is not None and url.lower().startswith("rediss:") else {}
        return redis.Redis.from_url(
            url,
            socket_timeout=SECONDS,
            socket_connect_timeout=SECONDS,
            # Whether and when to try again is decided by whoever asks.
            retry=Retry(NoBackoff(), 0),
            **trust,
        )

    return client
