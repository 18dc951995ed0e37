"""Group commit: works share a transaction, and each is answered as if it had one of its own."""

import contextvars
import os
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, select, text
from sqlalchemy.exc import OperationalError

from sparktest.api.store import writer
from sparktest.api.store.engine import WRITES
from sparktest.api.store.tables import ControllerRow
from sparktest.errors import ConflictError, UnavailableError
from tests.api.store.batches import SECONDS, Busy, adding, caught, in_one_batch, stored


@pytest.fixture
def commits(store):
    """Collect the writing transactions that were committed."""
    counted: list[object] = []

    def count(connection):
        if connection.get_execution_options().get(WRITES):
            counted.append(connection)

    event.listen(store.engine, "commit", count)
    yield counted
    event.remove(store.engine, "commit", count)


def test_works_that_wait_together_share_one_commit(store, commits):
    names = [f"c{number}" for number in range(20)]
    assert in_one_batch(store, [adding(name) for name in names]) == names
    assert stored(store) == set(names)
    # One of the work that kept the writer busy.
    assert len(commits) == 2


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(succeeds=st.lists(st.booleans(), min_size=1, max_size=12))
def test_exactly_the_works_that_succeed_are_stored(store, succeeds):
    store.write(lambda connection: connection.execute(delete(ControllerRow)))
    works = [
        adding(str(number), None if good else ValueError(str(number)))
        for number, good in enumerate(succeeds)
    ]
    answers = in_one_batch(store, works)
    assert stored(store) == {str(number) for number, good in enumerate(succeeds) if good}
    for number, good in enumerate(succeeds):
        assert str(answers[number]) == str(number)
        assert isinstance(answers[number], str if good else ValueError)


def test_a_work_that_violates_a_constraint_leaves_the_others_alone(store):
    first, second, third = in_one_batch(store, [adding("a"), adding("a"), adding("b")])
    assert (first, third) == ("a", "b")
    assert type(second).__name__ == "IntegrityError"
    assert stored(store) == {"a", "b"}


def test_a_later_work_sees_what_an_earlier_one_of_its_batch_has_written(store):
    def count(connection):
        return len(connection.execute(select(ControllerRow)).all())

    assert in_one_batch(store, [adding("a"), count, adding("b"), count]) == ["a", 1, "b", 2]


@pytest.mark.parametrize("others", [0, 2])
def test_the_caller_gets_the_error_with_its_traceback(store, others):
    def fail_here(connection):
        raise ConflictError("no")

    (error, *_) = in_one_batch(store, [fail_here, *[lambda connection: None] * others])
    assert isinstance(error, ConflictError)
    assert "fail_here" in "".join(traceback.format_exception(error))


def test_a_failed_commit_fails_every_work_of_the_batch(store):
    def fail(connection):
        if not broken:
            return
        broken.clear()
        raise OperationalError("COMMIT", None, Exception("disk I/O error"))

    broken = [True]
    event.listen(store.engine, "commit", fail)
    try:
        with Busy(store) as busy:
            broken.clear()
            answers = [busy.submit(adding(name)) for name in "abc"]
            busy.submit(lambda connection: broken.append(True))
        errors = [answer.result(SECONDS) for answer in answers]
    finally:
        event.remove(store.engine, "commit", fail)
    assert [type(error) for error in errors] == [UnavailableError] * 3
    assert len(set(map(id, errors))) == 3
    assert errors[0].retry_after
    assert stored(store) == set()


def test_a_work_has_the_context_variables_of_its_caller(store):
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

    def write(value):
        variable.set(value)
        return store.write(lambda connection: (variable.get(), threading.current_thread()))

    with ThreadPoolExecutor(2) as executor:
        (first, one), (second, other) = executor.map(write, ["a", "b"])
    assert (first, second) == ("a", "b")
    assert one is other is not threading.current_thread()


@pytest.mark.parametrize("inner", ["write", "writing"])
def test_a_work_cannot_open_another_transaction(store, inner):
    def nested(connection):
        if inner == "write":
            store.write(adding("b"))
        with store.writing():
            pass

    with pytest.raises(RuntimeError, match="another transaction"):
        store.write(nested)
    assert store.write(adding("a")) == "a"


class TestQueue:
    def test_a_full_queue_refuses_works_without_executing_them(self, store, monkeypatch):
        monkeypatch.setattr(writer, "MAX_WAITING", 2)
        with Busy(store) as busy:
            answers = [busy.submit(adding(name)) for name in "ab"]
            with pytest.raises(UnavailableError, match="nothing was changed") as raised:
                store.write(adding("c"))
        assert raised.value.retry_after
        assert [answer.result(SECONDS) for answer in answers] == ["a", "b"]
        assert stored(store) == {"a", "b"}

    def test_a_work_that_has_waited_for_too_long_is_never_executed(self, store, monkeypatch):
        with Busy(store) as busy:
            later = busy.submit(adding("later"))
            monkeypatch.setattr(writer, "MAX_WAIT_SECONDS", 0.01)
            late = busy.submit(adding("late")).result(SECONDS)
        assert isinstance(late, UnavailableError)
        assert later.result(SECONDS) == "later"
        assert stored(store) == {"later"}

    def test_a_work_that_takes_long_is_waited_for(self, store, monkeypatch):
        monkeypatch.setattr(writer, "MAX_WAIT_SECONDS", 0.01)

        def slow(connection):
            started.set()
            assert finish.wait(SECONDS)
            return adding("slow")(connection)

        def write():
            answer = caught(store.write, slow)
            # On a busy machine, the work may not have started in time.
            return answer if started.is_set() else write()

        started, finish = threading.Event(), threading.Event()
        with ThreadPoolExecutor(1) as executor:
            answer = executor.submit(write)
            assert started.wait(SECONDS)
            time.sleep(0.05)
            finish.set()
            assert answer.result(SECONDS) == "slow"

    def test_a_timeout_of_the_work_itself_is_raised(self, store):
        with pytest.raises(TimeoutError, match="mine"):
            store.write(adding("a", TimeoutError("mine")))
        assert stored(store) == set()

    def test_slow_works_are_spread_over_several_transactions(self, store, commits):
        works = [adding(name) for name in "abc"]
        assert in_one_batch(store, works, seconds=0) == ["a", "b", "c"]
        assert len(commits) == 4


class TestThread:
    def test_it_starts_with_the_first_work_and_ends_on_close(self, store):
        store.close()
        store.write(adding("a"))
        thread = store._writer._thread
        assert thread is not None
        assert thread.is_alive()
        store.close()
        assert not thread.is_alive()
        store.write(adding("b"))
        assert stored(store) == {"a", "b"}

    def test_closing_executes_the_works_that_wait(self, store):
        with Busy(store) as busy:
            answer = busy.submit(adding("a"))
            closing = threading.Thread(target=store.close)
            closing.start()
        closing.join(SECONDS)
        assert answer.result(SECONDS) == "a"
        assert stored(store) == {"a"}

    def test_it_is_replaced_when_it_has_died(self, store):
        store.close()
        dead = threading.Thread(target=lambda: None)
        dead.start()
        dead.join()
        store._writer._thread = dead
        assert store.write(adding("a")) == "a"

    def test_a_forked_process_has_a_thread_of_its_own(self, store):
        if store.engine.dialect.name == "postgresql":
            pytest.skip("a forked process must not use the connections of its parent")
        store.write(adding("parent"))
        child = os.fork()
        if child == 0:
            store.engine.dispose(close=False)
            os._exit(0 if caught(store.write, adding("child")) == "child" else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert stored(store) == {"parent", "child"}


def test_a_commit_of_sqlite_survives_a_power_cut(store):
    if store.engine.dialect.name == "postgresql":
        pytest.skip("PostgreSQL does by default")
    full = 2
    for open_connection in (store.reading, store.writing):
        with open_connection() as connection:
            assert connection.execute(text("PRAGMA synchronous")).scalar() == full
