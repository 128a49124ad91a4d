"""Where a configuration comes from, what wins, and what an operator is told when it is wrong."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
import pytest

from chat_aiohttp import settings
from chat_aiohttp.config import Config, StoreTable
from chat_aiohttp.errors import CannotStart
from chat_aiohttp.settings import ConfigError, Loaded, example, load, masked, sqlite_url, state_directory, store_url

KEYS = [
    (table.name, key.name)
    for table in msgspec.structs.fields(Config)
    for key in msgspec.structs.fields(type(getattr(Config(), table.name)))
]


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working folder, and no configuration of this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "SYSTEM_FILE", tmp_path / "etc" / "config.toml")


def loaded(
    text: str | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, tuple[str, str]] | None = None,
) -> Loaded:
    file = None
    if text is not None:
        file = Path("given.toml")
        file.write_text(text, "utf-8")
    return load(file=file, environ=environ or {}, flags=flags or {})


def mistakes(
    text: str | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, tuple[str, str]] | None = None,
) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        loaded(text, environ, flags)
    assert refused.value.exit_code == 78
    assert all(mistake in str(refused.value) for mistake in refused.value.mistakes)
    return refused.value.mistakes


# -- config.toml


def test_the_example_loads_to_exactly_the_defaults() -> None:
    assert loaded(example()).config == Config()


def test_the_example_sets_every_key_and_says_something_before_it() -> None:
    document = tomllib.loads(example())

    assert sorted(KEYS) == sorted((table, key) for table, content in document.items() for key in content)
    for _, key in KEYS:
        assert re.search(rf"^(#.*|[a-z_]+ = .*)\n{key} = ", example(), re.MULTILINE), f"{key} has no comment"


def test_the_example_is_the_file_at_the_top_of_the_project() -> None:
    assert example() == (Path(__file__).parent.parent / "config.toml").read_text("utf-8")


# -- what wins


def test_file_then_environment_then_flags() -> None:
    text = "[server]\nhost = '::1'\nport = 1\ndrain_s = 2"
    environ = {"CHAT_SERVER_PORT": "3", "CHAT_SERVER_HOST": "::"}
    flags = {"server.port": ("--port", "4")}

    config, source = loaded(text, environ, flags)

    assert (config.server.drain_s, config.server.host, config.server.port) == (2.0, "::", 4)
    assert config.rooms == Config().rooms
    assert source == "given.toml, CHAT_SERVER_HOST, CHAT_SERVER_PORT, --port"


def test_without_anything_it_is_the_defaults() -> None:
    assert loaded() == (Config(), "the defaults")


def test_the_file_is_the_given_one_else_the_folder_s_else_the_system_s() -> None:
    settings.SYSTEM_FILE.parent.mkdir()
    settings.SYSTEM_FILE.write_text("[server]\nport = 1")
    assert loaded()[0].server.port == 1

    Path("config.toml").write_text("[server]\nport = 2")
    assert loaded() == (loaded("[server]\nport = 2").config, "config.toml")

    assert loaded("[server]\nport = 3").config.server.port == 3


def test_the_environment_gives_every_type() -> None:
    config = loaded(
        environ={
            "CHAT_ROOMS_LISTED": "false",
            "CHAT_ROOMS_HISTORY": "7",
            "CHAT_FANOUT_REST": "0.5",
            "CHAT_SERVER_SITE_NAME": "42",
            "CHAT_SERVER_ORIGINS": "https://a.example, http://b.example:81,",
        }
    ).config

    assert config.rooms.listed is False
    assert config.rooms.history == 7
    assert config.fanout.rest == 0.5
    assert config.server.site_name == "42"
    assert config.server.origins == ("https://a.example", "http://b.example:81")


@pytest.mark.parametrize("table_key", KEYS, ids=".".join)
def test_every_key_can_come_from_the_environment(table_key: tuple[str, str]) -> None:
    table, key = table_key
    default = getattr(getattr(Config(), table), key)
    text = ",".join(default) if isinstance(default, tuple) else str(default)

    config, source = loaded(environ={f"CHAT_{table}_{key}".upper(): text})

    assert config == Config()
    assert source == "the defaults, " + f"CHAT_{table}_{key}".upper()


# -- what is told


def test_all_mistakes_are_told_at_once_with_key_value_and_what_would_be_right() -> None:
    found = mistakes(
        "[server]\nprot = 1\nport = 70000\n[stroe]\nurl = 'x'\n[rooms]\nlisted = 'yes'",
        {"CHAT_ROOMS_HISTORY": "many", "CHAT_SEVER_PORT": "1"},
        {"log.level": ("--log-level", "loud")},
    )

    assert found == [
        'environment: there is no CHAT_SEVER_PORT (set to "1"); did you mean CHAT_SERVER_PORT?',
        "given.toml: there is no key server.prot (set to 1); did you mean server.port?",
        "given.toml: there is no table [stroe]; did you mean store?",
        "given.toml: server.port = 70000 should be a port from 0 to 65535 (0: any free one)",
        'given.toml: rooms.listed = "yes" should be true or false',
        'environment, CHAT_ROOMS_HISTORY: rooms.history = "many" should be a whole number from 0 to 500',
        'command line, --log-level: log.level = "loud" should be debug, info, warning or error',
    ]


@pytest.mark.parametrize(
    "line",
    [
        "server.port = '8000'",
        "server.port = true",
        "server.port = -1",
        "server.unix = 'relative/path'",
        f"server.unix = '/{'x' * 107}'",
        "server.host = ''",
        "server.origins = ['docs.example.org']",
        "server.origins = ['https://docs.example.org/']",
        "server.origins = 'https://docs.example.org'",
        "server.trusted_proxies = ['10.0.0.1/8']",
        "server.trusted_proxies = ['proxy']",
        "server.drain_s = nan",
        "server.drain_s = inf",
        "server.loop = 'UVLOOP'",
        "server.workers = 0",
        "store.url = 'mysql://x'",
        "store.url = 'sqlite:chat.db'",
        "store.synchronous = 'full'",
        "store.shards = 0",
        "store.prefix = 'a{b}'",
        'store.prefix = "chat\\n"',
        "rooms.history = 501",
        "limits.messages_per_second = 0",
        "limits.frame_bytes = 10",
        "limits.bytes_per_second = 1000",
        "limits.address_sockets = -1",
        "limits.room_messages_per_second = 0",
        "limits.empty_frame_burst = 0",
        "metrics.allowed = ['10.0.0.1/8']",
        "metrics.allowed = ['everybody']",
        "fanout.slice_ms = 0",
        "log.format = 'xml'",
    ],
)
def test_a_value_that_cannot_be_right_is_refused_by_name(line: str) -> None:
    (mistake,) = mistakes(line)

    assert mistake.startswith(f"given.toml: {line.split(' ')[0]} = ")
    assert " should be " in mistake


@pytest.mark.parametrize(
    "url",
    [
        "",
        "memory:",
        "sqlite:///srv/chat.sqlite3",
        "redis://host:6379/0",
        "rediss://user:secret@host/1",
        "unix:///run/redis.sock?db=2",
        "unix://user:secret@/run/redis.sock",
        "redis+sentinel://user:secret@one:26379,two/mymaster/0",
        "rediss+cluster://one,two:7001?ssl_ca_certs=/etc/ssl/redis.pem",
    ],
)
def test_a_store_may_be_at(url: str) -> None:
    assert loaded(environ={"CHAT_STORE_URL": url}).config.store.url == url


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[server", "is not TOML"),
        ("server = 3", "should be a table: [server]"),
        ("[server]\nport = 1\nport = 2", "is not TOML"),
    ],
)
def test_a_file_that_is_no_configuration_is_named(text: str, words: str) -> None:
    (mistake,) = mistakes(text)

    assert mistake.startswith("given.toml: ")
    assert words in mistake


def test_a_given_file_that_is_not_there_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml: can't be read: No such file"):
        load(file=Path("missing.toml"), environ={}, flags={})


def test_a_folder_that_cannot_be_entered_is_a_mistake_not_an_absence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)

    assert any("can't be read: Permission denied" in mistake for mistake in mistakes())


def test_a_file_that_is_not_utf_8_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"[server]\nsite_name = '\xe9'")

    with pytest.raises(ConfigError, match="is not TOML"):
        load(file=tmp_path / "latin.toml", environ={}, flags={})


def test_others_names_in_the_environment_are_left_alone() -> None:
    environ = {"CHAT_SERVICE_HOST": "10.0.0.1", "CHAT_PORT": "tcp://10.0.0.1:80", "CHAT_API_KEY": "x", "CHATTY": "1"}

    assert loaded(environ=environ) == (Config(), "the defaults")


def test_an_unknown_key_of_our_table_in_the_environment_is_a_mistake() -> None:
    assert mistakes(environ={"CHAT_SERVER_NONSENSE": "1"}) == [
        'environment: there is no CHAT_SERVER_NONSENSE (set to "1")'
    ]


def test_secrets_are_never_shown() -> None:
    (mistake,) = mistakes(environ={"CHAT_STORE_URL": "reddis://user:s3cret@host/0?password=s3cret&db=1"})

    assert "s3cret" not in mistake
    assert '"reddis://…@host/0?password=…&db=1"' in mistake
    assert masked("no secret in redis://host/0") == "no secret in redis://host/0"


def test_what_a_terminal_would_obey_is_escaped_and_long_values_are_cut() -> None:
    (mistake,) = mistakes(environ={"CHAT_STORE_URL": "\x1b[2J" + "x" * 500})

    assert mistake.isprintable()
    assert len(mistake) < 260


# -- where the rooms are kept


def test_the_default_store_is_a_file_in_the_state_directory() -> None:
    assert store_url(Config(store=StoreTable(url="memory:")), {}) == "memory:"
    assert store_url(Config(), {"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}) == "sqlite:///var/lib/a/chat.sqlite3"


def test_an_odd_folder_comes_through_the_store_s_url() -> None:
    url = sqlite_url(Path("/srv/50% off?/#1 会"))

    assert unquote(urlsplit(url).path) == "/srv/50% off?/#1 会/chat.sqlite3"
    assert loaded(environ={"CHAT_STORE_URL": url}).config.store.url == url


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"STATE_DIRECTORY": "/var/lib/chat", "XDG_STATE_HOME": "/x", "HOME": "/home/a"}, "/var/lib/chat"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/home/a"}, "/x/chat-aiohttp"),
        ({"XDG_STATE_HOME": "x", "HOME": "/home/a"}, "/home/a/.local/state/chat-aiohttp"),
        ({"HOME": "/home/a"}, "/home/a/.local/state/chat-aiohttp"),
    ],
)
def test_the_state_directory_is(environ: dict[str, str], path: str) -> None:
    assert state_directory(environ) == Path(path)


def test_nowhere_to_keep_the_rooms_is_said_with_the_remedy() -> None:
    with pytest.raises(CannotStart, match="--data DIR") as refused:
        state_directory({})
    assert refused.value.exit_code == 78
