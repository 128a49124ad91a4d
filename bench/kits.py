"""Getting the peers' software: from PyPI, npm or Debian into the benchmark's own cache, nothing into the system.

A Kit that can't be had here says why, and its peer is left out of the run, loudly.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bench.build import cache

INSTALL_S = 900


@dataclass(frozen=True)
class Kit:
    """Software of one peer, in a folder of its own."""

    name: str
    packages: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return cache() / "peers" / self.name

    def missing(self) -> str | None:
        """None when it is here; else what is not, in words."""
        if self._stamp.exists() and self._stamp.read_text() == self._content:
            return None
        return "not installed: python -m bench install"

    def install(self) -> None:
        """Have it here. Raises OSError or CalledProcessError with what the installer said."""
        if self.missing() is None:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self._install()
        self._stamp.write_text(self._content)

    @property
    def _stamp(self) -> Path:
        return self.folder / ".installed"

    @property
    def _content(self) -> str:
        return "\n".join(self.packages)

    def _install(self) -> None:
        raise NotImplementedError

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command, cwd=self.folder, timeout=INSTALL_S, text=True, capture_output=True, check=False,
            env=os.environ | self.environment,
        )  # fmt: skip
        if done.returncode:
            raise OSError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-600:]}")
        return done.stdout


class PipKit(Kit):
    """A virtual environment."""

    @property
    def python(self) -> str:
        return str(self.folder / "bin/python")

    def _install(self) -> None:
        self._run(sys.executable, "-m", "venv", ".")
        self._run(self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *self.packages)

    def versions(self, *names: str) -> str:
        """The installed versions of *names*."""
        code = "import importlib.metadata as m, sys; print(', '.join(n + ' ' + m.version(n) for n in sys.argv[1:]))"
        return self._run(self.python, "-c", code, *names).strip()


class NpmKit(Kit):
    """A folder with node_modules, for NODE_PATH."""

    def _install(self) -> None:
        if shutil.which("node") is None or shutil.which("npm") is None:
            raise OSError("there is no node or npm here")
        self._run("npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", ".", *self.packages)

    @property
    def modules(self) -> str:
        return str(self.folder / "node_modules")

    def versions(self, name: str) -> str:
        """Of *name* and node."""
        return self._run(
            "node", "-p", f"'{name} ' + require('{name}/package.json').version + ', node ' + process.version"
        ).strip()


class DebKit(Kit):
    """Debian packages, unpacked without being installed; a program on PATH is not taken, so that versions are known."""

    def _install(self) -> None:
        if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
            raise OSError("this is no Debian")
        self._run("apt-get", "download", *self.packages)
        for package in sorted(self.folder.glob("*.deb")):
            self._run("dpkg", "-x", str(package), ".")

    def versions(self) -> str:
        """Of the packages, as their files are named."""
        names = (path.stem.rpartition("_")[0].replace("_", " ") for path in sorted(self.folder.glob("*.deb")))
        return ", ".join(name.replace("%3a", ":") for name in names)


class GoKit(Kit):
    """A Go program, built from its module at one version: the one package is `module version`."""

    def _install(self) -> None:
        if shutil.which("go") is None:
            raise OSError("there is no Go here")
        (module,) = self.packages
        # Not `go install module@version`: that asks for the list of all versions, which not every proxy gives.
        (self.folder / "go.mod").write_text(f"module bench\ngo 1.23\nrequire {module}\n")
        self._run("go", "build", "-mod=mod", "-o", "program", module.split()[0])

    @property
    def program(self) -> str:
        return str(self.folder / "program")
