"""The three patches: JSON (RFC 6902), merge (RFC 7396), strategic merge. Pure."""

from copy import deepcopy
from typing import Any, cast

from sparktest.devcluster.breaches import json_type
from sparktest.devcluster.objects import METADATA_SCHEMA
from sparktest.devcluster.status import StatusError, bad_request

JSON = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
READ = (JSON, MERGE, STRATEGIC)
Tree = dict[str, Any]


def check(media_type: str, *, strategic_too: bool) -> None:
    """Refuse a patch that is none of the three; custom resources know no strategic one.

    Raises:
        StatusError: 415.
    """
    accepted = READ if strategic_too else READ[:2]
    if media_type not in accepted:
        raise StatusError(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - "
            f"accepted media types include: {', '.join(accepted)}"
            + ("; the dev cluster has no server-side apply" if media_type == APPLY else ""),
        )


def patched(obj: Tree, patch: Any, media_type: str, schema: Tree) -> Tree:
    """The object after the patch; the one given stays as it is.

    Args:
        obj: what to patch.
        patch: the decoded body.
        media_type: which of the three it is.
        schema: names the keys by which a strategic patch merges lists.

    Raises:
        StatusError: 400 or 422.
    """
    if media_type == JSON:
        return json_patched(obj, patch)
    if not isinstance(patch, dict):
        lead = "error decoding patch: " if media_type == MERGE else ""
        raise bad_request(f"{lead}{_misfit(patch, 'map[string]interface {}')}")
    if media_type == MERGE:
        return cast(Tree, merged(obj, patch))
    properties = {**schema.get("properties", {}), "metadata": METADATA_SCHEMA}
    return strategic(obj, patch, {"properties": properties})


def _misfit(patch: Any, wanted: str) -> str:
    name = "bool" if isinstance(patch, bool) else json_type(patch)
    return f"json: cannot unmarshal {name} into Go value of type {wanted}"


def merged(value: Any, patch: Any) -> Any:
    """A value after a JSON merge patch."""
    if not isinstance(patch, dict):
        return deepcopy(patch)
    result = dict(value) if isinstance(value, dict) else {}
    for key, part in patch.items():
        if part is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), part)
    return result


def json_patched(obj: Tree, operations: Any) -> Tree:
    """An object after a JSON patch.

    Raises:
        StatusError: 400, no patch; 422, it does not apply or a test in it failed.
    """
    if not isinstance(operations, list):
        raise bad_request(f"error decoding patch: {_misfit(operations, '[]handlers.jsonPatchOp')}")
    holder = {"": deepcopy(obj)}
    for operation in operations:
        try:
            _apply(holder, operation)
        except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
            # Why not is not said, nor is it by a real one.
            text = "the server rejected our request due to an error in our request"
            raise StatusError(422, "Invalid", text) from error
    return holder[""]


def _apply(holder: Tree, operation: Tree) -> None:
    name, path = operation["op"], operation["path"]
    if name in ("add", "replace"):
        _put(holder, path, deepcopy(operation["value"]), replace=name == "replace")
    elif name == "remove":
        _take(holder, path)
    elif name == "test":
        if _at(holder, path) != operation["value"]:
            raise ValueError(f"the value at {path} is not {operation['value']!r}")
    elif name in ("copy", "move"):
        value = deepcopy(_at(holder, operation["from"]))
        if name == "move":
            _take(holder, operation["from"])
        _put(holder, path, value, replace=False)
    else:
        raise ValueError(f"no operation is called {name!r}")


def _steps(path: str) -> list[str]:
    if path and not path.startswith("/"):
        raise ValueError(f"{path!r} does not begin with /")
    return [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")]


def _at(holder: Tree, path: str) -> Any:
    value: Any = holder
    for step in _steps(path):
        value = value[_index(step, len(value))] if isinstance(value, list) else value[step]
    return value


def _index(step: str, length: int) -> int:
    if not step.isdecimal() or int(step) >= length:
        raise IndexError(f"there is no index {step}")
    return int(step)


def _put(holder: Tree, path: str, value: Any, *, replace: bool) -> None:
    *parents, last = _steps(path)
    parent = _at(holder, "/".join(parents)) if parents else holder
    if isinstance(parent, dict):
        if replace and last not in parent:
            raise KeyError(f"there is nothing at {path}")
        parent[last] = value
    elif replace:
        parent[_index(last, len(parent))] = value
    else:
        parent.insert(len(parent) if last == "-" else _index(last, len(parent) + 1), value)


def _take(holder: Tree, path: str) -> None:
    *parents, last = _steps(path)
    parent = _at(holder, "/".join(parents))
    del parent[_index(last, len(parent)) if isinstance(parent, list) else last]


def strategic(obj: Any, patch: Tree, schema: Tree) -> Tree:
    """An object after a strategic merge patch; lists are merged by the key the schema names."""
    if patch.get("$patch") == "replace":
        return {key: deepcopy(part) for key, part in patch.items() if key != "$patch"}
    result: Tree = dict(obj) if isinstance(obj, dict) else {}
    for key, part in patch.items():
        if key.startswith("$"):
            _directive(result, key, part)
            continue
        below = _part_schema(schema, key)
        if part is None:
            result.pop(key, None)
        elif isinstance(part, dict):
            result[key] = strategic(result.get(key), part, below)
        elif isinstance(part, list):
            result[key] = _merged_list(result.get(key) or [], part, below)
        else:
            result[key] = part
    return result


def _directive(result: Tree, key: str, part: Any) -> None:
    name, _, field = key.partition("/")
    if name == "$deleteFromPrimitiveList":
        result[field] = [item for item in result.get(field) or [] if item not in part]
    elif name == "$retainKeys":
        for stale in result.keys() - set(part):
            del result[stale]
    # $setElementOrder says only how a client would sort; $patch was looked at before.


def _part_schema(schema: Tree, key: str) -> Tree:
    below = (schema.get("properties") or {}).get(key) or schema.get("additionalProperties")
    return below if isinstance(below, dict) else {}


def _merged_list(items: list[Any], patch: list[Any], schema: Tree) -> list[Any]:
    key = schema.get("x-kubernetes-patch-merge-key")
    if not key:
        if schema.get("x-kubernetes-patch-strategy") == "merge":
            return items + [item for item in patch if item not in items]
        return deepcopy(patch)
    if any(item.get("$patch") == "replace" for item in _objects(patch)):
        return [deepcopy(item) for item in patch if "$patch" not in item]
    result = list(items)
    for change in _objects(patch):
        found = [item for item in result if item.get(key) == change.get(key)]
        if change.get("$patch") == "delete":
            result = [item for item in result if item not in found]
        elif found:
            result[result.index(found[0])] = strategic(found[0], change, schema.get("items") or {})
        else:
            result.append(strategic({}, change, schema.get("items") or {}))
    return result


def _objects(items: list[Any]) -> list[Tree]:
    """The items, if all of them are objects; 400 if not."""
    for item in items:
        if not isinstance(item, dict):
            raise bad_request(_misfit(item, "map[string]interface {}"))
    return items
