"""The command crd: the manifests that SparkTest ships."""

from importlib.resources import files

import click

from sparktest.cli import rbac
from sparktest.settings import NAMESPACE

EXAMPLES = ("testrun", "failing", "timeout", "exec", "definition")


def _namespaces(
    context: click.Context, option: click.Parameter, names: str | tuple[str, ...]
) -> str | tuple[str, ...]:
    for name in (names,) if isinstance(names, str) else names:
        if not NAMESPACE.fullmatch(name):
            raise click.BadParameter(f"{name!r} is not the name of a namespace")
    return names


@click.command("crd")
@click.option(
    "--rbac", "wants_rbac", is_flag=True, help="The rights of the controller and the API."
)
@click.option(
    "-n",
    "--namespace",
    "namespaces",
    multiple=True,
    metavar="NAME",
    callback=_namespaces,
    help="With --rbac: rights in this namespace only, without a ClusterRole; repeatable.",
)
@click.option(
    "--controller-namespace",
    metavar="NAME",
    default=rbac.NAMESPACE,
    show_default=True,
    callback=_namespaces,
    help="With --rbac: the namespace in which controller and API run.",
)
@click.option("--example", type=click.Choice(EXAMPLES), help="An example TestRun.")
def crd(
    wants_rbac: bool, namespaces: tuple[str, ...], controller_namespace: str, example: str | None
) -> None:
    """Print manifests for kubectl apply -f -.

    Without options: the CRD of TestRuns.
    """
    if wants_rbac and example:
        raise click.UsageError("Give --rbac or --example, not both.")
    if not wants_rbac and (namespaces or controller_namespace != rbac.NAMESPACE):
        raise click.UsageError("--namespace and --controller-namespace go with --rbac.")
    if wants_rbac:
        text = rbac.manifests(namespaces, controller_namespace)
    else:
        text = manifest(f"examples/{example}.yaml" if example else "testrun.yaml")
    click.echo(text, nl=False)


def manifest(name: str) -> str:
    """Return the text of a manifest, by its path in the folder crd."""
    return (files("sparktest.crd") / name).read_text(encoding="utf-8")
