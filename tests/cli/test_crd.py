from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import sparktest
from sparktest.cli.crd import EXAMPLES
from sparktest.kube import git
from tests.cli.conftest import Cli

CRD = Path(sparktest.__file__).parents[1] / "crd"


def test_the_crd_is_printed_unchanged(cli: Cli) -> None:
    result = cli("crd")

    assert (result.code, result.err) == (0, "")
    assert result.out == (CRD / "testrun.yaml").read_text()
    assert yaml.safe_load(result.out)["metadata"]["name"] == "testruns.sparktest.dev"


def test_the_rbac_manifest_is_printed(cli: Cli) -> None:
    assert cli("crd", "--rbac").out == (CRD / "rbac.yaml").read_text()
    roles = yaml.safe_load_all(cli("crd", "--rbac", "-n", "a", "-n", "b").out)
    namespaces = {each["metadata"].get("namespace") for each in roles if each["kind"] == "Role"}
    assert namespaces == {"a", "b", "sparktest"}


def test_every_example_can_be_printed(cli: Cli) -> None:
    assert {path.stem for path in (CRD / "examples").iterdir()} == set(EXAMPLES)
    for name in EXAMPLES:
        assert yaml.safe_load(cli("crd", "--example", name).out)["kind"] == "TestRun"


@pytest.mark.parametrize(
    "args",
    [
        ["--example", "nope"],
        ["--rbac", "--example", "exec"],
        ["--namespace", "team"],
        ["--controller-namespace", "team"],
        ["--rbac", "--namespace", "no/namespace"],
        ["--rbac", "--controller-namespace", "A"],
    ],
)
def test_anything_else_is_wrong_usage(cli: Cli, args: list[str]) -> None:
    assert cli("crd", *args).code == 2


def fields(schema: dict[str, Any], path: str = "TestRun") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield path and schema of an object, its fields, and the fields of these."""
    yield path, schema
    inner = schema.get("items") or schema
    for name, field in inner.get("properties", {}).items():
        yield from fields(field, f"{path}.{name}")


def test_kubectl_explain_has_a_sentence_for_every_field() -> None:
    version = yaml.safe_load((CRD / "testrun.yaml").read_text())["spec"]["versions"][0]
    explained = dict(fields(version["schema"]["openAPIV3Schema"]))
    assert "TestRun.spec.envFrom.secretRef.name" in explained
    assert "TestRun.status.conditions.lastTransitionTime" in explained
    found = {path: field.get("description", "") for path, field in explained.items()}
    found |= {
        f"column {column['name']}": column.get("description", "")
        for column in version["additionalPrinterColumns"]
    }
    assert [path for path, text in found.items() if not is_sentence(text)] == []


def is_sentence(text: str) -> bool:
    return text[:1].isupper() and text.endswith(".")


def test_crd_and_api_have_the_same_rules_for_the_repository() -> None:
    crd = yaml.safe_load((CRD / "testrun.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    fields = schema["properties"]["spec"]["properties"]["git"]["properties"]
    found = {name: fields[name]["pattern"] for name in ("url", "ref")}
    assert found == {"url": f"^({git.URL.pattern})$", "ref": f"^{git.REF.pattern}$"}
