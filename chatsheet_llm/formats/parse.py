"""Read JSON that a hop sent, by pydantic's parser, which is in Rust.  Judges no value."""

from __future__ import annotations

import json

from pydantic_core import from_json


def loads(text: str | bytes) -> object:
    """Return what the JSON says, exactly as :func:`json.loads` reads it.  Raises ValueError for what is no JSON."""
    try:
        return from_json(text)
    except ValueError:
        # Half a surrogate pair, or very deep nesting: Python's own parser is more patient.
        try:
            return json.loads(text)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
