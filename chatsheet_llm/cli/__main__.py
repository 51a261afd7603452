"""``python -m chatsheet_llm.cli``: the same as ``chatsheet-llm``."""

from __future__ import annotations

import sys

from chatsheet_llm.cli import main

if __name__ == "__main__":
    sys.exit(main())
