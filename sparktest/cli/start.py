"""The command run: a new run of a definition, of a manifest or of an image."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sparktest.cli.door import say, uses_api
from sparktest.cli.exits import Exit
from sparktest.cli.logs import followed, write_log
from sparktest.cli.references import find_definition
from sparktest.cli.waiting import outcome, patiently, until

if TYPE_CHECKING:
    from sparktest.client import ApiClient
    from sparktest.domain import Run


def pairs(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """`KEY=VALUE` texts as a mapping; the last of a key wins."""
    for value in values:
        if not value.partition("=")[0] or "=" not in value:
            raise click.BadParameter(f"{value!r} is not KEY=VALUE")
    return dict(value.split("=", 1) for value in values)


env_option = click.option(
    "-e", "--env", multiple=True, metavar="KEY=VALUE", callback=pairs, help="Repeatable."
)
commands_option = click.option(
    "--command", "commands", multiple=True, metavar="TEXT",
    help="A line for a shell. Repeat it for more: each runs if the one before ended well.",
)  # fmt: skip
timeout_option = click.option("--timeout", type=click.IntRange(1), metavar="SECONDS")


@click.command("run")
@click.argument("words", metavar="[DEFINITION] [-- PROGRAM [ARG]...]", nargs=-1)
@click.option(
    "-f", "--filename", type=click.Path(path_type=Path), metavar="FILE",
    help="A TestRun manifest, run without a TestRun object; - is stdin.",
)  # fmt: skip
@click.option("--image", metavar="IMAGE", help="Run an image, without a definition.")
@commands_option
@env_option
@click.option("--name", metavar="NAME")
@timeout_option
@click.option("--wait", is_flag=True, help="Until it has ended; the exit code says how.")
@click.option("--follow", is_flag=True, help="As --wait, with the log on stdout.")
@uses_api
def run(
    client: "ApiClient",
    words: tuple[str, ...],
    filename: Path | None,
    image: str | None,
    commands: tuple[str, ...],
    env: dict[str, str],
    name: str | None,
    timeout: int | None,
    wait: bool,
    follow: bool,
) -> Exit:
    """Start a run and print its id.

    What to run is a definition (id, beginning of its id, or name), a manifest (-f) or an image
    (--image). What follows -- is run without a shell.
    """
    reference = words[0] if words and not (filename or image) else None
    program = list(words[1:] if reference else words)
    if [reference, filename, image].count(None) != 2:
        raise click.UsageError("Give one of: a definition, -f FILE, --image IMAGE.")
    if program and commands:
        raise click.UsageError("Give --command or a program behind --, not both.")
    body = _body(filename, image) | _given(
        name=name, commands=list(commands), command=program, timeoutSeconds=timeout
    )
    if env:
        body["env"] = {**(body.get("env") or {}), **env}
    if reference:
        started = client.run_definition(find_definition(client, reference).id, body)
    else:
        started = client.create_run(body)
    click.echo(started.id, err=follow)
    return attend(client, started, follow=follow) if wait or follow else Exit.PASSED


def attend(client: "ApiClient", started: "Run", *, follow: bool) -> Exit:
    """The exit code of the run, once it has ended; with its log on stdout if followed."""
    if follow:
        started = until(client, started, lambda run: run.status.value != "pending")
        try:
            write_log(followed(client, started.id))
        except KeyboardInterrupt:
            say(f"{started.name} goes on; see: sparktest logs -f {started.id}")
            raise
        started = patiently(partial(client.get_run, started.id))
    return outcome(until(client, started, lambda run: run.status.final))


def _body(filename: Path | None, image: str | None) -> dict[str, Any]:
    if filename:
        from sparktest.cli.manifests import of_testrun

        return of_testrun(filename)
    if image:
        # The last part of the image, without tag and digest, where no --name says more.
        return {"image": image, "name": image.rsplit("/", 1)[-1].split("@")[0].split(":")[0]}
    return {}


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}
