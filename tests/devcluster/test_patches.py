"""JSON patches and strategic merge patches, and what is rejected."""

from typing import Any

import pytest

from sparktest.devcluster import patches
from sparktest.devcluster.api_errors import StatusError
from sparktest.devcluster.kinds import JOBS, PODS


@pytest.mark.parametrize(
    ("operations", "result"),
    [
        ([{"op": "add", "path": "/a/-", "value": 3}], {"a": [1, 2, 3]}),
        ([{"op": "add", "path": "/a/0", "value": 3}], {"a": [3, 1, 2]}),
        ([{"op": "remove", "path": "/a/0"}], {"a": [2]}),
        ([{"op": "replace", "path": "/a/1", "value": 9}], {"a": [1, 9]}),
        ([{"op": "replace", "path": "", "value": {}}], {}),
        ([{"op": "add", "path": "/x~1y~0z", "value": 1}], {"a": [1, 2], "x/y~z": 1}),
        ([{"op": "copy", "from": "/a/0", "path": "/b"}], {"a": [1, 2], "b": 1}),
        ([{"op": "move", "from": "/a", "path": "/b"}], {"b": [1, 2]}),
        ([{"op": "test", "path": "/a/0", "value": 1}], {"a": [1, 2]}),
    ],
)
def test_a_json_patch_applies_its_operations_in_order(operations: Any, result: Any) -> None:
    obj = {"a": [1, 2]}
    assert patches.json_patch(obj, operations) == result
    assert obj == {"a": [1, 2]}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a/0", "value": 2},
        {"op": "test", "path": "/nope", "value": 2},
        {"op": "replace", "path": "/nope", "value": 2},
        {"op": "remove", "path": "/a/7"},
        {"op": "add", "path": "a", "value": 2},
        {"op": "add", "path": "/a/x", "value": 2},
        {"op": "unknown", "path": "/a"},
        {"path": "/a"},
        "nonsense",
        None,
    ],
)
def test_a_json_patch_that_does_not_apply_is_rejected_and_changes_nothing(operation: Any) -> None:
    obj = {"a": [1, 2]}
    with pytest.raises(StatusError) as caught:
        patches.json_patch(obj, [{"op": "add", "path": "/b", "value": 1}, operation])
    assert caught.value.code == 422
    assert obj == {"a": [1, 2]}


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": spec}


def strategic(obj: Any, patch: Any) -> Any:
    return patches.apply_patch(obj, patch, patches.STRATEGIC, PODS.schema)


def test_a_strategic_patch_merges_containers_by_name_and_their_variables_too() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    before = pod(containers=[{"name": "x", "image": "i", "env": env}, {"name": "y"}])
    change = {"name": "x", "env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]}
    after = strategic(before, {"spec": {"containers": [change, {"name": "z"}]}})
    x, y, z = after["spec"]["containers"]
    assert (x["image"], y, z) == ("i", {"name": "y"}, {"name": "z"})
    assert [(e["name"], e["value"]) for e in x["env"]] == [("A", "1"), ("B", "3"), ("C", "4")]


def test_a_strategic_patch_deletes_replaces_and_retains() -> None:
    before = pod(containers=[{"name": "x"}, {"name": "y"}], nodeSelector={"a": "b"})
    gone = strategic(before, {"spec": {"containers": [{"name": "x", "$patch": "delete"}]}})
    assert gone["spec"]["containers"] == [{"name": "y"}]
    new = strategic(before, {"spec": {"$patch": "replace", "containers": [{"name": "n"}]}})
    assert new["spec"] == {"containers": [{"name": "n"}]}
    kept = strategic(before, {"spec": {"$retainKeys": ["containers"]}})
    assert set(kept["spec"]) == {"containers"}
    null = strategic(before, {"spec": {"nodeSelector": None}})
    assert "nodeSelector" not in null["spec"]


@pytest.mark.parametrize("item", [None, 1, "a", []])
def test_a_strategic_patch_of_a_list_of_objects_holds_objects_only(item: Any) -> None:
    with pytest.raises(StatusError) as caught:
        strategic(pod(containers=[{"name": "a"}]), {"spec": {"containers": [item]}})
    assert caught.value.code == 400


def test_a_strategic_patch_adds_finalizers_and_replaces_plain_lists() -> None:
    before = {"metadata": {"finalizers": ["a"]}, "spec": {"template": {"spec": {"x": ["1"]}}}}
    patch = {"metadata": {"finalizers": ["b"]}, "spec": {"template": {"spec": {"x": ["2"]}}}}
    after = patches.apply_patch(before, patch, patches.STRATEGIC, JOBS.schema)
    assert after["metadata"]["finalizers"] == ["a", "b"]
    assert after["spec"]["template"]["spec"]["x"] == ["2"]
    less = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert strategic(after, less)["metadata"]["finalizers"] == ["b"]


@pytest.mark.parametrize("media_type", [patches.APPLY, patches.STRATEGIC, "", "text/plain"])
def test_custom_resources_accept_json_and_merge_patches_only(media_type: str) -> None:
    with pytest.raises(StatusError) as caught:
        patches.check_media_type(media_type, strategic=False)
    assert caught.value.code == 415
    assert patches.MERGE in caught.value.detail
