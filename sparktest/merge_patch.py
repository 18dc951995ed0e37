"""JSON Merge Patch (RFC 7396). Pure."""

from typing import Any


def merge_patch(target: Any, patch: Any) -> Any:
    """Return the target after the patch: null removes a key, objects merge, other values replace.

    The target is not changed; the result shares the parts that the patch does not touch.
    """
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged
