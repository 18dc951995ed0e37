"""Watches over real HTTP: events, their order, and the end of a stream."""

import json
import threading
import time
from typing import Any

import pytest

from sparktest.devcluster import watch
from sparktest.devcluster.app import DevCluster
from tests.devcluster.client import MAPS, Client, config_map, eventually
from tests.devcluster.faults import Faults


def labelled(name: str, label: str) -> dict[str, Any]:
    body = config_map(name)
    body["metadata"]["labels"] = {"l": label}
    return body


def type_and_name(event: Any) -> tuple[str, str]:
    return event["type"], event["object"]["metadata"]["name"]


def version(client: Client) -> str:
    return str(client.get(MAPS)["metadata"]["resourceVersion"])


def test_a_watch_after_a_list_gets_later_changes_only(client: Client) -> None:
    client.create(MAPS, config_map("before"))
    with client.stream(f"{MAPS}?watch=1&resourceVersion={version(client)}") as stream:
        client.create(MAPS, config_map("a"))
        client.patch(f"{MAPS}/a", {"data": {"k": "v"}})
        client.delete(f"{MAPS}/a")
        events = stream.events(3)
    assert [type_and_name(event) for event in events] == [
        ("ADDED", "a"),
        ("MODIFIED", "a"),
        ("DELETED", "a"),
    ]
    assert events[1]["object"]["data"] == {"k": "v"}
    assert events[1]["object"]["kind"] == "ConfigMap"
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))


@pytest.mark.parametrize("start", ["", "&resourceVersion=0"])
def test_a_watch_without_a_version_begins_with_existing_objects(client: Client, start: str) -> None:
    client.create(MAPS, config_map("b"))
    client.create(MAPS, config_map("a"))
    with client.stream(f"{MAPS}?watch=true{start}") as stream:
        assert [type_and_name(event) for event in stream.events(2)] == [
            ("ADDED", "a"),
            ("ADDED", "b"),
        ]


def test_a_watch_resumes_without_loss(client: Client) -> None:
    begin = version(client)
    for name in "abc":
        client.create(MAPS, config_map(name))
    with client.stream(f"{MAPS}?watch=1&resourceVersion={begin}") as stream:
        first = stream.event()
    last = first["object"]["metadata"]["resourceVersion"]
    with client.stream(f"{MAPS}?watch=1&resourceVersion={last}") as stream:
        assert [type_and_name(event)[1] for event in stream.events(2)] == ["b", "c"]


def test_a_selected_watch_reports_label_changes_as_added_and_deleted(client: Client) -> None:
    path = f"{MAPS}?watch=1&labelSelector=l%3Dx&resourceVersion={version(client)}"
    with client.stream(path) as stream:
        client.create(MAPS, labelled("a", "y"))
        client.create(MAPS, labelled("b", "x"))
        client.patch(f"{MAPS}/a", {"metadata": {"labels": {"l": "x"}}})
        client.patch(f"{MAPS}/b", {"data": {"k": "v"}})
        client.patch(f"{MAPS}/b", {"metadata": {"labels": {"l": "y"}}})
        client.patch(f"{MAPS}/b", {"data": {"k": "w"}})
        client.delete(f"{MAPS}/a")
        events = [type_and_name(event) for event in stream.events(5)]
    assert events == [
        ("ADDED", "b"),
        ("ADDED", "a"),
        ("MODIFIED", "b"),
        ("DELETED", "b"),
        ("DELETED", "a"),
    ]


def test_a_watch_is_limited_to_its_namespace_and_name(client: Client) -> None:
    other = "/api/v1/namespaces/kube-public/configmaps"
    begin = version(client)
    with (
        client.stream(f"{MAPS}?watch=1&resourceVersion={begin}") as here,
        client.stream(
            f"/api/v1/configmaps?watch=1&resourceVersion={begin}&fieldSelector=metadata.name%3Dnamed"
        ) as named,
    ):
        client.create(other, config_map("a"))
        client.create(MAPS, config_map("named"))
        assert type_and_name(here.event()) == ("ADDED", "named")
        assert type_and_name(named.event()) == ("ADDED", "named")


def test_a_watch_ends_after_its_timeout_with_a_bookmark_if_requested(own: Client) -> None:
    begin = version(own)
    path = f"{MAPS}?watch=1&timeoutSeconds=1&resourceVersion={begin}"
    with own.stream(path) as plain, own.stream(f"{path}&allowWatchBookmarks=true") as marked:
        own.create("/api/v1/namespaces", {"metadata": {"name": "other"}})
        assert plain.rest() == b""
        (line,) = marked.rest().splitlines()
    event = json.loads(line)
    assert event["type"] == "BOOKMARK"
    assert event["object"]["kind"] == "ConfigMap"


def test_bookmarks_advance_when_only_other_kinds_change(
    own: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "BOOKMARK_SECONDS", 0.1)
    monkeypatch.setattr(watch, "YIELD_SECONDS", 0.05)
    begin = version(own)
    with own.stream(f"{MAPS}?watch=1&allowWatchBookmarks=1&resourceVersion={begin}") as stream:
        own.create("/api/v1/namespaces", {"metadata": {"name": "other"}})
        later = eventually(
            lambda: (
                (e := stream.event())["type"] == "BOOKMARK"
                and int(e["object"]["metadata"]["resourceVersion"]) > int(begin)
            )
        )
    assert later


def test_a_bookmark_can_mark_the_end_of_the_initial_events(client: Client) -> None:
    client.create(MAPS, config_map("a"))
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    with client.stream(f"{MAPS}?watch=1&resourceVersion=&{query}") as stream:
        first, mark = stream.events(2)
    assert type_and_name(first) == ("ADDED", "a")
    assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_a_version_that_is_too_old_or_too_new_has_expired(own: Client, faults: Faults) -> None:
    begin = version(own)
    faults.forget_history()
    for at in (begin, "999999999"):
        with own.stream(f"{MAPS}?watch=1&resourceVersion={at}") as stream:
            event = stream.event()
            assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
            assert stream.rest() == b""


def test_an_invalid_version_is_rejected(client: Client) -> None:
    with client.stream(f"{MAPS}?watch=1&resourceVersion=abc") as stream:
        assert stream.code == 400


def test_a_watch_of_tables_has_one_row_per_event(client: Client) -> None:
    connection = client.connect()
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    client.create(MAPS, config_map("a", k="v"))
    headers = {"Authorization": f"Bearer {client.token}", "Accept": accept}
    connection.request("GET", client.at(f"{MAPS}?watch=1"), headers=headers)
    event = json.loads(connection.getresponse().readline())
    assert event["object"]["kind"] == "Table"
    assert event["object"]["rows"][0]["cells"][:2] == ["a", 1]
    connection.close()


def test_hundreds_of_watches_get_an_event_quickly(client: Client) -> None:
    begin = version(client)
    streams = [client.stream(f"{MAPS}?watch=1&resourceVersion={begin}") for _ in range(100)]
    client.create(MAPS, config_map("a"))
    started = time.monotonic()
    assert all(type_and_name(stream.event()) == ("ADDED", "a") for stream in streams)
    assert time.monotonic() - started < 5
    for stream in streams:
        stream.__exit__()


def test_the_thread_of_a_watch_ends_when_its_client_disconnects(
    cluster: DevCluster, own: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "YIELD_SECONDS", 0.05)
    own.get(MAPS)
    before = threading.active_count()
    streams = [own.stream(f"{MAPS}?watch=1") for _ in range(5)]
    eventually(lambda: threading.active_count() >= before + 5)
    for stream in streams:
        stream.__exit__()
    eventually(lambda: threading.active_count() <= before)
