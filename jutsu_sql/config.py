"""Which database to use, and how: from arguments, the environment, ``.env`` and ``config.yaml``.

The first of these that names a database decides, and nothing falls back silently:

1. the ``url`` argument;
2. the environment: ``DATABASE_URL``, or else ``DATABASE_TYPE``;
3. the same variables in ``.env``;
4. ``type`` in ``config.yaml``;
5. SQLite at ``data/market_data.db``.

Where only a type is named, each setting (``SQLITE_DATABASE``, ``POSTGRES_HOST``, ...) comes from
the first of environment, ``.env`` and ``config.yaml`` that has it. Settings of the pool, of
telemetry and of snapshots come from the arguments, the URL's query, the environment or ``.env``
(``pool_size`` is ``JUTSU_POOL_SIZE`` there), or the engine's section in ``config.yaml``.
``replicas`` are URLs with white space between them.

Nothing here writes to the environment, and no message, repr or log shows a password. That is why
errors name a key and a place rather than quote a value, and why libpq's and YAML's own errors,
which quote their input, are never chained.
"""

from __future__ import annotations

import difflib
import io
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote, unquote

from jutsu_sql.errors import ConfigError

__all__ = ["DIALECTS", "Config", "config_from_parts", "load_config", "redact"]

DIALECTS = ("postgresql", "sqlite")
_DEFAULT_DATABASE = "data/market_data.db"
_DEFAULT_PORT = "5432"

_SCHEMES = {
    "sqlite": "sqlite",
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "postgresql+psycopg": "postgresql",
    "postgresql+psycopg2": "postgresql",
}
_TYPES = {"sqlite": "sqlite", "postgresql": "postgresql", "postgres": "postgresql"}
_VARIABLES = {
    "sqlite": {"database": "SQLITE_DATABASE"},
    "postgresql": {
        "host": "POSTGRES_HOST",
        "port": "POSTGRES_PORT",
        "user": "POSTGRES_USER",
        "password": "POSTGRES_PASSWORD",
        "database": "POSTGRES_DATABASE",
    },
}
_URL_FORMS = (
    "a file is sqlite:///relative.db or sqlite:////absolute.db, "
    "a server is postgresql://user:password@host:5432/database"
)


@dataclass(frozen=True, slots=True)
class Config:
    """One database, the settings of its pool, telemetry and snapshots; times are in seconds.

    ``database`` is SQLite's path or ``:memory:``, or the name of the PostgreSQL database, whose
    ``conninfo`` is libpq's connection string with the password. ``source`` tells people where it
    came from. No try of work that failed begins later than ``retry_timeout`` after the first one.
    Reads may go to ``replicas`` that are at most ``replica_max_lag`` old. A pooler in transaction
    mode may not know ``prepared_statements`` (PgBouncer before 1.21). Without ``snapshot_dir``,
    snapshots are in the user's cache directory. With ``reload_queries``, for development, the
    caller's own ``.sql`` files are read again when they have changed. ``slow_query_ms`` of 0 logs
    no query as slow. A ``statement_timeout``, ``lock_timeout`` or
    ``idle_in_transaction_timeout`` of 0 leaves what the server, or for SQLite ``pool_timeout``,
    says.
    """

    dialect: str
    database: str
    conninfo: str = field(repr=False, default="")
    pool_size: int = 10
    max_overflow: int = 20
    pool_timeout: float = 30.0
    pool_recycle: float = 3600.0
    retry_timeout: float = 30.0
    replicas: tuple[Config, ...] = ()
    replica_max_lag: float = 10.0
    prepared_statements: bool = True
    pool_pre_ping: bool = True
    echo: bool = False
    reload_queries: bool = False
    telemetry: bool = True
    otel: bool = False
    slow_query_ms: float = 0.0
    slow_query_params: bool = False
    slow_query_plan: bool = False
    snapshots: bool = True
    snapshot_dir: str = ""
    snapshot_max_mb: int = 1024
    statement_timeout: float = 0.0
    lock_timeout: float = 0.0
    idle_in_transaction_timeout: float = 0.0
    source: str = "default"

    @property
    def server(self) -> tuple[str, int | None]:
        """Host and port of the first server, empty for SQLite."""
        if not self.conninfo:
            return "", None
        from psycopg.conninfo import conninfo_to_dict

        given = conninfo_to_dict(self.conninfo)
        host, port = (str(given.get(key) or "").split(",")[0] for key in ("host", "port"))
        return host, int(port) if port else None

    @property
    def password(self) -> str:
        """The password, for whoever has to look for it; empty without one."""
        if not self.conninfo:
            return ""
        from psycopg.conninfo import conninfo_to_dict

        return str(conninfo_to_dict(self.conninfo).get("password") or "")

    @property
    def display_url(self) -> str:
        """The URL without the password."""
        if not self.conninfo:
            return f"sqlite:///{quote(self.database, safe='/:', errors='surrogateescape')}"
        from psycopg.conninfo import conninfo_to_dict

        params = {key: str(value) for key, value in conninfo_to_dict(self.conninfo).items()}
        user = f"{quote(params['user'], safe='')}@" if "user" in params else ""
        hosts = (params.get("host") or params.get("hostaddr") or "").split(",")
        ports = params.get("port", "").split(",")
        ports = ports * len(hosts) if len(ports) == 1 else ports  # libpq: one port is for all
        servers = ",".join(
            (f"[{host}]" if ":" in host else quote(host, safe="")) + (f":{port}" if port else "")
            for host, port in zip(hosts, ports, strict=False)
        )
        return f"postgresql://{user}{servers}/{quote(self.database, safe='')}"


def load_config(
    url: str | None = None,
    *,
    config_path: str | Path | None = None,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
    pool_size: int | None = None,
    max_overflow: int | None = None,
    pool_timeout: float | None = None,
    pool_recycle: float | None = None,
    retry_timeout: float | None = None,
    replicas: str | Sequence[str] | None = None,
    replica_max_lag: float | None = None,
    prepared_statements: bool | None = None,
    pool_pre_ping: bool | None = None,
    echo: bool | None = None,
    reload_queries: bool | None = None,
    telemetry: bool | None = None,
    otel: bool | None = None,
    slow_query_ms: float | None = None,
    slow_query_params: bool | None = None,
    slow_query_plan: bool | None = None,
    snapshots: bool | None = None,
    snapshot_dir: str | Path | None = None,
    snapshot_max_mb: int | None = None,
    statement_timeout: float | None = None,
    lock_timeout: float | None = None,
    idle_in_transaction_timeout: float | None = None,
) -> Config:
    """The configuration that applies; the module says what is looked at, in which order.

    ``.env``, and ``config.yaml`` or ``config/config.yaml``, are looked for in ``directory`` (the
    current one); a ``config_path`` must exist. ``environ`` stands in for the process environment.

    Raises ConfigError for whatever is missing, unknown, malformed or contradictory.
    """
    directory = Path.cwd() if directory is None else Path(directory).absolute()
    variables = _Variables(os.environ if environ is None else environ, directory / ".env")
    file = _File(config_path, directory, variables)
    arguments = {
        "pool_size": pool_size,
        "max_overflow": max_overflow,
        "pool_timeout": pool_timeout,
        "pool_recycle": pool_recycle,
        "retry_timeout": retry_timeout,
        "replicas": replicas,
        "replica_max_lag": replica_max_lag,
        "prepared_statements": prepared_statements,
        "pool_pre_ping": pool_pre_ping,
        "echo": echo,
        "reload_queries": reload_queries,
        "telemetry": telemetry,
        "otel": otel,
        "slow_query_ms": slow_query_ms,
        "slow_query_params": slow_query_params,
        "slow_query_plan": slow_query_plan,
        "snapshots": snapshots,
        "snapshot_dir": snapshot_dir,
        "snapshot_max_mb": snapshot_max_mb,
        "statement_timeout": statement_timeout,
        "lock_timeout": lock_timeout,
        "idle_in_transaction_timeout": idle_in_transaction_timeout,
    }
    pool = {
        key: _Setting(value, f"the argument {key}")
        for key, value in arguments.items()
        if value is not None
    }
    if url is not None:
        return _from_url(_filled(_Setting(url, "the url argument")), file, pool)
    for layer in (variables.in_environment, variables.in_dotenv):
        named_url, named_type = layer("DATABASE_URL"), layer("DATABASE_TYPE")
        if named_url is not None:
            _check_agreement(_filled(named_url), named_type)
            return _from_url(named_url, file, pool)
        if named_type is not None:
            return _from_names(_dialect_of_type(named_type), named_type.place, file, pool)
    if (file_type := file.find_type()) is not None:
        return _from_names(_dialect_of_type(file_type), file_type.place, file, pool)
    for name in ("POSTGRES_HOST", "POSTGRES_DATABASE"):
        if (half := variables.find(name)) is not None:
            raise ConfigError(
                f"{half.place} is set, but nothing says to use PostgreSQL: set DATABASE_TYPE "
                f"to postgresql (or to sqlite); looked in {', '.join(file.places('type'))}"
            )
    sqlite = file.find("sqlite", "database")
    return _from_names("sqlite", sqlite.place if sqlite else "default", file, pool)


def config_from_parts(dialect: str, settings: Mapping[str, Any], source: str) -> Config:
    """The configuration of one engine from a mapping, as the original's engine factory took it.

    Needs ``database`` for SQLite; ``host``, ``port``, ``user``, ``password`` and ``database`` for
    PostgreSQL. Raises ConfigError for an unknown type, and for missing or unknown settings.
    """
    known = _dialect_of_type(_Setting(dialect, f"the database type of {source}"))
    _check_keys(settings, (*_VARIABLES[known], *_POOL), f"the {known} settings of {source}")

    def find(key: str) -> _Setting | None:
        value = settings.get(key)
        return None if value is None else _Setting(value, f"{key} of {source}")

    def fail(key: str) -> NoReturn:
        raise ConfigError(f"{key} is missing from the {known} settings of {source}")

    database, conninfo = _PARTS[known](find, fail)
    pool = {key: convert(value) for key, convert in _POOL.items() if (value := find(key))}
    return Config(known, database, conninfo, source=source, **pool)


def redact(text: str, *secrets: str) -> str:
    """``text`` with ``***`` for the secrets, and for all that stands where passwords stand.

    That is ``password=...``, ``password: ...`` and ``user:...@``; rather too much than too little.
    """
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        for form in (secret, quote(secret, safe=""), quote(secret)):
            text = text.replace(form, "***")
    for pattern in _PASSWORD_PLACES:
        text = pattern.sub(r"\1***", text)
    return text


_PASSWORD_PLACES = (
    re.compile(
        r"""((?:password|passwd|pwd)["']?\s*[=:]\s*)(?!\*\*\*)"""
        r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s&]+)""",
        re.IGNORECASE,
    ),
    # To the last @ of the word: a password that holds one unescaped must not half survive.
    re.compile(r"(:/+[^\s:/@]*:)\S*(?=@)"),
    re.compile(r"(?<![\w:/])([\w.%+~-]+:)(?!/)\S+(?=@)"),
)


# Where settings come from


@dataclass(frozen=True, slots=True)
class _Setting:
    value: Any = field(repr=False)
    place: str  # for error messages: "POSTGRES_HOST in the environment"


class _Variables:
    """The environment, over a ``.env`` file."""

    def __init__(self, environ: Mapping[str, str], dotenv_path: Path) -> None:
        self._environ = environ
        self._dotenv = _read_dotenv(dotenv_path)
        self.dotenv_path = dotenv_path

    def in_environment(self, name: str) -> _Setting | None:
        value = self._environ.get(name)
        return None if value is None else _Setting(value, f"{name} in the environment")

    def in_dotenv(self, name: str, referrers: tuple[str, ...] = ()) -> _Setting | None:
        if name not in self._dotenv:
            return None
        place = f"{name} in {self.dotenv_path}"
        if name in referrers:
            raise ConfigError(f"{place} refers to itself")
        return _Setting(self.expand(self._dotenv[name], place, (*referrers, name)), place)

    def find(self, name: str, referrers: tuple[str, ...] = ()) -> _Setting | None:
        return self.in_environment(name) or self.in_dotenv(name, referrers)

    def expand(self, text: str, place: str, referrers: tuple[str, ...] = ()) -> str:
        """``text`` with ``${NAME}`` and ``${NAME:-default}`` replaced."""

        def replace(match: re.Match[str]) -> str:
            name, has_default, default = match[1].partition(":-")
            if not name.isidentifier():
                raise ConfigError(f"{place} holds a ${{...}} other than ${{NAME}}, ${{NAME:-text}}")
            found = self.find(name, referrers)
            if has_default and not (found and found.value):  # as in a shell: also when empty
                return default
            if found is None:
                raise ConfigError(
                    f"{place} needs the variable {name}, which is neither in the environment "
                    f"nor in {self.dotenv_path}"
                )
            return str(found.value)

        return re.sub(r"\$\{([^}]*)\}", replace, text)


class _File:
    """``config.yaml``, if there is one, under the variables that overrule it."""

    def __init__(
        self, config_path: str | Path | None, directory: Path, variables: _Variables
    ) -> None:
        candidates = [directory / "config.yaml", directory / "config" / "config.yaml"]
        if config_path is not None:
            candidates = [Path(config_path).absolute()]
            if "://" in str(config_path):
                raise ConfigError("the configuration file is a URL: that goes to the url argument")
            if not _is_there(candidates[0]):
                raise ConfigError(f"there is no configuration file {candidates[0]}")
        self._variables = variables
        self._candidates = candidates
        self._path = next((path for path in candidates if _is_there(path)), None)
        self._prefix = ""
        self._database: dict[str, Any] = {}
        if self._path is not None:
            self._prefix, self._database = _read_database_section(self._path)

    def find_type(self) -> _Setting | None:
        found = self._expanded(self._database.get("type"), "type")
        if found is None and self._database.get("postgresql"):
            raise ConfigError(
                f"{self._path} has a postgresql section, but {self._prefix}type does not say "
                f"which database to use; looked in {', '.join(self.places('type'))}"
            )
        return found

    def find(self, dialect: str, key: str) -> _Setting | None:
        """A setting of one engine: from its variable if it has one, else from the file."""
        name = _VARIABLES[dialect].get(key)
        if name and (found := self._variables.find(name)):
            return found
        section = self._database.get(dialect) or {}
        return self._expanded(section.get(key), f"{dialect}.{key}")

    def find_pool(self, dialect: str, key: str) -> _Setting | None:
        """A setting that is every engine's: from ``JUTSU_<KEY>``, else as any other."""
        return self._variables.find(f"JUTSU_{key.upper()}") or self.find(dialect, key)

    def places(self, key: str) -> list[str]:
        """Where a setting is looked for, in order."""
        dotenv = self._variables.dotenv_path
        missing = "" if _is_there(dotenv) else " (no such file)"
        places = ["the environment", f"{dotenv}{missing}"]
        if self._path is not None:
            return [*places, f"{self._path} ({self._prefix}{key})"]
        return [*places, *(f"{path} (no such file)" for path in self._candidates)]

    def _expanded(self, value: Any, key: str) -> _Setting | None:
        if value is None:
            return None
        place = f"{self._prefix}{key} in {self._path}"
        if isinstance(value, (dict, list)):
            raise ConfigError(f"{place} must be one value")
        return _Setting(self._variables.expand(str(value), place), place)


def _is_there(path: Path) -> bool:
    try:
        return path.exists() and not path.is_dir()  # some keep a virtual environment in .env/
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:  # which carries the whole content
        line = content.count(b"\n", 0, error.start) + 1
    raise ConfigError(f"{path}:{line}: not UTF-8 text")


def _read_dotenv(path: Path) -> dict[str, str]:
    if not _is_there(path):
        return {}
    from dotenv.parser import parse_stream  # dotenv_values skips what it cannot parse

    values = {}
    for binding in parse_stream(io.StringIO(_read_text(path))):
        if binding.error:
            raise ConfigError(f"{path}:{binding.original.line}: not a line of the form NAME=value")
        if binding.key is not None:
            values[binding.key] = binding.value or ""
    return values


def _read_database_section(path: Path) -> tuple[str, dict[str, Any]]:
    """The keys' prefix, for messages, and the section: of the key ``database``, or all of it."""
    document = _read_yaml(path)
    prefix = "database." if isinstance(document, dict) and "database" in document else ""
    section = document["database"] if prefix else document
    if section is None:
        section = {}
    if not isinstance(section, dict):
        raise ConfigError(f"{path}: {prefix.rstrip('.') or 'the document'} must be a mapping")
    if prefix:
        _check_keys(section, ("type", *_VARIABLES), f"the section database of {path}")
    for dialect, variables in _VARIABLES.items():
        settings = section.get(dialect)
        if settings is None:
            continue
        if not isinstance(settings, dict):
            raise ConfigError(f"{path}: {prefix}{dialect} must be a mapping")
        _check_keys(settings, (*variables, *_POOL), f"the section {prefix}{dialect} of {path}")
    return prefix, section


def _read_yaml(path: Path) -> Any:
    import yaml

    class TextLoader(yaml.SafeLoader):
        """Leaves scalars as they are written: the password 00123 is not the octal number 83."""

        yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own attribute
            first: [pair for pair in pairs if pair[0].endswith((":null", ":merge"))]
            for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    text = _read_text(path)
    try:
        return yaml.load(text, TextLoader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, reason = (mark.line + 1 if mark else 1), _unquoted(error.problem or "")
    except yaml.reader.ReaderError as error:
        line, reason = text.count("\n", 0, error.position) + 1, "a character it does not allow"
    except (yaml.YAMLError, ValueError, RecursionError):
        line, reason = 1, ""
    raise ConfigError(f"{path}:{line}: not valid YAML" + (f" ({reason})" if reason else ""))


def _unquoted(message: str) -> str:
    """The start of a foreign message up to where it quotes its input, in whatever language."""
    match = re.match(r"[\w\s-]*", message)
    return match[0].strip() if match else ""


def _check_keys(settings: Mapping[str, Any], known: Iterable[str], place: str) -> None:
    known = sorted(known)
    for key, value in settings.items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.7)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            # {password:secret} and {password: sec,ret} make keys of secrets, without a value.
            shown = f"key {key!r}" if str(key).isidentifier() and value is not None else "key"
            raise ConfigError(f"unknown {shown} in {place}; {hint}")


def _filled(setting: _Setting) -> _Setting:
    if not str(setting.value).strip():
        raise ConfigError(f"{setting.place} is empty")
    return setting


# From settings to a configuration


def _from_url(url: _Setting, file: _File, pool: Mapping[str, _Setting]) -> Config:
    dialect, rest = _split_scheme(url)
    location, _, query = rest.partition("?")
    arguments = []
    in_query = {}
    for argument in filter(None, query.split("&")):
        name, _, value = argument.partition("=")
        if name in _POOL:
            in_query[name] = _Setting(unquote(value), f"{name} in the query of {url.place}")
        else:
            arguments.append(argument)
    database, conninfo = _LOCATIONS[dialect](location, arguments, url.place)
    settings = _pool_settings(dialect, file, {**in_query, **pool})
    return Config(dialect, database, conninfo, source=url.place, **settings)


def _from_names(dialect: str, source: str, file: _File, pool: Mapping[str, _Setting]) -> Config:
    defaults = {
        "sqlite": {"database": _Setting(_DEFAULT_DATABASE, "default")},
        "postgresql": {"port": _Setting(_DEFAULT_PORT, "default")},
    }[dialect]

    def find(key: str) -> _Setting | None:
        return file.find(dialect, key) or defaults.get(key)

    def fail(key: str) -> NoReturn:
        raise ConfigError(
            f"{_VARIABLES[dialect][key]} is not set; "
            f"looked in {', '.join(file.places(f'{dialect}.{key}'))}"
        )

    database, conninfo = _PARTS[dialect](find, fail)
    settings = _pool_settings(dialect, file, pool)
    return Config(dialect, database, conninfo, source=source, **settings)


def _split_scheme(url: _Setting) -> tuple[str, str]:
    scheme, separator, rest = str(url.value).strip().partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][\w+.-]*", scheme):
        raise ConfigError(f"{url.place} is not a database URL: {_URL_FORMS}")
    if (dialect := _SCHEMES.get(scheme.lower())) is None:
        known = ", ".join(f"{name}://" for name in _SCHEMES)
        raise ConfigError(f"{url.place} has the unknown scheme {scheme!r}; known are {known}")
    return dialect, rest


def _dialect_of_type(setting: _Setting) -> str:
    name = str(_filled(setting).value).strip()
    if (dialect := _TYPES.get(name.lower())) is None:
        raise ConfigError(f"{setting.place} is {name!r}; known types are sqlite and postgresql")
    return dialect


def _check_agreement(url: _Setting, named_type: _Setting | None) -> None:
    if named_type is not None:
        of_url, of_type = _split_scheme(url)[0], _dialect_of_type(named_type)
        if of_url != of_type:
            raise ConfigError(f"{url.place} is for {of_url}, but {named_type.place} is {of_type}")


def _sqlite_location(location: str, arguments: list[str], place: str) -> tuple[str, str]:
    if arguments:
        name = arguments[0].partition("=")[0]
        raise ConfigError(f"{place} has the query argument {name!r}, which SQLite does not take")
    if location in ("", "/:memory:"):
        return ":memory:", ""
    if not location.startswith("/") or location == "/":
        raise ConfigError(f"{place} has no path after sqlite:///: {_URL_FORMS}")
    if re.search(r"%(?![0-9A-Fa-f]{2})|%00", location):
        raise ConfigError(f"{place} has a '%' that does not encode a character: write it as %25")
    return unquote(location[1:], errors="surrogateescape"), ""  # as in os.fsdecode


def _postgresql_location(location: str, arguments: list[str], place: str) -> tuple[str, str]:
    # A password with one of these as it is would be cut there, and the rest of it taken for a
    # host or database, which we show.
    server, _, name = location.partition("/")
    if server.count("@") > 1 or "@" in name or "/" in name:
        raise ConfigError(
            f"{place} is ambiguous: within a user, password or database, "
            "write '@' as %40, '/' as %2F, ':' as %3A and '?' as %3F"
        )
    query = f"?{'&'.join(arguments)}" if arguments else ""
    params = _parse_conninfo(f"postgresql://{location}{query}", place)
    if not params.get("dbname") and "service" not in params:
        raise ConfigError(f"{place} names no database: {_URL_FORMS}")
    return _postgresql(params, {key: f"the {key} in {place}" for key in params}, place)


_Find = Callable[[str], _Setting | None]
_Fail = Callable[[str], NoReturn]


def _sqlite_parts(find: _Find, fail: _Fail) -> tuple[str, str]:
    setting = _filled(find("database") or fail("database"))
    path = str(setting.value)
    if "://" in path:
        raise ConfigError(f"{setting.place} holds a URL, not a path: that goes to DATABASE_URL")
    return path, ""


def _postgresql_parts(find: _Find, fail: _Fail) -> tuple[str, str]:
    settings = {key: find(key) or fail(key) for key in _VARIABLES["postgresql"]}
    for key, setting in settings.items():
        if key != "password":  # empty when .pgpass, or the server, does without
            _filled(setting)
    settings["dbname"] = settings.pop("database")
    params = {key: str(setting.value) for key, setting in settings.items()}
    if not params["password"]:
        del params["password"]  # libpq would not look into .pgpass either
    places = {key: setting.place for key, setting in settings.items()}
    return _postgresql(params, places, "the PostgreSQL settings")


def _postgresql(params: dict[str, str], places: Mapping[str, str], whole: str) -> tuple[str, str]:
    for key in ("host", "user", "dbname"):
        if "://" in params.get(key, ""):
            raise ConfigError(f"{places[key]} holds a URL: that goes to DATABASE_URL")
    if any("@" in host[1:] for host in params.get("host", "").split(",")):
        raise ConfigError(f"{places['host']} holds an '@'")  # only abstract sockets start with it
    for port in filter(None, params.get("port", "").split(",")):
        if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
            raise ConfigError(f"{places['port']} is not a whole number from 1 to 65535")
    return params.get("dbname", ""), _make_conninfo(params, whole)


def _parse_conninfo(conninfo: str, place: str) -> dict[str, str]:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        return {key: str(value) for key, value in conninfo_to_dict(conninfo).items()}
    except (psycopg.Error, UnicodeError, ValueError) as error:
        reason = _unquoted(str(error))
    raise ConfigError(f"{place} is refused by libpq: {reason}")


def _make_conninfo(params: Mapping[str, str], place: str) -> str:
    import psycopg
    from psycopg.conninfo import make_conninfo

    try:
        return make_conninfo("", **params)
    except (psycopg.Error, UnicodeError, ValueError) as error:
        reason = _unquoted(str(error))
    raise ConfigError(f"libpq refuses {place}: {reason}")


def _pool_settings(dialect: str, file: _File, given: Mapping[str, _Setting]) -> dict[str, Any]:
    settings = {}
    for key, convert in _POOL.items():
        if setting := given.get(key) or file.find_pool(dialect, key):
            settings[key] = convert(setting)
            if key == "replicas" and dialect != "postgresql":
                raise ConfigError(f"{setting.place} is set, and {dialect} has no replicas")
    return settings


def _whole_number(least: int) -> Callable[[_Setting], int]:
    def convert(setting: _Setting) -> int:
        text = "" if isinstance(setting.value, bool) else str(setting.value).strip()
        if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < least:
            raise _bad(setting, f"a whole number of {least} or more")
        return int(text)

    return convert


def _number_of(unit: str) -> Callable[[_Setting], float]:
    def convert(setting: _Setting) -> float:
        try:
            value = math.nan if isinstance(setting.value, bool) else float(setting.value)
        except (TypeError, ValueError):
            value = math.nan
        if not 0 <= value < math.inf:
            raise _bad(setting, f"a number of {unit}, 0 or more")
        return value

    return convert


def _replicas(setting: _Setting) -> tuple[Config, ...]:
    value = setting.value
    if not isinstance(value, (str, list, tuple)):
        raise ConfigError(f"{setting.place} is not a list of URLs")
    urls = value.split() if isinstance(value, str) else value
    replicas = []
    for number, url in enumerate(urls, 1):
        one = _Setting(url, f"replica {number} of {setting.place}")
        dialect, rest = _split_scheme(one)
        if dialect != "postgresql":
            raise ConfigError(f"{one.place} is for {dialect}: only PostgreSQL has replicas")
        location, _, query = rest.partition("?")
        database, conninfo = _postgresql_location(location, query.split("&"), one.place)
        replicas.append(Config(dialect, database, conninfo, source=one.place))
    return tuple(replicas)


def _flag(setting: _Setting) -> bool:
    text = str(setting.value).strip().lower()
    if text in ("true", "yes", "on", "1"):
        return True
    if text in ("false", "no", "off", "0"):
        return False
    raise _bad(setting, "true or false")


def _bad(setting: _Setting, expected: str) -> ConfigError:
    return ConfigError(f"{setting.place} is {setting.value!r}, not {expected}")


_POOL: dict[str, Callable[[_Setting], Any]] = {
    "pool_size": _whole_number(1),
    "max_overflow": _whole_number(0),
    "pool_timeout": _number_of("seconds"),
    "pool_recycle": _number_of("seconds"),
    "retry_timeout": _number_of("seconds"),
    "replicas": _replicas,
    "replica_max_lag": _number_of("seconds"),
    "prepared_statements": _flag,
    "pool_pre_ping": _flag,
    "echo": _flag,
    "reload_queries": _flag,
    "telemetry": _flag,
    "otel": _flag,
    "slow_query_ms": _number_of("milliseconds"),
    "slow_query_params": _flag,
    "slow_query_plan": _flag,
    "snapshots": _flag,
    "snapshot_dir": lambda setting: str(_filled(setting).value),
    "snapshot_max_mb": _whole_number(1),
    "statement_timeout": _number_of("seconds"),
    "lock_timeout": _number_of("seconds"),
    "idle_in_transaction_timeout": _number_of("seconds"),
}
_LOCATIONS = {"sqlite": _sqlite_location, "postgresql": _postgresql_location}
_PARTS = {"sqlite": _sqlite_parts, "postgresql": _postgresql_parts}
