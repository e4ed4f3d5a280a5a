"""Configuration: which source decides, what is refused, and that no password ever shows."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from jutsu_sql.config import Config, config_from_parts, load_config, redact
from jutsu_sql.errors import ConfigError

ROOT = Path(__file__).parent.parent
SECRET = "s3cr3t"
POSTGRES = {
    "POSTGRES_HOST": "db.example",
    "POSTGRES_PORT": "6000",
    "POSTGRES_USER": "ann",
    "POSTGRES_PASSWORD": SECRET,
    "POSTGRES_DATABASE": "bars",
}
ORIGINAL = """
application: {name: "Jutsu"}
database:
  type: "postgresql"
  sqlite: {database: "data/original.db", echo: false}
  postgresql:
    host: "${POSTGRES_HOST}"
    port: "${POSTGRES_PORT}"
    user: "${POSTGRES_USER}"
    password: "${POSTGRES_PASSWORD}"
    database: "${POSTGRES_DATABASE}"
    pool_size: 7
    max_overflow: 3
    pool_timeout: 5
    pool_recycle: 600
    echo: true
logging: {level: "${UNSET}"}
"""

Load = Callable[..., Config]


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not named after the test's parameters, which hold the secret."""
    return tmp_path_factory.mktemp("config")


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """``load_config`` in an empty directory, with the environment, .env and config.yaml given."""

    def call(
        url: str | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        dotenv: str | bytes | None = None,
        yaml: str | bytes | None = None,
        **arguments: Any,
    ) -> Config:
        for name, content in (".env", dotenv), ("config.yaml", yaml):
            if content is not None:
                data = content.encode() if isinstance(content, str) else content
                (tmp_path / name).write_bytes(data)
        return load_config(url, environ=environ or {}, directory=tmp_path, **arguments)

    return call


def params(config: Config) -> dict[str, Any]:
    return dict(conninfo_to_dict(config.conninfo))


def refuse(load: Load, *arguments: Any, **keywords: Any) -> str:
    """The message of the ConfigError; neither it nor its traceback may hold the secret."""
    with pytest.raises(ConfigError) as caught:
        load(*arguments, **keywords)
    assert SECRET not in repr(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    cause: BaseException | None = caught.value
    while cause is not None:
        assert SECRET not in repr(cause)
        cause = cause.__cause__ or cause.__context__
    return str(caught.value)


# URLs


@pytest.mark.parametrize(
    ("url", "database", "display"),
    [
        ("sqlite:///market.db", "market.db", "sqlite:///market.db"),
        ("sqlite:////var/lib/market.db", "/var/lib/market.db", "sqlite:////var/lib/market.db"),
        ("sqlite://", ":memory:", "sqlite:///:memory:"),
        ("sqlite:///:memory:", ":memory:", "sqlite:///:memory:"),
        ("SQLite:///a%20b%25c%3F.db", "a b%c?.db", "sqlite:///a%20b%25c%3F.db"),
        ("sqlite:///a#b.db", "a#b.db", "sqlite:///a%23b.db"),
        (" sqlite:///market.db\n", "market.db", "sqlite:///market.db"),
    ],
)
def test_sqlite_urls(load: Load, url: str, database: str, display: str) -> None:
    config = load(url)
    assert (config.dialect, config.database, config.conninfo) == ("sqlite", database, "")
    assert config.display_url == display


@given(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1).filter(
        lambda path: path.strip() != ""
    )
)
def test_a_sqlite_display_url_leads_back(path: str) -> None:
    config = config_from_parts("sqlite", {"database": path.replace("://", "") or "x"}, "test")
    again = load_config(config.display_url, environ={}, directory=Path("/nonexistent"))
    assert again.database == config.database


@pytest.mark.parametrize(
    "scheme", ["postgresql", "postgres", "postgresql+psycopg", "POSTGRESQL+psycopg2"]
)
def test_postgresql_urls(load: Load, scheme: str) -> None:
    config = load(f"{scheme}://a%40b:s3cr3t%2F%25@db.example:6000/ba%20rs")
    assert (config.dialect, config.database) == ("postgresql", "ba rs")
    assert params(config) == {
        "host": "db.example",
        "port": "6000",
        "user": "a@b",
        "password": "s3cr3t/%",
        "dbname": "ba rs",
    }
    assert config.display_url == "postgresql://a%40b@db.example:6000/ba%20rs"
    assert SECRET not in repr(config) + str(config) + config.display_url


def test_libpq_arguments_and_many_hosts_are_kept(load: Load) -> None:
    config = load(
        f"postgresql://u:{SECRET}@/db?host=a,b&port=1,2&options=-c%20geqo%3Doff"
        "&target_session_attrs=read-write&sslmode=require"
    )
    assert params(config) == {
        "host": "a,b",
        "port": "1,2",
        "user": "u",
        "password": SECRET,
        "dbname": "db",
        "options": "-c geqo=off",
        "target_session_attrs": "read-write",
        "sslmode": "require",
    }
    assert config.display_url == "postgresql://u@a:1,b:2/db"
    assert params(load(f"postgresql://u:{SECRET}@a:1,b:2/db"))["host"] == "a,b"
    assert load("postgresql://u@a,b:2/db").display_url == "postgresql://u@a,b:2/db"
    assert load("postgresql://u@[::1]:2/db").display_url == "postgresql://u@[::1]:2/db"
    socket = load("postgresql:///db?host=/run/postgresql")
    assert socket.display_url == "postgresql://%2Frun%2Fpostgresql/db"


def test_pool_settings_in_the_url_are_ours(load: Load) -> None:
    config = load("postgresql://u@h/db?pool_size=3&connect_timeout=9&echo=true&pool_timeout=1.5")
    assert (config.pool_size, config.echo, config.pool_timeout) == (3, True, 1.5)
    assert params(config)["connect_timeout"] == "9"
    assert "pool_size" not in config.conninfo
    assert load("sqlite:///x.db?pool_size=2").pool_size == 2
    assert load("sqlite:///x.db?pool_size=2", pool_size=4).pool_size == 4
    assert "pool_size" in refuse(load, "postgresql://u@h/db?pool_size=many")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (f"postgresql://u:{SECRET}@h:notaport/db", "port"),
        (f"postgresql://u:{SECRET}@h:0/db", "port"),
        (f"postgresql://u:{SECRET}@h:65536/db", "port"),
        (f"postgresql://u:{SECRET}@@h/%zz", "%40"),
        (f"postgresql://u:x@{SECRET}@h/db", "%40"),
        (f"postgresql://u:x/{SECRET}@h/db", "%2F"),
        (f"postgresql://u:1/{SECRET}@h/db", "%2F"),
        (f"postgresql://u:{SECRET}@h/%zz", "percent"),
        (f"postgresql://u:%zz{SECRET}@h/db", "percent"),
        (f"postgresql://u:{SECRET}@[::1/db", "libpq"),
        (f"postgresql://u:{SECRET} x@h/db", "libpq"),
        (f"postgresql://u@h/db?{SECRET}", "libpq"),
        (f"postgresql://u@h/db?{SECRET}=1", "libpq"),
        (f"postgresql://u@h/db?password={SECRET}&sslmod=require", "libpq"),
        (f"postgresql://u:{SECRET}@h", "no database"),
        (f"postgresql://u:{SECRET}@h%40x/db", "'@'"),
        (f"postgresql://u:{SECRET}\udcff@h/db", "url argument"),
        (f"postgresql://u:{SECRET}%00@h/db", "url argument"),
        (f"u:{SECRET}@h/db", "postgresql://user"),
        (f"host=h password={SECRET}", "postgresql://user"),
        (f"mysql://u:{SECRET}@h/db", "sqlite://, postgresql://"),
        ("market.db", "sqlite:///relative.db"),
        ("sqlite:market.db", "sqlite:///relative.db"),
        ("sqlite://market.db", "sqlite:///relative.db"),
        ("sqlite:///", "sqlite:///relative.db"),
        ("sqlite:///100%.db", "%25"),
        ("sqlite:///a%00.db", "%25"),
        ("sqlite:///x.db?mode=ro", "'mode'"),
        (" ", "empty"),
    ],
)
def test_malformed_urls(load: Load, url: str, says: str) -> None:
    assert says in refuse(load, url)
    message = refuse(load, environ={"DATABASE_URL": url})
    assert "DATABASE_URL in the environment" in message


# Which source decides


def test_the_default(load: Load) -> None:
    assert load() == Config("sqlite", "data/market_data.db")
    assert load().source == "default"


def test_the_process_environment_and_directory_are_the_defaults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_TYPE", "SQLITE_DATABASE", *POSTGRES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", "sqlite:///a.db")
    assert load_config().database == "a.db"
    monkeypatch.delenv("DATABASE_URL")
    (tmp_path / ".env").write_text("SQLITE_DATABASE=b.db\nUNRELATED=1")
    assert load_config().database == "b.db"
    assert not {"SQLITE_DATABASE", "UNRELATED"} & set(os.environ)


def test_each_source_beats_those_below_it(load: Load, tmp_path: Path) -> None:
    """Peeled off from the top, one at a time."""
    url, environ = "sqlite:///argument.db", {"DATABASE_URL": "sqlite:///environ.db"}
    load(dotenv="DATABASE_URL=sqlite:///dotenv.db", yaml=ORIGINAL)
    found = [load(url, environ=environ), load(environ=environ)]
    found += [load(environ={"DATABASE_TYPE": "sqlite", "SQLITE_DATABASE": "typed.db"}), load()]
    (tmp_path / ".env").write_text("DATABASE_TYPE=sqlite")
    found.append(load())
    (tmp_path / ".env").unlink()
    assert [(config.database, config.source) for config in found] == [
        ("argument.db", "the url argument"),
        ("environ.db", "DATABASE_URL in the environment"),
        ("typed.db", "DATABASE_TYPE in the environment"),
        ("dotenv.db", f"DATABASE_URL in {tmp_path / '.env'}"),
        ("data/original.db", f"DATABASE_TYPE in {tmp_path / '.env'}"),
    ]
    config = load(environ=POSTGRES)
    assert (config.database, config.source) == (
        "bars",
        f"database.type in {tmp_path / 'config.yaml'}",
    )


def test_the_original_file(load: Load) -> None:
    config = load(environ=POSTGRES, yaml=ORIGINAL)
    assert params(config) == {
        "host": "db.example",
        "port": "6000",
        "user": "ann",
        "password": SECRET,
        "dbname": "bars",
    }
    assert (config.pool_size, config.max_overflow, config.echo) == (7, 3, True)
    assert (config.pool_timeout, config.pool_recycle) == (5.0, 600.0)
    assert config.display_url == "postgresql://ann@db.example:6000/bars"
    assert SECRET not in repr(config)


def test_settings_are_layered_key_by_key(load: Load) -> None:
    config = load(
        environ={"DATABASE_TYPE": "PostgreSQL", "POSTGRES_HOST": "environ"},
        dotenv=f"POSTGRES_HOST=dotenv\nPOSTGRES_USER=dotenv\nPOSTGRES_PASSWORD='{SECRET}'",
        yaml="postgresql: {host: file, user: file, database: file, pool_size: 2}",
    )
    assert params(config) == {
        "host": "environ",
        "port": "5432",
        "user": "dotenv",
        "password": SECRET,
        "dbname": "file",
    }
    assert config.pool_size == 2


def test_the_pool_is_the_files_whatever_names_the_database(load: Load) -> None:
    config = load("postgresql://u@h/db", yaml=ORIGINAL, pool_size=1, echo=False)
    assert (config.pool_size, config.max_overflow, config.echo) == (1, 3, False)


URLS = [f"postgresql://u:{SECRET}@one,two/db?port=1,2", "postgresql://three/other"]


@pytest.mark.parametrize("where", ["argument", "text", "environment", "file"])
def test_replicas(load: Load, where: str) -> None:
    text = " ".join(URLS)
    given: dict[str, Any] = {
        "argument": {"replicas": URLS},
        "text": {"replicas": text},
        "environment": {"environ": {"JUTSU_REPLICAS": text}},
        "file": {"yaml": f"postgresql: {{replicas: '{text}'}}"},
    }[where]
    config = load("postgresql://u@h/db", **given)
    assert [replica.display_url for replica in config.replicas] == [
        "postgresql://u@one:1,two:2/db",
        "postgresql://three/other",
    ]
    assert SECRET not in repr(config)


def test_bad_replicas(load: Load) -> None:
    message = refuse(load, "postgresql://h/db", replicas=[URLS[0], f"mysql://u:{SECRET}@h/db"])
    assert "replica 2 of the argument replicas has the unknown scheme 'mysql'" in message
    assert "only PostgreSQL has replicas" in refuse(load, "postgresql://h/db", replicas="sqlite://")
    assert "sqlite has no replicas" in refuse(load, "sqlite://", replicas=URLS)
    assert "not a list of URLs" in refuse(load, "postgresql://h/db", replicas=5)


def test_an_unused_unset_variable_does_no_harm(load: Load) -> None:
    assert load(environ={"DATABASE_TYPE": "sqlite"}, yaml=ORIGINAL).database == "data/original.db"


def test_where_the_file_may_be(load: Load, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    nested, given_path = tmp_path / "config" / "config.yaml", tmp_path / "other.yaml"
    nested.write_text("database: {type: sqlite, sqlite: {database: nested.db}}")
    assert load().database == "nested.db"
    assert load(yaml="type: sqlite\nsqlite: {database: top.db}").database == "top.db"
    given_path.write_text("sqlite: {database: given.db}")
    assert load(config_path=given_path).database == "given.db"
    assert str(tmp_path / "no.yaml") in refuse(load, config_path=str(tmp_path / "no.yaml"))
    given_path.write_text("# nothing\n")
    assert load(config_path=given_path) == Config("sqlite", "data/market_data.db")


def test_values_in_the_file_are_taken_as_written(load: Load) -> None:
    """As YAML 1.1 numbers and flags these would be 83, True and 1200.5."""
    settings = "host: on, port: 1, user: 1_200.5, password: 00123, database: 1e3"
    yaml = f"type: postgresql\npostgresql: {{{settings}}}"
    assert params(load(yaml=yaml)) == {
        "host": "on",
        "port": "1",
        "user": "1_200.5",
        "password": "00123",
        "dbname": "1e3",
    }


def test_an_empty_password_is_left_to_pgpass(load: Load) -> None:
    environ = {"DATABASE_TYPE": "postgresql", **POSTGRES, "POSTGRES_PASSWORD": ""}
    assert "password" not in params(load(environ=environ))


@pytest.mark.parametrize("password", ["it's", "a b", "\\", "a@b:c/d?e", "${", "p%40"])
def test_strange_passwords_arrive(load: Load, password: str) -> None:
    environ = {"DATABASE_TYPE": "postgresql", **POSTGRES, "POSTGRES_PASSWORD": password}
    assert params(load(environ=environ))["password"] == password


def test_substitution(load: Load) -> None:
    yaml = 'sqlite: {database: "${A}-${B:-b}-${C:-c}-${D:-}-$E"}'
    assert load(environ={"A": "1", "C": ""}, dotenv="B=${A}2\nA=no", yaml=yaml).database == (
        "1-12-c--$E"
    )


# What is refused


@pytest.mark.parametrize("name", ["POSTGRES_HOST", "POSTGRES_DATABASE"])
def test_a_half_configured_server_is_no_sqlite(load: Load, name: str) -> None:
    for keywords in ({"environ": {name: "x"}}, {"dotenv": f"{name}=x"}):
        message = refuse(load, **keywords)
        assert name in message
        assert "DATABASE_TYPE" in message
    assert load(environ={name: "x"}, yaml="type: sqlite").dialect == "sqlite"


def test_a_server_in_the_file_needs_its_type(load: Load) -> None:
    assert "type" in refuse(load, yaml=ORIGINAL.replace("type:", "# type:"))


@pytest.mark.parametrize("name", sorted(set(POSTGRES) - {"POSTGRES_PORT"}))
def test_a_missing_setting_names_every_place(load: Load, name: str, tmp_path: Path) -> None:
    environ = {"DATABASE_TYPE": "postgresql", **POSTGRES}
    del environ[name]
    message = refuse(load, environ=environ)
    places = ("the environment", tmp_path / ".env", tmp_path / "config.yaml")
    for place in (name, *places, tmp_path / "config" / "config.yaml"):
        assert str(place) in message
    message = refuse(load, environ=environ, yaml="database: {type: postgresql}")
    key = name.removeprefix("POSTGRES_").lower()
    assert f"{tmp_path / 'config.yaml'} (database.postgresql.{key})" in message


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"DATABASE_TYPE": "mysql"}, "'mysql'"),
        ({"DATABASE_TYPE": ""}, "DATABASE_TYPE in the environment is empty"),
        ({"DATABASE_URL": ""}, "DATABASE_URL in the environment is empty"),
        ({"DATABASE_TYPE": "sqlite", "SQLITE_DATABASE": ""}, "SQLITE_DATABASE in the environ"),
        ({"SQLITE_DATABASE": "sqlite:///x.db"}, "DATABASE_URL"),
        ({"DATABASE_TYPE": "postgresql", **POSTGRES, "POSTGRES_PORT": "x"}, "POSTGRES_PORT in"),
        ({"DATABASE_TYPE": "postgresql", **POSTGRES, "POSTGRES_USER": ""}, "POSTGRES_USER in"),
        (
            {"DATABASE_TYPE": "postgresql", **POSTGRES, "POSTGRES_HOST": f"u:{SECRET}@h"},
            "POSTGRES_HOST in the environment",
        ),
        (
            {
                "DATABASE_TYPE": "postgresql",
                **POSTGRES,
                "POSTGRES_DATABASE": f"postgresql://u:{SECRET}@h/db",
            },
            "POSTGRES_DATABASE in the environment holds a URL",
        ),
        (
            {"DATABASE_TYPE": "postgresql", **POSTGRES, "POSTGRES_PASSWORD": f"{SECRET}\udcff"},
            "libpq refuses",
        ),
    ],
)
def test_bad_variables(load: Load, environ: dict[str, str], says: str) -> None:
    assert says in refuse(load, environ=environ)


def test_a_contradiction_within_one_source(load: Load) -> None:
    both = {"DATABASE_URL": "sqlite:///x.db", "DATABASE_TYPE": "postgresql"}
    message = refuse(load, environ=both)
    assert "DATABASE_URL" in message
    assert "DATABASE_TYPE" in message
    refuse(load, dotenv="\n".join(f"{name}={value}" for name, value in both.items()))
    assert load(environ={**both, "DATABASE_TYPE": "sqlite"}).database == "x.db"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pool_size", "0"),
        ("pool_size", "-1"),
        ("pool_size", "1.5"),
        ("max_overflow", "many"),
        ("pool_timeout", "-1"),
        ("pool_timeout", "nan"),
        ("pool_recycle", "inf"),
        ("pool_recycle", "soon"),
        ("retry_timeout", "-1"),
        ("replica_max_lag", "inf"),
        ("prepared_statements", "maybe"),
        ("echo", "debug"),
        ("reload_queries", "often"),
        ("snapshots", "sometimes"),
        ("snapshot_max_mb", "0"),
    ],
)
def test_bad_pool_settings(load: Load, key: str, value: str, tmp_path: Path) -> None:
    message = refuse(load, "sqlite://", **{key: value})
    assert f"the argument {key} is {value!r}" in message
    message = refuse(load, yaml=f"database: {{type: sqlite, sqlite: {{{key}: {value}}}}}")
    assert f"database.sqlite.{key} in {tmp_path / 'config.yaml'} is {value!r}" in message


def test_an_unknown_argument_is_a_type_error(load: Load) -> None:
    with pytest.raises(TypeError, match="pool_sizes"):
        load(pool_sizes=3)
    assert "pool_size" in refuse(load, pool_size=True)


@pytest.mark.parametrize(
    ("yaml", "says"),
    [
        ("database: {typ: sqlite}", "did you mean 'type'"),
        ("sqlite: {pool_sise: 3}", "unknown key 'pool_sise' in the section sqlite"),
        (f"database: {{postgresql: {{pasword: {SECRET}}}}}", "did you mean 'password'"),
        (f"postgresql: {{password:{SECRET}}}", "unknown key"),
        (f"postgresql: {{password: x,{SECRET}}}", "unknown key"),
        (f"- {SECRET}", "mapping"),
        (f"database: {SECRET}", "database must be a mapping"),
        (f"sqlite: {SECRET}", "sqlite must be a mapping"),
        ("type: [sqlite]", "one value"),
        (f"a: 1\npassword: '{SECRET}", ":2"),
        (f"a: 1\npassword: *{SECRET}", ":2"),
        (f"a: 1\npassword: !{SECRET} x", ":2"),
        (f"a: 1\npassword: {SECRET}: x", ":2"),
        (f"a: 1\n\npassword: {SECRET}\x01", ":3"),
        (f"a: 1\npassword: !!int {SECRET}", "not valid YAML"),
        (f"password: {SECRET}\nb: \xff".encode("latin-1"), ":2"),
        ("type: ${KIND}", "KIND"),
        ("type: '${KIND?}'", "${NAME}"),
        ("type: ''", "empty"),
    ],
)
def test_bad_files(load: Load, yaml: str | bytes, says: str, tmp_path: Path) -> None:
    message = refuse(load, yaml=yaml)
    assert says in message
    assert str(tmp_path / "config.yaml") in message


@pytest.mark.parametrize(
    ("dotenv", "says"),
    [
        (f"A=1\nPASSWORD {SECRET}='\n", ":2"),
        (f"A=1\nPASSWORD='{SECRET}", ":2"),
        (f"PASSWORD={SECRET}\nB=\xff".encode("latin-1"), ":2"),
        ("DATABASE_URL", "empty"),
        ("DATABASE_URL=${A}\nA=${DATABASE_URL}", "refers to itself"),
        ("DATABASE_URL=sqlite:///${A}", "variable A"),
    ],
)
def test_bad_dotenv(load: Load, dotenv: str | bytes, says: str, tmp_path: Path) -> None:
    message = refuse(load, dotenv=dotenv)
    assert says in message
    assert str(tmp_path / ".env") in message


def test_a_virtual_environment_called_dotenv_is_none(load: Load, tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    assert load().source == "default"


# One engine's settings, as the original's factory took them


def test_parts() -> None:
    parts = {"host": "h", "port": 5433, "user": "u", "password": SECRET, "database": "d"}
    config = config_from_parts("postgresql", {**parts, "pool_size": 2, "echo": True}, "a test")
    assert params(config) == {
        "host": "h",
        "port": "5433",
        "user": "u",
        "password": SECRET,
        "dbname": "d",
    }
    assert (config.pool_size, config.echo, config.source) == (2, True, "a test")
    assert config_from_parts("sqlite", {"database": Path("x.db")}, "a test").database == "x.db"


@pytest.mark.parametrize("key", ["host", "port", "user", "password", "database"])
def test_parts_are_all_needed(key: str) -> None:
    parts = {"host": "h", "port": 5433, "user": "u", "password": SECRET, "database": "d"}
    del parts[key]
    assert f"{key} is missing" in refuse(config_from_parts, "postgresql", parts, "a test")


@pytest.mark.parametrize(
    ("dialect", "settings", "says"),
    [
        ("mysql", {}, "'mysql'"),
        ("sqlite", {}, "database is missing"),
        ("sqlite", {"database": "x", "path": "y"}, "'path'"),
        ("sqlite", {"databse": "x"}, "did you mean 'database'"),
    ],
)
def test_bad_parts(dialect: str, settings: dict[str, Any], says: str) -> None:
    message = refuse(config_from_parts, dialect, settings, "a test")
    assert says in message
    assert "a test" in message


# Redaction


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("postgresql://u:s3cr3t@h:1/d", "postgresql://u:***@h:1/d"),
        ("at postgresql://u:s3@cr3t@h/%zz now", "at postgresql://u:***@h/%zz now"),
        ("postgresql://:s3cr3t@h", "postgresql://:***@h"),
        ("u:s3cr3t@h", "u:***@h"),
        ("host=h password=s3cr3t user=u", "host=h password=*** user=u"),
        ("password = 's3\\'cr3t x' user=u", "password = *** user=u"),
        ("?password=s3cr3t&sslmode=require", "?password=***&sslmode=require"),
        ("{'password': 's3cr3t', 'a': 1}", "{'password': ***, 'a': 1}"),
        ("PGPASSWORD=s3cr3t", "PGPASSWORD=***"),
        ("password authentication failed", "password authentication failed"),
        ("12:30 mail bob@example.com", "12:30 mail bob@example.com"),
    ],
)
def test_redact_by_place(text: str, clean: str) -> None:
    assert redact(text) == clean
    assert redact(clean) == clean


def test_redact_by_value() -> None:
    assert redact("a s3cr3t/ and s3cr3t%2F", "s3cr3t/", "s3cr3t", "") == "a *** and ***"


def test_the_examples_are_valid(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text((ROOT / ".env.example").read_text())
    (tmp_path / "config.yaml").write_text((ROOT / "config.example.yaml").read_text())
    assert load_config(environ={}, directory=tmp_path).database == "data/market_data.db"
    lines = (ROOT / ".env.example").read_text().splitlines()[7:]
    uncommented = [line.removeprefix("# ") for line in lines if "=" in line and "URL" not in line]
    (tmp_path / ".env").write_text("\n".join(uncommented))
    config = load_config(environ={}, directory=tmp_path)
    assert config.display_url == "postgresql://jutsu@localhost:5432/market_data"
