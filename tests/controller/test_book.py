"""What is remembered of runs between two looks, and that nothing older replaces it."""

from datetime import timedelta

from sparktest.controller.book import Book, Memo
from sparktest.controller.known import Standing
from sparktest.domain import Status
from tests.controller.objects import NOW, run

KEY = ("default", "testrun-smoke-1")


def test_an_older_answer_does_not_replace_a_newer_one() -> None:
    memo = Memo()
    memo.take(run(Status.RUNNING, version=2), NOW)
    memo.take(run(version=1), NOW + timedelta(seconds=9))
    assert memo.run == run(Status.RUNNING, version=2)
    assert memo.run_at == NOW


def test_the_same_version_read_again_counts_as_read_just_now() -> None:
    memo, later = Memo(), NOW + timedelta(seconds=9)
    memo.take(run(), NOW)
    memo.take(run(), later)
    assert memo.run_at == later


def test_another_run_under_the_same_key_replaces_the_old_one_whatever_its_version() -> None:
    memo = Memo()
    memo.take(run(version=9), NOW)
    memo.take(run(id="run-2", version=1), NOW)
    assert memo.run == run(id="run-2", version=1)


def test_the_uid_of_the_job_stays_known_before_the_api_knows_it() -> None:
    memo = Memo()
    memo.job_uid = "job-1"
    memo.take(run(), NOW)
    assert memo.job_uid == "job-1"
    memo.take(run(job_uid="job-2", version=2), NOW)
    assert memo.job_uid == "job-2"


def test_a_run_that_the_api_does_not_have_is_not_remembered() -> None:
    memo = Memo()
    memo.take(run(), NOW)
    assert memo.standing is Standing.KNOWN
    memo.no_run(Standing.GONE)
    assert (memo.run, memo.standing) == (None, Standing.GONE)


def test_trouble_is_counted_from_when_it_began_and_anew_when_it_changes() -> None:
    memo, later = Memo(), NOW + timedelta(seconds=9)
    assert memo.trouble_began(None, NOW) is None
    assert memo.trouble_began("pull", NOW) == NOW
    assert memo.trouble_began("pull", later) == NOW
    assert memo.trouble_began("config", later) == later
    assert memo.trouble_began(None, later) is None


def test_only_what_is_new_of_a_run_is_news() -> None:
    book = Book()
    found = run(version=2)
    assert book.offer(found, NOW)
    assert not book.offer(found, NOW)
    assert not book.offer(run(version=1), NOW)
    assert book.offer(run(version=3), NOW)
    assert book.offer(run(id="run-2"), NOW)


def test_the_book_knows_which_runs_had_not_ended() -> None:
    book = Book()
    book.offer(run(), NOW)
    book.offer(run(Status.SUCCEEDED, id="run-2", job_name="other"), NOW)
    book.memo(("tests", "asked-for-and-nothing-known"))
    assert book.unfinished() == {KEY: run()}


def test_what_is_dropped_is_forgotten() -> None:
    book = Book()
    book.offer(run(), NOW)
    book.audit(KEY)
    assert book.memo(KEY).audit
    book.drop(KEY)
    assert len(book) == 0
    assert book.memo(KEY).run is None
    book.drop(("tests", "unknown"))
