from sparktest.kube.model_schema import model_schema


def test_a_schema_has_every_field_down_to_the_last_level() -> None:
    pod = model_schema("V1Job")["properties"]["spec"]["properties"]["template"]["properties"][
        "spec"
    ]
    source = pod["properties"]["containers"]["items"]["properties"]["env"]["items"]["properties"]

    assert source["valueFrom"]["properties"]["secretKeyRef"]["properties"].keys() == {
        "name",
        "key",
        "optional",
    }


def test_maps_name_no_fields() -> None:
    metadata = model_schema("V1ObjectMeta")["properties"]

    assert metadata["labels"] == {"type": "object", "additionalProperties": {"type": "string"}}
    assert metadata["managedFields"]["items"]["properties"]["fieldsV1"] == {}


def test_scalars_have_a_type() -> None:
    fields = model_schema("V1JobSpec")["properties"]

    assert [fields[name] for name in ("completions", "suspend", "completionMode")] == [
        {"type": "integer"},
        {"type": "boolean"},
        {"type": "string"},
    ]


def test_a_field_that_takes_a_number_or_a_string_has_no_type() -> None:
    for model, field in (
        ("V1HTTPGetAction", "port"),
        ("V1ResourceRequirements", "limits"),
        ("V1EmptyDirVolumeSource", "sizeLimit"),
        ("V1ResourceFieldSelector", "divisor"),
        ("V1PodSpec", "overhead"),
    ):
        assert model_schema(model)["properties"][field] == {}
