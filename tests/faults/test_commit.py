"""A connection that dies at COMMIT: the toolkit finds out whether it happened, and says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import psycopg
import pytest
from ledger_model import bars_of, contents

from faults.proxy import Proxy, Session, proxy
from faults.workload import LOADS, check_done, connect, prepare, run
from jutsu_sql import Bars, BarStore, Database, errors
from jutsu_sql.scratch_server import ScratchServer
from jutsu_sql.store import loads

LATER_S = 0.4


@pytest.fixture
def between(postgres: str) -> Iterator[Proxy]:
    with proxy(postgres) as running:
        yield running


@pytest.fixture
def db(between: Proxy) -> Iterator[Database]:
    with connect(between.url) as database:
        yield database


def not_sent(session: Session) -> None:
    """The COMMIT never arrives, and both ends hear of it."""


def sent(session: Session) -> None:
    session.forward()


def answered(session: Session) -> None:
    session.forward()
    session.wait_for_answer()


def late(session: Session) -> None:
    """The COMMIT arrives after the client has given up."""
    session.cut_client()
    time.sleep(LATER_S)
    session.forward()
    session.wait_for_answer()


def orphaned(session: Session) -> None:
    """The server hears much later that the client has gone."""
    session.cut_client()
    time.sleep(LATER_S)


HAPPENED = [answered, late]
NOT_HAPPENED = [not_sent, orphaned]


@pytest.mark.parametrize("fate", HAPPENED)
@pytest.mark.parametrize("name", LOADS)
def test_a_load_that_has_happened_is_reported(
    name: str,
    fate: Callable[[Session], None],
    between: Proxy,
    db: Database,
    caplog: pytest.LogCaptureFixture,
) -> None:
    model, action = prepare(name, db)
    between.fate = fate
    report = run(name, db, action)
    assert f"COMMIT of load {report.load_id}, which has happened" in caplog.text
    check_done(db, model, action, report)


@pytest.mark.parametrize("fate", NOT_HAPPENED)
@pytest.mark.parametrize("name", LOADS)
def test_a_load_that_has_not_happened_is_an_error(
    name: str, fate: Callable[[Session], None], between: Proxy, db: Database
) -> None:
    model, action = prepare(name, db)
    before = contents(db)
    between.fate = fate
    with pytest.raises(errors.ConnectionFailedError, match="nothing was written") as caught:
        run(name, db, action)
    assert isinstance(caught.value.__cause__, errors.OutcomeUnknownError)
    assert contents(db) == before
    check_done(db, model, action, run(name, db, action))


def test_sent_and_cut_at_once_is_one_or_the_other(between: Proxy, db: Database) -> None:
    for _ in range(10):
        before = contents(db)
        between.fate = sent
        try:
            report = run("fresh", db, prepare("fresh", db)[1])
        except errors.ConnectionFailedError:
            assert contents(db) == before
        else:
            assert db.run("loads.find", load_id=report.load_id).rows_received == report.received
            assert len(db.run("testing.loads")) == len(before[1]) + 1


def test_an_outage_that_ends(between: Proxy, db: Database) -> None:
    """The network is a black hole from the COMMIT on, for new connections as well."""

    def swallow(session: Session) -> None:
        between.lets_in.clear()
        threading.Timer(2 * LATER_S, between.lets_in.set).start()
        session.forward()
        session.wait_for_answer()
        time.sleep(LATER_S)

    model, action = prepare("correction", db)
    between.fate = swallow
    check_done(db, model, action, run("correction", db, action))


@pytest.mark.parametrize("fate", [late, orphaned])
def test_what_cannot_be_found_out_in_time_is_said(
    fate: Callable[[Session], None],
    between: Proxy,
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, action = prepare("correction", db)
    monkeypatch.setattr(loads, "_SETTLE_WITHIN_S", LATER_S / 4)
    between.fate = fate
    with pytest.raises(errors.OutcomeUnknownError, match="`jutsu-sql loads` lists it") as caught:
        run("correction", db, action)
    monkeypatch.undo()
    assert "the same may safely be done again" in str(caught.value).lower()
    # The next writer waits for the one that is still at it.
    report = run("correction", db, action)
    if fate is late:
        assert (report.inserted, report.updated) == (0, 0)
        (first,) = {load.load_id for load in db.run("loads.recent", n=2)} - {report.load_id}
        model.run(first, action)
    check_done(db, model, action, report)


@pytest.mark.parametrize("is_forwarded", [True, False])
def test_a_server_that_crashes_at_commit(
    is_forwarded: bool, server: ScratchServer, between: Proxy, db: Database
) -> None:
    def crash(session: Session) -> None:
        if is_forwarded:
            answered(session)
        server.crash()

    model, action = prepare("correction", db)
    before = contents(db)
    between.fate = crash
    if not is_forwarded:
        with pytest.raises(errors.ConnectionFailedError, match="nothing was written"):
            run("correction", db, action)
        assert contents(db) == before
    check_done(db, model, action, run("correction", db, action))


def test_an_id_that_a_crash_has_given_again_is_not_taken_for_the_load(
    between: Proxy, db: Database, postgres: str
) -> None:
    def give_again(session: Session) -> None:
        session.cut_server()
        with psycopg.connect(postgres) as other:
            other.execute(
                "INSERT INTO loads (load_id, kind, source, observed_at, started_at, actor,"
                " tool_version) OVERRIDING SYSTEM VALUE"
                " VALUES (1, 'write', 'other', now(), now(), '', '')"
            )

    between.fate = give_again
    with pytest.raises(errors.ConnectionFailedError, match="load 1: nothing was written"):
        run("fresh", db, prepare("fresh", db)[1])


def test_a_plain_transaction_does_not_guess(between: Proxy, db: Database) -> None:
    between.fate = answered
    with (
        pytest.raises(errors.OutcomeUnknownError, match="may have happened") as caught,
        db.transaction() as tx,
    ):
        tx.run("series.insert", names='[["A", "1m"]]')
    assert not caught.value.retryable
    assert len(db.run("testing.series")) == 1


def test_the_unknown_outcome_of_another_load_is_left_alone(db: Database) -> None:
    def parts() -> Iterator[Bars]:
        yield bars_of({("A", 0): 1.0})
        raise errors.OutcomeUnknownError("of another one")

    with pytest.raises(errors.OutcomeUnknownError, match="of another one"):
        BarStore(db).write(parts(), source="model")
    assert db.run("testing.loads") == []


def test_lost_before_commit_is_no_unknown_outcome(between: Proxy, db: Database) -> None:
    with (
        pytest.raises(errors.ConnectionFailedError),
        db.transaction() as tx,
        psycopg.connect(between.url, autocommit=True) as killer,
    ):
        killer.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND state = 'idle in transaction'"
        )
        tx.run("testing.series")


def test_a_caught_error_does_not_end_in_a_silent_rollback(db: Database) -> None:
    with (
        pytest.raises(errors.DatabaseError, match="nothing can be written"),
        db.transaction() as tx,
    ):
        tx.run("series.insert", names='[["A", "1m"]]')
        with suppress(errors.DataError):
            tx.run("series.insert", names="no JSON")
    assert db.run("testing.series") == []


DEFERRED = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} END $$;
CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON series DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION fail();
"""


def test_an_error_of_the_server_at_commit_is_a_plain_failure(postgres: str, db: Database) -> None:
    with psycopg.connect(postgres) as owner:
        owner.execute(DEFERRED.format("RAISE unique_violation USING MESSAGE = 'deferred';"))
    with pytest.raises(errors.IntegrityError, match="deferred"):
        run("fresh", db, prepare("fresh", db)[1])
    assert db.run("testing.loads") == []


def test_a_backend_that_is_terminated_in_its_commit(postgres: str, db: Database) -> None:
    with psycopg.connect(postgres) as owner:
        owner.execute(
            DEFERRED.format("PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL;")
        )
    with pytest.raises(errors.ConnectionFailedError, match="nothing was written") as caught:
        run("fresh", db, prepare("fresh", db)[1])
    assert isinstance(caught.value.__cause__, errors.OutcomeUnknownError)
    assert db.run("testing.loads") == []
