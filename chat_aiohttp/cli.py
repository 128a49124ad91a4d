"""The command line: from arguments to a configuration, and from what went wrong to a line and an exit code.

It knows neither aiohttp nor a store: the server is imported when it is about to run, so that --help and check-config
answer at once. Exit codes follow sysexits.h, as systemd and scripts expect: 0 done, 64 wrong usage, 78 configuration,
75 try later, 74 I/O. What goes wrong before the server listens is one line on stderr, never a traceback.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

import chat_aiohttp
from chat_aiohttp.errors import CannotStart
from chat_aiohttp.settings import Loaded, example, load, sqlite_url, store_url

EX_USAGE = 64

_DESCRIPTION = "A chat server where a URL is a room: open /chat/lobby/ and talk."

_EPILOG = """\
every setting can also be given in the file (chat-aiohttp config prints it, explained)
and in the environment, as CHAT_<TABLE>_<KEY>: CHAT_ROOMS_KEEP_DAYS=7.
defaults < file < environment < flags.

examples:
  chat-aiohttp                                    talk at http://127.0.0.1:8000/chat/
  chat-aiohttp --host 0.0.0.0 --port 80           for everyone who can reach this machine
  chat-aiohttp --data /srv/chat                   keep the rooms there
  chat-aiohttp --store redis://127.0.0.1:6379/0   several of these share their rooms
  chat-aiohttp --unix /run/chat.sock              behind nginx, Caddy or HAProxy
  chat-aiohttp check-config --config chat.toml    is it right? every mistake at once
  chat-aiohttp config > config.toml               a file to start from
"""


class _Parser(argparse.ArgumentParser):
    """argparse, but a wrong usage ends with 64 and points to --help instead of printing all of it."""

    def error(self, message: str) -> NoReturn:
        self.exit(EX_USAGE, f"chat-aiohttp: {message}; see chat-aiohttp --help\n")


def parser() -> argparse.ArgumentParser:
    """All that can be given. No defaults here: they are Config's, and an absent flag must not hide the file's value."""
    ours = _Parser(
        prog="chat-aiohttp",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=28, width=96),
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    ours.add_argument_group("what to do").add_argument(
        "command",
        nargs="?",
        default="run",
        choices=("run", "check-config", "config"),
        metavar="COMMAND",
        help="run: serve (the default); check-config: is the configuration right?; config: print config.toml",
    )
    _add_where(ours.add_argument_group("where it listens"))
    _add_rooms(ours.add_argument_group("where the rooms are kept"))
    _add_how(ours.add_argument_group("how it runs"))
    return ours


def _add_where(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--host", metavar="HOST", help="name or address [127.0.0.1: this machine only]")
    group.add_argument("--port", metavar="PORT", help="port; 0 takes any free one [8000]")
    group.add_argument("--unix", metavar="PATH", help="a unix socket instead of host and port")


def _add_rooms(group: argparse._ArgumentGroup) -> None:
    either = group.add_mutually_exclusive_group()
    either.add_argument("--data", metavar="DIR", help="folder of the SQLite file [~/.local/state/chat-aiohttp]")
    either.add_argument("--store", metavar="URL", help="redis://host:port/db, unix:///path, sqlite:///path or memory:")


def _add_how(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--config", metavar="FILE", help="[./config.toml, else /etc/chat-aiohttp/config.toml]")
    group.add_argument("--workers", metavar="N", help="processes [1]")
    group.add_argument("--log-level", metavar="LEVEL", help="debug, info, warning or error [info]")
    group.add_argument("--log-format", metavar="FORMAT", help="text, json, journal or auto [auto]")
    group.add_argument("--version", action="version", version=f"chat-aiohttp {chat_aiohttp.__version__}")


# flags and the keys they set
_FLAGS = (
    ("host", "server.host"),
    ("port", "server.port"),
    ("unix", "server.unix"),
    ("store", "store.url"),
    ("workers", "server.workers"),
    ("log_level", "log.level"),
    ("log_format", "log.format"),
)


def main(argv: list[str] | None = None) -> int:
    """Do what *argv* (None: the process's own arguments) asks for. The exit code."""
    given = parser().parse_args(argv)
    try:
        return _do(given)
    except CannotStart as error:
        print(f"chat-aiohttp: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130  # what a shell reports for a program ended by Ctrl-C
    except BrokenPipeError:  # chat-aiohttp config | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _do(given: argparse.Namespace) -> int:
    if given.command == "config":
        print(example(), end="", flush=True)
        return 0
    loaded = _load(given)
    if given.command == "check-config":
        store_url(loaded.config, os.environ)  # raises what would stop the start, too
        print(f"ok: {loaded.source}")
        return 0
    from chat_aiohttp.server import run

    return run(loaded.config, loaded.source)


def _load(given: argparse.Namespace) -> Loaded:
    arguments = vars(given)
    flags = {key: (_flag(name), arguments[name]) for name, key in _FLAGS if name in arguments}
    if "data" in arguments:
        flags["store.url"] = ("--data", sqlite_url(Path(arguments["data"])))
    file = Path(arguments["config"]) if "config" in arguments else None
    return load(file=file, environ=os.environ, flags=flags)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
