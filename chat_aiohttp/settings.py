"""Where a configuration comes from: defaults < file < CHAT_* environment < flags. Beside the layers.

Every mistake is found in one go and told with where it stands, the key, the value and what would be right, since an
operator who mends one line and starts again five times is an operator we have failed. Secrets in URLs are never shown.

A name in the environment that starts with CHAT_ but neither names a table of ours nor nearly a key belongs to somebody
else (Kubernetes puts CHAT_SERVICE_HOST there for a service called chat) and is left alone.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin
from urllib.parse import quote

import msgspec

from chat_aiohttp.config import Config
from chat_aiohttp.errors import CannotStart

LOCAL_FILE = Path("config.toml")
SYSTEM_FILE = Path("/etc/chat-aiohttp/config.toml")
EX_CONFIG = 78  # sysexits.h
NEAR_MISS = 0.93  # difflib's ratio: one letter wrong in a name; CHAT_SERVICE_HOST is not CHAT_SERVER_HOST (0.91)
NETWORKS = frozenset(("server.trusted_proxies", "metrics.allowed"))
SHOWN = 80  # characters of a wrong value; a pasted certificate says enough by its first line


class ConfigError(CannotStart):
    """Raised when the configuration is wrong, with all its *mistakes*, one sentence each."""

    def __init__(self, mistakes: list[str]) -> None:
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__("bad_config", "\n  ".join([f"the configuration has {count}:", *mistakes]), EX_CONFIG)
        self.mistakes = mistakes


class Setting(NamedTuple):
    """One value that somebody set: *place* is how they would find it again."""

    place: str
    key: str
    value: object
    is_text: bool  # from the environment or a flag, where everything is text


class Loaded(NamedTuple):
    """A configuration, and in words where it came from."""

    config: Config
    source: str


def load(*, file: Path | None, environ: Mapping[str, str], flags: Mapping[str, tuple[str, str]]) -> Loaded:
    """Gather the configuration. *file* is what --config named; *flags* maps a key to the flag's name and its value.

    Without *file*: ./config.toml, else /etc/chat-aiohttp/config.toml, else none. Raises ConfigError.
    """
    mistakes: list[str] = []
    file = file or next((path for path in (LOCAL_FILE, SYSTEM_FILE) if _exists(path, mistakes)), None)
    values: dict[str, Any] = {}
    set_outside = [*_from_environment(environ, mistakes), *_from_flags(flags)]
    for setting in [*(_from_file(file, mistakes) if file else ()), *set_outside]:
        try:
            values[setting.key] = _typed(setting)
        except ValueError as error:
            mistakes.append(str(error))
    if mistakes:
        raise ConfigError(mistakes)
    return Loaded(_config(values), _source(file, set_outside))


def example() -> str:
    """The annotated config.toml: in an installed package beside this file, in a checkout beside the package."""
    here = Path(__file__).parent
    place = next(path for path in (here, here.parent) if (path / LOCAL_FILE).is_file())
    return (place / LOCAL_FILE).read_text("utf-8")


def masked(text: str) -> str:
    """*text* without the user and password of a URL in it: fit to be shown and logged."""
    return re.sub(r"([?&](?:\w+_)?(?:username|password)=)[^&\s]*", r"\1…", re.sub(r"(?<=://)\S*@", "…@", text))


def store_url(config: Config, environ: Mapping[str, str]) -> str:
    """The URL as configured in store.url, or when that is empty of the SQLite file in the state directory. Raises
    CannotStart when there is none, or when *config* asks for more processes than can share it."""
    url, workers = config.store.url or sqlite_url(state_directory(environ)), config.server.workers
    if workers > 1 and not url.startswith(("redis", "unix")):
        raise CannotStart(
            "one_owner",
            f"{workers} workers need a log that they can share, and {masked(url)} has one owner: "
            "give --store redis://…, or --workers 1",
            EX_CONFIG,
        )
    return url


def sqlite_url(directory: Path) -> str:
    """The URL of the SQLite file that this server keeps in *directory*; a path in a URL is percent-encoded."""
    return f"sqlite://{quote(str(directory.absolute() / 'chat.sqlite3'))}"


def state_directory(environ: Mapping[str, str]) -> Path:
    """systemd's $STATE_DIRECTORY (its first), else $XDG_STATE_HOME/chat-aiohttp, else ~/.local/state/chat-aiohttp."""
    if given := environ.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(given)
    base = Path(environ.get("XDG_STATE_HOME", ""))
    if base.is_absolute():  # the XDG specification: a relative one is to be ignored
        return base / "chat-aiohttp"
    if home := environ.get("HOME"):
        return Path(home, ".local/state/chat-aiohttp")
    raise CannotStart("no_state", "there is no home directory to keep the rooms in: give --data DIR", EX_CONFIG)


def _keys() -> dict[str, Any]:
    """Every key, as table.name, with its type."""
    tables = msgspec.structs.fields(Config)
    return {f"{table.name}.{key.name}": key.type for table in tables for key in msgspec.structs.fields(table.type)}


def _from_file(path: Path, mistakes: list[str]) -> Iterator[Setting]:
    known = _keys()
    tables = {key.split(".")[0] for key in known}
    for table, content in _toml(path, mistakes).items():
        if table not in tables:
            mistakes.append(f"{path}: there is no table [{table}]{_suggestion(table, tables)}")
        elif not isinstance(content, dict):
            mistakes.append(f"{path}: {table} should be a table: [{table}]")
        else:
            for name, value in content.items():
                key = f"{table}.{name}"
                if key in known:
                    yield Setting(str(path), key, value, is_text=False)
                else:
                    mistakes.append(
                        f"{path}: there is no key {key} (set to {_shown(value)}){_suggestion(key, known, table + '.')}"
                    )


def _exists(path: Path, mistakes: list[str]) -> bool:
    try:
        return path.exists()
    except OSError as error:  # a folder we may not enter: better said than taken for "no configuration"
        mistakes.append(f"{path}: can't be read: {error.strerror}")
        return False


def _toml(path: Path, mistakes: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        mistakes.append(f"{path}: can't be read: {error.strerror}")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        mistakes.append(f"{path}: is not TOML: {error}")
    return {}


def _from_environment(environ: Mapping[str, str], mistakes: list[str]) -> Iterator[Setting]:
    ours = {"CHAT_" + key.replace(".", "_").upper(): key for key in _keys()}
    stems = tuple(f"CHAT_{table.name.upper()}_" for table in msgspec.structs.fields(Config))
    for name, value in sorted(environ.items()):
        if name in ours:
            yield Setting(f"environment, {name}", ours[name], value, is_text=True)
        elif name.startswith(stems) or difflib.get_close_matches(name, ours, 1, NEAR_MISS):
            stem = next((stem for stem in stems if name.startswith(stem)), "")
            mistakes.append(f"environment: there is no {name} (set to {_shown(value)}){_suggestion(name, ours, stem)}")


def _from_flags(flags: Mapping[str, tuple[str, str]]) -> Iterator[Setting]:
    for key, (flag, value) in flags.items():
        yield Setting(f"command line, {flag}", key, value, is_text=True)


def _typed(setting: Setting) -> object:
    """The setting's value in its key's type. Raises ValueError with the mistake in words."""
    place, key, value, is_text = setting
    kind = _keys()[key]
    if is_text and isinstance(value, str) and _is_list(kind):
        value = [part.strip() for part in value.split(",") if part.strip()]
    try:
        typed = msgspec.convert(value, kind, strict=not is_text)
        if key in NETWORKS:
            _ = [ip_network(network) for network in typed]
    except (msgspec.ValidationError, ValueError) as error:
        raise ValueError(f"{place}: {key} = {_shown(setting.value)} should be {_right(kind)}") from error
    return typed


def _is_list(kind: Any) -> bool:
    return get_origin(get_args(kind)[0]) is tuple


def _right(kind: Any) -> str:
    """What would be right for a key of type *kind*, in words."""
    described = msgspec.inspect.type_info(kind)
    assert isinstance(described, msgspec.inspect.Metadata)
    return str((described.extra_json_schema or {})["description"])


def _config(values: Mapping[str, Any]) -> Config:
    tables = {}
    for table in msgspec.structs.fields(Config):
        prefix = table.name + "."
        mine = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
        tables[table.name] = table.type(**mine)
    return Config(**tables)


def _source(file: Path | None, set_outside: list[Setting]) -> str:
    start = str(file) if file else "the defaults"
    return ", ".join([start, *(setting.place.split(", ")[1] for setting in set_outside)])


def _shown(value: object) -> str:
    """*value* much as it was written, safe for a terminal and a log."""
    if isinstance(value, bool):
        return str(value).lower()
    text = masked(str(value))
    text = text if text.isprintable() else ascii(text)[1:-1]
    text = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
    return f'"{text}"' if isinstance(value, str) else text


def _suggestion(name: str, known: Iterable[str], stem: str = "") -> str:
    """What *name* may have meant. Its *stem*, the table, is right already and must not make names look alike."""
    ends = [candidate.removeprefix(stem) for candidate in known if candidate.startswith(stem)]
    near = difflib.get_close_matches(name.removeprefix(stem), ends, 1)
    return f"; did you mean {stem}{near[0]}?" if near else ""
