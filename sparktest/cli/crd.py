"""The command crd: the manifests that SparkTest ships."""

from importlib.resources import files

import click

EXAMPLES = ("testrun", "failing", "timeout", "exec", "definition")


@click.command("crd")
@click.option("--rbac", is_flag=True, help="The RBAC roles of the controller and the API.")
@click.option("--example", type=click.Choice(EXAMPLES), help="An example TestRun.")
def crd(rbac: bool, example: str | None) -> None:
    """Print manifests for kubectl apply -f -.

    Without options: the CRD of TestRuns.
    """
    if rbac and example:
        raise click.UsageError("Give --rbac or --example, not both.")
    name = "rbac.yaml" if rbac else f"examples/{example}.yaml" if example else "testrun.yaml"
    click.echo(manifest(name), nl=False)


def manifest(name: str) -> str:
    """Return the text of a manifest, by its path in the folder crd."""
    return (files("sparktest.crd") / name).read_text(encoding="utf-8")
