"""Discovery."""

from tests.devcluster.client import Client


def test_aggregated_and_plain_discovery_list_the_same_resources(client: Client) -> None:
    names = {group["name"] for group in client.get("/apis")["groups"]}
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    aggregated = client.get("/apis", accept=accept)["items"]
    assert {item["metadata"]["name"] for item in aggregated} == names
    for item in aggregated:
        group, version = item["metadata"]["name"], item["versions"][0]["version"]
        listed = client.get(f"/apis/{group}/{version}")["resources"]
        plurals = {entry["name"] for entry in listed if "/" not in entry["name"]}
        assert plurals == {entry["resource"] for entry in item["versions"][0]["resources"]}
    assert client.get("/version")["minor"] == "34"
    assert client.get("/api")["versions"] == ["v1"]
