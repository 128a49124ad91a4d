"""What the command line answers: words, streams and exit codes. The process is real where that is the point."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

import chat_aiohttp
from chat_aiohttp import cli
from chat_aiohttp.cli import main, parser
from chat_aiohttp.config import Config
from chat_aiohttp.errors import CannotStart
from chat_aiohttp.settings import example

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working folder, and nothing of this machine's environment."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("CHAT_")]:
        monkeypatch.delenv(name)


class Server(types.ModuleType):
    """Stands where chat_aiohttp.server would: remembers what it is asked to run, and ends as told."""

    def __init__(self, end: BaseException | int = 0) -> None:
        super().__init__("chat_aiohttp.server")
        self.end = end
        self.asked: list[tuple[Config, str]] = []

    def run(self, config: Config, source: str) -> int:
        self.asked.append((config, source))
        if isinstance(self.end, BaseException):
            raise self.end
        return self.end


def serve(monkeypatch: pytest.MonkeyPatch, end: BaseException | int = 0) -> Server:
    server = Server(end)
    monkeypatch.setitem(sys.modules, "chat_aiohttp.server", server)
    return server


# -- run


@pytest.mark.parametrize("argv", [[], ["run"]])
def test_it_runs_with_the_defaults(argv: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(monkeypatch)

    assert main(argv) == 0
    assert server.asked == [(Config(), "the defaults")]


def test_flags_reach_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(monkeypatch)
    (tmp_path / "c.toml").write_text("[server]\nport = 1\ndrain_s = 3.0")
    flags = "--config c.toml --host :: --port 0 --unix /s --workers 2 --log-level debug --log-format json"

    assert main(f"{flags} --store memory: run".split()) == 0

    ((config, source),) = server.asked
    assert config.server.host == "::"
    assert (config.server.port, config.server.unix, config.server.workers) == (0, "/s", 2)
    assert config.server.drain_s == 3.0
    assert (config.log.level, config.log.format) == ("debug", "json")
    assert config.store.url == "memory:"
    assert source.startswith("c.toml, --host, --port")


def test_every_flag_sets_a_key_that_exists() -> None:
    flags = {action.dest for action in parser()._actions} - {"help", "version", "config", "data", "command"}

    assert {name for name, _ in cli._FLAGS} == flags
    for _, key in cli._FLAGS:
        table, name = key.split(".")
        assert hasattr(getattr(Config(), table), name)


def test_data_is_the_folder_of_the_sqlite_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(monkeypatch)

    main(["--data", "rooms"])

    assert server.asked[0][0].store.url == f"sqlite://{tmp_path}/rooms/chat.sqlite3"


def test_the_server_s_exit_code_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, 3)

    assert main([]) == 3


def test_what_keeps_it_from_starting_is_one_line_and_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    serve(monkeypatch, CannotStart("port_in_use", "port 8000 is taken: give another with --port", 75))

    assert main([]) == 75
    assert capsys.readouterr() == ("", "chat-aiohttp: port 8000 is taken: give another with --port\n")


def test_ctrl_c_ends_without_a_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    serve(monkeypatch, KeyboardInterrupt())

    assert main([]) == 130
    assert capsys.readouterr() == ("", "")


# -- the other commands, and what is wrong


def run(*argv: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "chat_aiohttp", *argv],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_check_config_says_ok_and_which_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[server]\nport = 1")

    done = run("check-config", cwd=tmp_path, CHAT_ROOMS_HISTORY="3")

    assert (done.returncode, done.stdout, done.stderr) == (0, "ok: config.toml, CHAT_ROOMS_HISTORY\n", "")


def test_check_config_tells_every_mistake_and_ends_with_78(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[server]\nprot = 1\nport = 'x'")

    done = run("check-config", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == (
        "chat-aiohttp: the configuration has 2 mistakes:\n"
        "  config.toml: there is no key server.prot (set to 1); did you mean server.port?\n"
        '  config.toml: server.port = "x" should be a port from 0 to 65535 (0: any free one)\n'
    )


@pytest.mark.parametrize(
    ("settings", "environ", "words"),
    [
        ("[server]\nworkers = 4", {}, "4 workers need a log that they can share"),
        ("", {"HOME": "", "XDG_STATE_HOME": "", "STATE_DIRECTORY": ""}, "there is no home directory"),
    ],
)
def test_check_config_refuses_what_could_not_start(
    tmp_path: Path, settings: str, environ: dict[str, str], words: str
) -> None:
    (tmp_path / "config.toml").write_text(settings)

    checked = run("check-config", cwd=tmp_path, **environ)
    started = run(cwd=tmp_path, **environ)

    assert (checked.returncode, checked.stdout) == (78, "")
    assert words in checked.stderr
    assert checked.stderr == started.stderr


def test_a_wrong_configuration_does_not_start(tmp_path: Path) -> None:
    done = run("--port", "eighty", cwd=tmp_path)

    assert done.returncode == 78
    assert "command line, --port" in done.stderr
    assert "Traceback" not in done.stderr


def test_config_prints_the_annotated_file() -> None:
    done = run("config", cwd=ROOT)

    assert (done.returncode, done.stdout) == (0, example())


def test_a_reader_who_leaves_early_is_no_error(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "chat_aiohttp", "config"],
            cwd=ROOT,
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("argv", [["serve"], ["--prot", "1"], ["--port"], ["--data", "x", "--store", "memory:"]])
def test_a_wrong_usage_ends_with_64_and_points_to_help(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(argv)

    assert ended.value.code == 64
    assert capsys.readouterr().err.endswith("see chat-aiohttp --help\n")


def test_help_shows_defaults_and_examples_and_fits_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    words = capsys.readouterr().out
    assert ended.value.code == 0
    assert "[8000]" in words
    assert words.index("where it listens") < words.index("examples:")
    assert max(map(len, words.splitlines())) <= 100


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])

    assert capsys.readouterr().out == f"chat-aiohttp {chat_aiohttp.__version__}\n"


def test_neither_help_nor_check_config_loads_the_server(tmp_path: Path) -> None:
    code = (
        "import sys; from chat_aiohttp.cli import main; main(['check-config']);"
        "sys.exit(sorted({'aiohttp', 'redis', 'uvloop'} & set(sys.modules)) or 0)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
