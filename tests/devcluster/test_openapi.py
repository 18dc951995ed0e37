"""OpenAPI documents."""

from sparktest.devcluster import openapi
from sparktest.devcluster.kinds import JOBS, PODS


def test_the_index_lists_each_group_and_version_once() -> None:
    paths = openapi.index([PODS, JOBS, PODS])["paths"]
    assert list(paths) == ["api/v1", "apis/batch/v1"]
    assert paths["api/v1"]["serverRelativeURL"].startswith("/openapi/v3/api/v1?hash=")


def test_a_document_has_the_schema_and_the_paths_of_its_kinds() -> None:
    found = openapi.document("apis/batch/v1", [PODS, JOBS])
    assert found
    assert list(found["components"]["schemas"]) == ["batch.v1.Job"]
    path = found["paths"]["/apis/batch/v1/namespaces/{namespace}/jobs/{name}"]
    gvk = {"group": "batch", "kind": "Job", "version": "v1"}
    for operation in (path["get"], path["patch"]):
        assert operation["x-kubernetes-group-version-kind"] == gvk
    names = {parameter["name"] for parameter in path["patch"]["parameters"]}
    assert names == {"fieldValidation", "dryRun"}
    assert openapi.document("apis/nope/v1", [PODS, JOBS]) is None
