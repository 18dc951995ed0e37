"""The forms that an answer can have."""

import pytest

from tests.devcluster.client import MAPS, Client, config_map


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json", "ConfigMapList"),
        ("application/vnd.kubernetes.protobuf,application/json", "ConfigMapList"),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "Table"),
        ("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", "ConfigMapList"),
        (
            "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
            "PartialObjectMetadataList",
        ),
    ],
)
def test_the_form_is_the_first_that_the_client_accepts(
    client: Client, accept: str, kind: str
) -> None:
    client.create(MAPS, config_map("a"))
    assert client.get(MAPS, accept=accept)["kind"] == kind


def test_a_form_that_there_is_not_is_refused(client: Client) -> None:
    assert client.call("GET", MAPS, accept="application/yaml").code == 406
    assert client.call("POST", MAPS, b"a: b", content_type="application/yaml").code == 415
