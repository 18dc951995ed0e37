import uuid
from typing import Any

import pytest

from sparktest.cli.manifests.conversion import Manifest
from sparktest.cli.plugin.new_testrun import build_testrun, describe_run

NO_OPTIONS: dict[str, Any] = {
    "name": None,
    "labels": {},
    "ttl": None,
    "service_account": None,
    "env": {},
}


def document(*, keeps_name: bool, **metadata: Any) -> Manifest:
    return Manifest("x", keeps_name=keeps_name, metadata=metadata, spec={"image": "i"})


def metadata_of(source: Manifest, **options: Any) -> Any:
    return build_testrun(source, **NO_OPTIONS | options)["metadata"]


def test_a_testrun_keeps_its_name_and_all_but_the_namespace() -> None:
    source = document(keeps_name=True, name="a", namespace="n", annotations={"b": "c"})

    assert metadata_of(source) == {"name": "a", "annotations": {"b": "c"}}
    assert metadata_of(source, name="d") == {"name": "d", "annotations": {"b": "c"}}
    assert metadata_of(document(keeps_name=True, generateName="a-"))["generateName"] == "a-"


def test_another_kind_gets_a_generated_name() -> None:
    source = document(keeps_name=False, name=f"Unit.{'x' * 60}", labels={"a": "b"})

    found = metadata_of(source, labels={"c": "d"})

    assert found == {"generateName": f"unit-{'x' * 35}-", "labels": {"a": "b", "c": "d"}}
    assert metadata_of(source, name="mine")["name"] == "mine"


def test_options_override_the_spec() -> None:
    built = build_testrun(
        document(keeps_name=True, name="a"),
        **NO_OPTIONS | {"ttl": 0, "service_account": "robot", "timeout": 5, "env": {"A": "b"}},
    )

    assert built["spec"] == {
        "image": "i",
        "serviceAccountName": "robot",
        "ttlSecondsAfterFinished": 0,
        "timeoutSeconds": 5,
        "env": {"A": "b"},
    }


@pytest.mark.parametrize(
    ("definition", "image", "name", "spec"),
    [
        ("Shop: check!", None, "Shop: check!", {"definitionName": "Shop: check!"}),
        (None, "r:5/shop:1", "shop", {"image": "r:5/shop:1"}),
    ],
)
def test_a_definition_or_an_image_is_a_run(
    definition: str | None, image: str | None, name: str, spec: dict[str, str]
) -> None:
    found = describe_run(definition, image)

    assert (found.name, found.spec) == (name, spec)


def test_an_id_is_no_name() -> None:
    found = describe_run(identifier := str(uuid.uuid4()), None)

    assert (found.name, found.spec) == ("test", {"definitionId": identifier})
