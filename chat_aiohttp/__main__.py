"""python -m chat_aiohttp: the same as the script chat-aiohttp."""

import sys

from chat_aiohttp.cli import main

if __name__ == "__main__":
    sys.exit(main())
