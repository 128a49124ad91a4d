"""The C programs of the benchmark, compiled on the spot into the cache."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent


class CannotBuild(Exception):
    """There is no C compiler, or it refuses. The words say which and what to do."""


def cache() -> Path:
    """Where compiled programs, peers and their packages are kept between runs; deleting it is always safe."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / "chat-aiohttp-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def compiled(name: str, folder: Path | None = None) -> Path:
    """The program made of *name*.c, compiled anew when any C source here is newer."""
    source, program = HERE / f"{name}.c", (folder or cache()) / name
    newest = max(file.stat().st_mtime for file in HERE.glob("*.[ch]"))
    if program.exists() and program.stat().st_mtime > newest:
        return program
    compiler = compiler_path()
    command = [compiler, "-O2", "-Wall", "-Wextra", "-o", str(program), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise CannotBuild(f"{' '.join(command)} failed:\n{done.stderr}")
    return program


def compiler_path() -> str:
    """The C compiler."""
    found = shutil.which(os.environ.get("CC", "cc"))
    if found is None:
        raise CannotBuild("The benchmark's load generator is C and there is no cc here: apt install gcc libc6-dev.")
    return found
