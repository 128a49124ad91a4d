"""`python -m tests.torture.broken …`: the server with the defect that TORTURE_BROKEN names."""

from __future__ import annotations

import os
import sys

from chat_aiohttp.cli import main
from tests.torture.defects import DEFECTS

if __name__ == "__main__":
    DEFECTS[os.environ["TORTURE_BROKEN"]].apply()
    sys.exit(main())
