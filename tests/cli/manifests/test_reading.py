from importlib.resources import files
from pathlib import Path

import pytest

from sparktest.cli.crd import EXAMPLES
from sparktest.cli.exits import Exit, ExitError
from sparktest.cli.manifests.reading import read_manifests

JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: unit}
spec: {backoffLimit: 2, template: {spec: {containers: [{name: t, image: busybox}]}}}
"""


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_can_be_run(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(str(files("sparktest.crd") / "examples" / f"{name}.yaml"))

    (manifest,) = read_manifests([path])

    assert manifest.name
    assert "image" in manifest.spec or "definitionName" in manifest.spec
    assert capsys.readouterr().err == ""


def test_files_are_read_in_order_with_their_warnings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "b.yaml", tmp_path / "a.yaml"
    first.write_text(f"{JOB}---{JOB.replace('unit', 'other')}")
    second.write_text(JOB.replace("unit", "last").replace("backoffLimit: 2, ", ""))

    found = read_manifests([first, second])

    assert [each.name for each in found] == ["unit", "other", "last"]
    assert capsys.readouterr().err.splitlines() == [
        f"sparktest: {first}: document {number} (Job {name}): spec.backoffLimit has no effect: a "
        "run that failed is not repeated"
        for number, name in ((1, "unit"), (2, "other"))
    ]


def test_every_problem_of_every_document_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "jobs.yaml"
    wrong = JOB.replace("backoffLimit", "backofLimit").replace("busybox", "busybox, imag: x")
    several = JOB.replace("backoffLimit", "completions")
    path.write_text(f"{JOB}---{wrong}---\nkind: Job\n---{several}")

    with pytest.raises(ExitError) as raised:
        read_manifests([path])

    assert raised.value.code is Exit.USAGE
    assert [*capsys.readouterr().err.splitlines(), raised.value.text] == [
        f"sparktest: {path}: document 2 (Job unit): spec.backofLimit: unknown field; did you mean "
        "backoffLimit?",
        f"sparktest: {path}: document 2 (Job unit): spec.template.spec.containers[0].imag: unknown "
        "field; did you mean image?",
        f"sparktest: {path}: document 3 (Job): Job is another kind; give a TestRun "
        "(sparktest.dev/v1alpha1), Job or CronJob (batch/v1) or Pod (v1)",
        f"{path}: document 4 (Job unit): spec.completions: must be 1: a run has one pod; nothing "
        "was started",
    ]
