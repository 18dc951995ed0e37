"""Search of runs by parts of words, and the words that are stored for it.

`test_run_words` has the words of each run. `test_run_word_parts` has every end of every word
(`login`, `ogin`, `gin`, …) once, however many runs have it: what a search term begins, its word
contains.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Table, bindparam, insert, select
from sqlalchemy.dialects import sqlite

from sparktest.api.store.bulk import insert_many
from sparktest.api.store.filter_sql import NOTHING, Branch, Dialect, Filter, Sql, marks
from sparktest.api.store.run_tables import RunTermRow, word_parts

MAX_TERM_LENGTH = 64
# Of a failure: its message may be long.
MAX_FAILURE_TERMS = 32
# A term that more words contain finds most of its runs among the newest.
MAX_WORDS = 500
# One branch for each word, up to so many; else one for all of them.
MAX_WORD_BRANCHES = 16
# The highest code point: `prefix + HIGHEST` is an upper bound of all texts with this prefix.
HIGHEST = "\U0010ffff"
_TERM = re.compile(r"[^\W_]+")
_SHORT_ID = re.compile(r"[0-9a-f]{4,8}\Z")
_LONG_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{0,27}\Z")

# Statements are built once: building one costs more than executing it.
_WORDS = cast(Table, RunTermRow.__table__)
_ADD_TERMS = sqlite.insert(_WORDS).on_conflict_do_nothing()
_ADD_PARTS = insert(word_parts)
_USED = select(_WORDS.c.run_seq).where(_WORDS.c.word == bindparam("word")).limit(1)
_REMOVE_PART = word_parts.delete().where(
    word_parts.c.part == bindparam("part_"), word_parts.c.word == bindparam("word_")
)
# A word is the first of its own parts.
_KNOWN = select(word_parts.c.word).where(
    word_parts.c.part.in_(bindparam("words", expanding=True)),
    word_parts.c.part == word_parts.c.word,
)


def search_terms(*texts: str | None) -> set[str]:
    """Return the case-folded words of the texts: runs of letters and digits of any script."""
    joined = " ".join(text for text in texts if text)
    return {term[:MAX_TERM_LENGTH] for term in _TERM.findall(joined.casefold())}


def failure_terms(failure: Mapping[str, Any]) -> set[str]:
    """Return the words of a failure: all of its reason, and the first of its message."""
    words = _TERM.findall(str(failure.get("message", "")).casefold())[:MAX_FAILURE_TERMS]
    return search_terms(failure.get("reason"), *words)


def run_terms(run: Mapping[str, Any]) -> set[str]:
    """Return the words of a new run."""
    labels = run["labels"]
    texts = (run["name"], run["definition_name"], run["namespace"], run.get("k8s_ref_name"))
    terms = search_terms(*texts, *labels, *labels.values())
    return terms | failure_terms(run["failure"]) if run.get("failure") else terms


def add_terms(connection: Connection, seq: int, terms: Iterable[str]) -> None:
    """Store words of a run; those that it has already are left as they are."""
    add_words(connection, [(word, seq) for word in terms])


def add_words(connection: Connection, pairs: Sequence[tuple[str, int]]) -> None:
    """Store pairs of a word and the `seq` of the run that has it."""
    if not pairs:
        return
    # Sorted, so that two transactions do not wait for each other.
    rows = [{"word": word, "run_seq": seq} for word, seq in sorted(pairs)]
    insert_many(connection, _ADD_TERMS, rows, skip_conflicts=True)
    words = sorted({word for word, _ in pairs})
    known = connection.execute(_KNOWN, {"words": words}).scalars()
    new = sorted(set(words).difference(known))
    # No unique constraint: two transactions that add the same words would wait for each other.
    # A part that is there twice does no harm.
    parts = [{"part": word[n:], "word": word} for word in new for n in range(len(word))]
    if parts:
        insert_many(connection, _ADD_PARTS, parts)


def words_of(connection: Connection, seqs: Sequence[int]) -> set[str]:
    """Return the words of some runs."""
    query = select(_WORDS.c.word).where(_WORDS.c.run_seq.in_(seqs)).distinct()
    return set(connection.execute(query).scalars())


def remove_unused(connection: Connection, words: Iterable[str]) -> None:
    """Delete the parts of those words that no run has any more.

    On SQLite only: elsewhere a transaction that is still running may have found the parts, and
    add a run with the word.
    """
    if connection.dialect.name != "sqlite":
        return
    for word in words:
        if connection.execute(_USED, {"word": word}).first() is None:
            parts = [{"word_": word, "part_": word[n:]} for n in range(len(word))]
            connection.execute(_REMOVE_PART, parts)


def filters(connection: Connection, q: str, dialect: Dialect) -> Iterator[Filter]:
    """Yield a filter for each part of the search text; nothing is found without a word."""
    texts = q.casefold().split()
    if not texts:
        yield NOTHING
    for text in texts:
        if _LONG_ID.match(text):
            yield Filter(_has_id(text), (_id_branch(text),), of_run=True)
            continue
        terms = search_terms(text)
        if not terms:
            yield NOTHING
        for term in sorted(terms, key=len, reverse=True):
            yield _term(connection, term, dialect)


def _term(connection: Connection, term: str, dialect: Dialect) -> Filter:
    matches = "EXISTS (SELECT 1 FROM test_run_words w WHERE w.run_seq = c.seq AND w.word LIKE ?"
    check = Sql(f"{matches}{dialect.fence})", (f"%{term}%",))
    words = _words(connection, term, dialect)
    branches = _word_branches(words) if words else ()
    if _SHORT_ID.match(term):
        own = _has_id(term)
        in_runs = f"EXISTS (SELECT 1 FROM test_runs r WHERE r.seq = c.seq AND {own.text}"
        text = f"({check.text} OR {in_runs}{dialect.fence}))"
        check = Sql(text, (*check.params, *own.params))
        if words is not None:
            branches = (*branches, _id_branch(term))
    return Filter(check, branches) if branches or words is None else NOTHING


def _words(connection: Connection, term: str, dialect: Dialect) -> list[str] | None:
    """Return the words that contain the term; None when there are very many."""
    found = connection.exec_driver_sql(
        dialect.statement(
            "SELECT word FROM test_run_word_parts WHERE part >= ? AND part <= ? "
            f"ORDER BY part LIMIT {MAX_WORDS + 1}"
        ),
        (term, term + HIGHEST),
    )
    words = found.scalars().all()
    return None if len(words) > MAX_WORDS else sorted(set(words))


def _word_branches(words: list[str]) -> tuple[Branch, ...]:
    table, column = "test_run_words", "run_seq"
    if len(words) <= MAX_WORD_BRANCHES:
        return tuple(
            Branch(table, column, Sql("word = ?", (word,)), keys=("word",)) for word in words
        )
    some = Sql(f"word IN ({marks(words)})", tuple(words))
    return (Branch(table, column, some, ordered=False),)


def _has_id(prefix: str) -> Sql:
    return Sql("r.id >= ? AND r.id <= ?", (prefix, prefix + HIGHEST))


def _id_branch(prefix: str) -> Branch:
    where = Sql("id >= ? AND id <= ?", (prefix, prefix + HIGHEST))
    return Branch("test_runs", "seq", where, ordered=False)
