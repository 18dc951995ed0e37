"""Label and field selectors."""

import msgspec
import pytest

from sparktest.devcluster.api_errors import StatusError
from sparktest.devcluster.kinds import EVENTS, JOBS, PODS, Kind
from sparktest.devcluster.selectors import label_requirements, parse_selector
from sparktest.devcluster.stored_objects import StoredObject, stored_object


def matches(text: str, **labels: str) -> bool:
    return all(term(labels) for term in label_requirements(text))


@pytest.mark.parametrize(
    "text",
    [
        "a=1",
        "a==1",
        " a = 1 , b=2 ",
        "a!=2",
        "c!=1",
        "a in (1, 2)",
        "a notin (2)",
        "a",
        "!c",
        "",
        "c notin (1)",
        "a,b,!c",
        "a in (1),b in (2)",
    ],
)
def test_a_label_selector_matches(text: str) -> None:
    assert matches(text, a="1", b="2")


@pytest.mark.parametrize(
    "text", ["a=2", "a!=1", "a in (2,3)", "a notin (1)", "c", "!a", "a,c", "c="]
)
def test_a_label_selector_does_not_match(text: str) -> None:
    assert not matches(text, a="1", b="2")


def test_a_label_key_may_have_a_prefix() -> None:
    label = {"batch.kubernetes.io/job-name": "x"}
    assert all(term(label) for term in label_requirements("batch.kubernetes.io/job-name=x"))


@pytest.mark.parametrize("text", ["a in (b", "=1", "a=b=c", "a b", "a,,b", "(", "a!"])
def test_an_invalid_label_selector_is_rejected(text: str) -> None:
    with pytest.raises(StatusError) as caught:
        label_requirements(text)
    assert caught.value.code == 400


def entry(kind: Kind, **parts: object) -> StoredObject:
    meta = {"name": "n", "namespace": "s", "uid": "u", "resourceVersion": "1"}
    obj = {"metadata": meta, **parts}
    return stored_object(kind.key, obj, msgspec.json.encode(obj))


def test_fields_are_compared_as_text() -> None:
    pod = entry(PODS, status={"phase": "Running"}, spec={"hostNetwork": True})
    event = entry(EVENTS, source={"component": "kubelet"}, involvedObject={"uid": "7"})
    finished = entry(JOBS, status={"succeeded": 1})
    for kind, found, text in (
        (PODS, pod, "status.phase=Running,metadata.name=n,metadata.namespace!=x"),
        (PODS, pod, "spec.nodeName=,spec.hostNetwork=true"),
        (EVENTS, event, "source=kubelet,involvedObject.uid=7"),
        (JOBS, finished, "status.successful=1"),
    ):
        test = parse_selector(kind, "", text)
        assert test is not None
        assert test(found), text
    other = parse_selector(PODS, "", "status.phase!=Running")
    assert other is not None
    assert not other(pod)


@pytest.mark.parametrize("text", ["status.nope=1", "status.phase", "=x"])
def test_an_unsupported_field_is_rejected(text: str) -> None:
    with pytest.raises(StatusError) as caught:
        parse_selector(PODS, "", text)
    assert caught.value.code == 400


def test_an_empty_selector_has_no_predicate() -> None:
    assert parse_selector(PODS, "", "") is None
