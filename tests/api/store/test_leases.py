"""Leases of background work."""

from datetime import timedelta

from sparktest.api.store import leases
from tests.api.store.rows import CREATED

MINUTE = timedelta(minutes=1)


def hold(store, holder, now=CREATED):
    return store.write(lambda connection: leases.hold(connection, "work", holder, now, MINUTE))


def test_one_process_holds_it_until_it_ends(store):
    assert hold(store, "a")
    assert not hold(store, "b", CREATED + MINUTE / 2)
    assert hold(store, "a", CREATED + MINUTE / 2)
    assert not hold(store, "b", CREATED + MINUTE)
    assert hold(store, "b", CREATED + MINUTE * 1.5)
    assert not hold(store, "a", CREATED + MINUTE * 1.5)
