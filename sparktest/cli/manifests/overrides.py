"""Override fields of a spec with options of the command line. Pure."""

from collections.abc import Mapping, Sequence

from sparktest.cli.options import without_empty
from sparktest.kube.fields import Object, items, mapping
from sparktest.kube.pod_template import test_container

# A program given on the command line replaces all of these.
PROGRAM_FIELDS = ("commands", "command", "args")


def override_spec(
    spec: Mapping[str, object],
    *,
    image: str | None = None,
    commands: Sequence[str] = (),
    program: Sequence[str] = (),
    env: Mapping[str, str],
    timeout: int | None = None,
) -> Object:
    """Return the spec of a run with what the options give; env merges by name.

    Args:
        spec: of a TestRun, or the body of a request.
        image: replaces that of the test container, wherever the spec has it.
        commands: for a shell.
        program: runs without a shell.
        env: more variables.
        timeout: in seconds.
    """
    replaced = PROGRAM_FIELDS if commands or program else ()
    changed = {name: value for name, value in spec.items() if name not in replaced}
    if image:
        changed |= _with_image(changed, image)
    if env:
        changed["env"] = {**mapping(changed, "env"), **env}
    return changed | without_empty(
        commands=list(commands), command=list(program), timeoutSeconds=timeout
    )


def _with_image(spec: Object, image: str) -> Object:
    """Return the field of the spec that has the image, with this one."""
    template = mapping(spec, "template")
    test = test_container(template) or {}
    if spec.get("image") or not test.get("image"):
        return {"image": image}
    pod = mapping(template, "spec")
    containers = [
        {**each, "image": image} if each is test else each for each in items(pod, "containers")
    ]
    return {"template": {**template, "spec": {**pod, "containers": containers}}}
