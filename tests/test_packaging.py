"""What is installed is whole: the wheel, by way of the sdist, serves from any folder without the checkout in sight."""

from __future__ import annotations

import configparser
import os
import shutil
import site
import subprocess
import sys
import sysconfig
import tarfile
import time
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chat_aiohttp.settings import example
from tests.ports import free_port

ROOT = Path(__file__).parent.parent
START_S = 60  # for a start on a busy machine; it takes half a second


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel made from it. Built from a copy: building leaves things behind."""
    source = tmp_path_factory.mktemp("build") / "source"
    leave = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "screenshots")
    shutil.copytree(ROOT, source, ignore=leave)
    built = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(source / "dist"), str(source)],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return source / "dist"


@pytest.fixture(scope="module")
def python(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment's Python, with the wheel in it. What it depends on is borrowed from ours by a path file; that
    doesn't run our own path files, so an editable install of the checkout stays out of sight."""
    home = tmp_path_factory.mktemp("venv")
    venv.create(home, symlinks=True, with_pip=False)
    library = Path(sysconfig.get_path("purelib", "venv", {"base": str(home)}))
    with zipfile.ZipFile(wheel(dist)) as archive:
        archive.extractall(library)
    (library / "borrowed.pth").write_text("\n".join(site.getsitepackages()))
    return home / "bin" / "python"


def wheel(dist: Path) -> Path:
    (path,) = dist.glob("*.whl")
    return path


def files(folder: Path) -> set[str]:
    """What lies in *folder*, less what editors and Python leave there."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) for path in paths if not any(part.startswith((".", "__pycache__")) for part in path.parts)}


def test_every_package_is_listed() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = setup["options"]["packages"].split()
    folders = {path.parent for path in (ROOT / "chat_aiohttp").rglob("*.py")}

    assert listed == sorted({"chat_aiohttp.templates"} | {".".join(path.relative_to(ROOT).parts) for path in folders})
    assert [path for path in folders if not (path / "__init__.py").is_file()] == []


def test_the_wheel_holds_everything_and_nothing_else(dist: Path) -> None:
    with zipfile.ZipFile(wheel(dist)) as archive:
        held = {name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")}

    code = {f"chat_aiohttp/{name}" for name in files(ROOT / "chat_aiohttp")}
    templates = {f"chat_aiohttp/templates/{name}" for name in files(ROOT / "templates")}
    assert held == code | templates | {"chat_aiohttp/config.toml"}


def test_the_sdist_holds_what_a_packager_needs(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        held = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}

    assert {"README.md", "LICENSE", "CHANGELOG.md", "config.toml", "Makefile", "setup.cfg", "pyproject.toml"} <= held
    assert {f"{top}/{name}" for top in ("templates", "tests", "deploy") for name in files(ROOT / top)} <= held


def test_the_checkout_is_out_of_sight(python: Path) -> None:
    where = subprocess.run(
        [python, "-I", "-c", "import chat_aiohttp; print(chat_aiohttp.__file__)"],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert where.stdout.startswith(str(python.parent.parent))


def test_the_installed_config_is_the_annotated_one(python: Path) -> None:
    done = subprocess.run(
        [python, "-I", "-m", "chat_aiohttp", "config"], cwd="/", capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout == example()


def test_the_installed_server_serves_from_any_folder(python: Path, tmp_path: Path) -> None:
    with serving([str(python), "-I", "-m", "chat_aiohttp", "--data", str(tmp_path)]) as base:
        with urllib.request.urlopen(f"{base}/chat/", timeout=START_S) as page:
            assert page.status == 200
            assert b'id="room-name-input"' in page.read()
        with urllib.request.urlopen(f"{base}/chat/lobby/", timeout=START_S) as page:
            assert b'id="chat-message-input"' in page.read()


@contextmanager
def serving(command: list[str]) -> Iterator[str]:
    """Run the server from / on a free port; its address once it answers. It ends as systemd would end it."""
    port = free_port()
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("CHAT_", "PYTHON"))}
    with subprocess.Popen([*command, "--port", str(port)], cwd="/", env=environ, stderr=subprocess.PIPE) as process:
        try:
            wait_until_it_answers(process, f"http://127.0.0.1:{port}/healthz")
            yield f"http://127.0.0.1:{port}"
            process.terminate()
            assert process.wait(15) == 0
        finally:
            process.kill()


def wait_until_it_answers(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except OSError:
            assert process.poll() is None, process.communicate()[1].decode()
            assert time.monotonic() < deadline, f"{url} did not answer within {START_S} s"
            time.sleep(0.05)  # between two looks; the deadline above ends it
        else:
            return
