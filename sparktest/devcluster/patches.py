"""Patches of the three media types: JSON, JSON merge and strategic merge. Pure."""

from copy import deepcopy
from typing import Any, cast

import jsonpatch

from sparktest.devcluster.api_errors import StatusError, bad_request
from sparktest.devcluster.schemas import field_schema
from sparktest.devcluster.validation_errors import json_type
from sparktest.merge_patch import merge_patch

JSON = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
ACCEPTED = (JSON, MERGE, STRATEGIC)
Tree = dict[str, Any]


def check_media_type(media_type: str, *, strategic: bool) -> None:
    """Reject a patch of an unsupported media type.

    `strategic`: the kind supports strategic merge patches; custom resources do not.

    Raises:
        StatusError: 415.
    """
    accepted = ACCEPTED if strategic else ACCEPTED[:2]
    if media_type not in accepted:
        raise StatusError(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - "
            f"accepted media types include: {', '.join(accepted)}"
            + ("; the dev cluster has no server-side apply" if media_type == APPLY else ""),
        )


def apply_patch(obj: Tree, patch: Any, media_type: str, schema: Tree) -> Tree:
    """Return the object after a patch; `obj` is not changed.

    Args:
        obj: the current object.
        patch: the decoded body.
        media_type: JSON, MERGE or STRATEGIC.
        schema: names the keys by which a strategic merge patch merges lists.

    Raises:
        StatusError: 400 or 422.
    """
    if media_type == JSON:
        return json_patch(obj, patch)
    if not isinstance(patch, dict):
        lead = "error decoding patch: " if media_type == MERGE else ""
        raise bad_request(f"{lead}{_type_error(patch, 'map[string]interface {}')}")
    if media_type == MERGE:
        return cast(Tree, merge_patch(obj, patch))
    return strategic_merge(obj, patch, schema)


def _type_error(patch: Any, wanted: str) -> str:
    name = "bool" if isinstance(patch, bool) else json_type(patch)
    return f"json: cannot unmarshal {name} into Go value of type {wanted}"


def json_patch(obj: Tree, operations: Any) -> Tree:
    """Return the object after a JSON patch; `obj` is not changed.

    Raises:
        StatusError: 400 if it is no list; 422 if an operation is invalid or does not apply.
    """
    if not isinstance(operations, list):
        raise bad_request(
            f"error decoding patch: {_type_error(operations, '[]handlers.jsonPatchOp')}"
        )
    try:
        return cast(Tree, jsonpatch.JsonPatch(operations).apply(obj))
    except (
        jsonpatch.JsonPatchException,
        jsonpatch.JsonPointerException,
        # Raised for an operation that has the wrong JSON type.
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:
        # A real API server does not say why either.
        text = "the server rejected our request due to an error in our request"
        raise StatusError(422, "Invalid", text) from error


def strategic_merge(obj: Any, patch: Tree, schema: Tree) -> Tree:
    """Return an object after a strategic merge patch: lists merge by the key of the schema."""
    if patch.get("$patch") == "replace":
        return {key: deepcopy(part) for key, part in patch.items() if key != "$patch"}
    result: Tree = dict(obj) if isinstance(obj, dict) else {}
    for key, part in patch.items():
        if key.startswith("$"):
            _directive(result, key, part)
            continue
        below = field_schema(schema, key) or {}
        if part is None:
            result.pop(key, None)
        elif isinstance(part, dict):
            result[key] = strategic_merge(result.get(key), part, below)
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
    # $setElementOrder is only about the order of a list; strategic_merge handles $patch.


def _merged_list(items: list[Any], patch: list[Any], schema: Tree) -> list[Any]:
    key = schema.get("x-kubernetes-patch-merge-key")
    if not key:
        if schema.get("x-kubernetes-patch-strategy") == "merge":
            return items + [item for item in patch if item not in items]
        return deepcopy(patch)
    if any(item.get("$patch") == "replace" for item in _objects(patch)):
        return [deepcopy(item) for item in patch if "$patch" not in item]
    result, item_schema = list(items), schema.get("items") or {}
    for change in _objects(patch):
        found = [item for item in result if item.get(key) == change.get(key)]
        if change.get("$patch") == "delete":
            result = [item for item in result if item not in found]
        elif found:
            result[result.index(found[0])] = strategic_merge(found[0], change, item_schema)
        else:
            result.append(strategic_merge({}, change, item_schema))
    return result


def _objects(items: list[Any]) -> list[Tree]:
    """Return the items; raise a StatusError (400) unless all of them are objects."""
    for item in items:
        if not isinstance(item, dict):
            raise bad_request(_type_error(item, "map[string]interface {}"))
    return items
