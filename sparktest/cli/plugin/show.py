"""TestRuns on stdout: as a table, as the objects that they are, or as names for kubectl."""

from collections.abc import Sequence

import click

from sparktest.cli.output import show_document, show_table
from sparktest.cli.plugin.testrun import KIND, TestRun, columns


def show_testruns(
    testruns: Sequence[TestRun], output: str, *, one: bool = False, everywhere: bool = False
) -> None:
    """Print the TestRuns in the order given.

    JSON and YAML hold a List as kubectl prints it, or the object itself where it is about `one`.
    """
    if output in ("json", "yaml"):
        items = [each.document for each in testruns]
        listed = {"apiVersion": "v1", "kind": "List", "items": items}
        show_document(items[0] if one else listed, output)
    elif output == "name":
        for each in testruns:
            click.echo(f"{KIND}/{each.name}")
    else:
        show_table(testruns, columns(everywhere=everywhere), output)
