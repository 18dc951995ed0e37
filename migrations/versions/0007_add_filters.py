"""Add what the filters of runs need: class of the failure, search by parts of words, indexes."""

import json
import re
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op
from sparktest.migrations import online

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TERM = re.compile(r"[^\W_]+")
MAX_TERM_LENGTH = 64
MAX_FAILURE_TERMS = 32
BATCH = 500
# New indexes of test_runs by their column; `seq` follows.
INDEXES = {
    "idx_test_runs_suite_run": "suite_run_id",
    "idx_test_runs_schedule": "schedule_id",
    "idx_test_runs_failure_class": "failure_class",
}


def upgrade() -> None:
    """Add column, table and indexes, and the words of existing runs."""
    online.add_column("test_runs", sa.Column("failure_class", sa.String(32)))
    term = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")
    op.create_table(
        "test_run_word_parts",
        sa.Column("part", term, nullable=False),
        sa.Column("word", term, nullable=False),
        if_not_exists=True,
    )
    online.create_index("idx_test_run_word_parts", "test_run_word_parts", ["part", "word"])
    online.drop_index("idx_test_runs_suite_run", "test_runs")
    online.drop_index("idx_test_run_words_run", "test_run_words")
    online.create_index("idx_test_run_words_run", "test_run_words", ["run_seq", "word"])
    with online.without_transaction() as connection:
        for runs in _batches(connection):
            _add_words(connection, runs)
        _add_parts(connection)
    for index, column in INDEXES.items():
        online.create_index(index, "test_runs", [column, "seq"])
    online.create_index("idx_test_run_labels_key", "test_run_labels", ["key", "run_seq"])


def downgrade() -> None:
    """Drop them; a search matches the beginnings of words again, and no id."""
    online.drop_index("idx_test_run_labels_key", "test_run_labels")
    online.drop_index("idx_test_run_words_run", "test_run_words")
    for index in INDEXES:
        online.drop_index(index, "test_runs")
    online.create_index("idx_test_runs_suite_run", "test_runs", ["suite_run_id"])
    online.create_index("idx_test_run_words_run", "test_run_words", ["run_seq"])
    op.drop_table("test_run_word_parts", if_exists=True)
    online.drop_column("test_runs", "failure_class")


def _terms(*texts: str) -> set[str]:
    """Return the case-folded words of the texts."""
    return {term[:MAX_TERM_LENGTH] for term in TERM.findall(" ".join(texts).casefold())}


def _batches(connection: sa.Connection) -> Iterator[Any]:
    page = sa.text(
        "SELECT seq, id, namespace, failure FROM test_runs WHERE seq > :last "
        f"ORDER BY seq LIMIT {BATCH}"
    )
    last = -1
    while runs := connection.execute(page, {"last": last}).all():
        yield runs
        last = runs[-1].seq


def _add_words(connection: sa.Connection, runs: Any) -> None:
    """Add the words of namespaces, labels and failures; set the class of the failures."""
    words = {run.seq: _terms(run.namespace) for run in runs}
    between = {"first": runs[0].seq, "last": runs[-1].seq}
    # An id is found by the index of ids.
    of_ids = sa.text(
        "DELETE FROM test_run_words WHERE run_seq >= :first AND run_seq <= :last "
        "AND word = (SELECT substr(id, 1, 8) FROM test_runs WHERE seq = run_seq)"
    )
    connection.execute(of_ids, between)
    labels = sa.text(
        "SELECT run_seq, key, value FROM test_run_labels "
        "WHERE run_seq >= :first AND run_seq <= :last"
    )
    for seq, key, value in connection.execute(labels, between):
        words.get(seq, set()).update(_terms(key, value))
    classes = []
    for run in runs:
        failure = _failure(run.failure)
        if failure:
            classes.append({"seq": run.seq, "class": failure.get("class")})
            message = TERM.findall(str(failure.get("message") or "").casefold())
            words[run.seq] |= _terms(str(failure.get("reason")), *message[:MAX_FAILURE_TERMS])
    if classes:
        set_class = "UPDATE test_runs SET failure_class = :class WHERE seq >= :seq AND seq <= :seq"
        connection.execute(sa.text(set_class), classes)
    add = "INSERT INTO test_run_words (word, run_seq) VALUES (:word, :seq) ON CONFLICT DO NOTHING"
    rows = [{"word": word, "seq": seq} for seq, found in words.items() for word in sorted(found)]
    if rows:
        connection.execute(sa.text(add), rows)


def _failure(text: str | None) -> dict[str, Any]:
    try:
        failure = json.loads(text or "{}")
    except ValueError:
        return {}
    return failure if isinstance(failure, dict) else {}


def _add_parts(connection: sa.Connection) -> None:
    """Add every end of every word."""
    page = sa.text(
        f"SELECT DISTINCT word FROM test_run_words WHERE word > :last ORDER BY word LIMIT {BATCH}"
    )
    add = sa.text("INSERT INTO test_run_word_parts (part, word) VALUES (:part, :word)")
    last = ""
    connection.execute(sa.text("DELETE FROM test_run_word_parts"))
    while words := connection.execute(page, {"last": last}).scalars().all():
        parts = [{"part": word[n:], "word": word} for word in words for n in range(len(word))]
        connection.execute(add, parts)
        last = words[-1]
