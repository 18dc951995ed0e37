"""The resource API: one request in, one response out."""

import base64
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec

from sparktest.devcluster import discovery, patches
from sparktest.devcluster.api_errors import StatusError, bad_request, expired
from sparktest.devcluster.deletion import DeleteOptions, delete
from sparktest.devcluster.kinds import Kinds
from sparktest.devcluster.representation import Representation, negotiate
from sparktest.devcluster.requests import (
    Request,
    Response,
    Target,
    error_response,
    json_response,
    parse_path,
    verb_of,
)
from sparktest.devcluster.resources import Change, Options, Resources
from sparktest.devcluster.selectors import Predicate, parse_selector
from sparktest.devcluster.stored_objects import StoredObject
from sparktest.devcluster.watch import WatchOptions, parse_version, watch

# Reviews are answered, not stored: the one token may do everything.
REVIEW_STATUS: dict[str, dict[str, Any]] = {
    "SelfSubjectAccessReview": {"allowed": True, "reason": "the token may do everything"},
    "SelfSubjectRulesReview": {
        "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        "incomplete": False,
    },
    "SelfSubjectReview": {
        "userInfo": {"username": "admin", "groups": ["system:masters", "system:authenticated"]}
    },
}
Log = Callable[[Request, str, str], Iterator[bytes | None]]


class Api:
    """The API of the dev cluster; `log` streams the log of a pod."""

    def __init__(self, resources: Resources, kinds: Kinds, log: Log) -> None:
        self.resources = resources
        self.kinds = kinds
        self.stream_log = log

    def respond(self, request: Request) -> Response:
        """Return the response to a request, which is a Status if it fails."""
        try:
            response = discovery.describe(request, self.kinds.all()) or self._execute(request)
        except StatusError as error:
            response = error_response(error)
        if request.warnings:
            # JSON escapes quotes and line breaks in the name of a field.
            texts = [f"299 - {json.dumps(warning)}" for warning in request.warnings]
            response.headers["Warning"] = ", ".join(texts)
        return response

    def _execute(self, request: Request) -> Response:
        target = parse_path(request.path, self.kinds)
        verb = verb_of(request, target)
        if target.subresource == "log":
            stream = self.stream_log(request, target.namespace, target.name)
            return Response(stream=stream, media_type="text/plain")
        include = request.query.get("includeObject", "Metadata")
        name = negotiate(request.headers.get("accept", ""))
        representation = Representation(target.kind, name, include, self.resources.clock)
        verbs: dict[str, Callable[[Request, Target, Representation], Response]] = {
            "get": self._get,
            "list": self._list,
            "watch": self._watch,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }
        return verbs[verb](request, target, representation)

    def _get(self, request: Request, target: Target, representation: Representation) -> Response:
        stored = self.resources.stored(target.kind, target.namespace, target.name)
        return Response(representation.encode(stored))

    def _list(self, request: Request, target: Target, representation: Representation) -> Response:
        store = self.resources.store
        with store.lock:
            version = store.version
            objects = store.objects(target.kind.key, target.namespace)
        if request.query.get("continue"):
            floor = store.history(target.kind.key).floor
            version, after = _decode_continue(request.query["continue"], floor)
            objects = [stored for stored in objects if (stored.namespace, stored.name) > after]
        predicate = _selector(request, target)
        if predicate:
            objects = [stored for stored in objects if predicate(stored)]
        meta: dict[str, Any] = {"resourceVersion": str(version)}
        limit = request.number("limit") or 0
        if 0 < limit < len(objects):
            if not predicate:
                meta["remainingItemCount"] = len(objects) - limit
            objects = objects[:limit]
            meta["continue"] = _encode_continue(version, objects[-1])
        return Response(representation.encode_list(objects, meta))

    def _watch(self, request: Request, target: Target, representation: Representation) -> Response:
        mark_initial = request.flag("sendInitialEvents")
        version = parse_version(request.query.get("resourceVersion", ""))
        options = WatchOptions(
            namespace=target.namespace,
            version=None if mark_initial else version,
            predicate=_selector(request, target),
            timeout_seconds=request.number("timeoutSeconds"),
            bookmarks=request.flag("allowWatchBookmarks"),
            mark_initial=mark_initial,
        )
        events = watch(self.resources.store, target.kind, options, representation.encode)
        return Response(stream=events)

    def _create(self, request: Request, target: Target, representation: Representation) -> Response:
        options, obj = _options(request), request.json_object()
        if not target.kind.custom and target.kind.kind in REVIEW_STATUS:
            return json_response(obj | {"status": REVIEW_STATUS[target.kind.kind]}, 201)
        made = self.resources.create(target.kind, target.namespace, obj, options)
        return Response(representation.encode_written(made), 201)

    def _update(self, request: Request, target: Target, representation: Representation) -> Response:
        obj = request.json_object()
        return self._write(request, target, representation, lambda current: obj)

    def _patch(self, request: Request, target: Target, representation: Representation) -> Response:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip()
        patches.check_media_type(media_type, strategic=not target.kind.custom)
        apply = partial(
            patches.apply_patch,
            patch=request.json(),
            media_type=media_type,
            schema=target.kind.schema,
        )
        return self._write(request, target, representation, apply)

    def _write(
        self, request: Request, target: Target, representation: Representation, change: Change
    ) -> Response:
        where = (target.kind, target.namespace, target.name)
        obj = self.resources.update(*where, change, _options(request), target.subresource)
        return Response(representation.encode_written(obj))

    def _delete(self, request: Request, target: Target, representation: Representation) -> Response:
        options = _delete_options(request)
        stored = self.resources.stored(target.kind, target.namespace, target.name)
        return json_response(delete(self.resources, target.kind, stored, options, request.warnings))

    def _delete_collection(
        self, request: Request, target: Target, representation: Representation
    ) -> Response:
        options, predicate = _delete_options(request), _selector(request, target)
        store = self.resources.store
        objects = store.objects(target.kind.key, target.namespace)
        chosen = [stored for stored in objects if not predicate or predicate(stored)]
        for stored in chosen:
            if store.get(*stored.key):
                delete(self.resources, target.kind, stored, options)
        return Response(representation.encode_list(chosen, {"resourceVersion": str(store.version)}))


def _selector(request: Request, target: Target) -> Predicate | None:
    labels, fields = (request.query.get(f"{name}Selector", "") for name in ("label", "field"))
    return parse_selector(target.kind, labels, fields)


def _options(request: Request) -> Options:
    dry_run = request.query.get("dryRun", "")
    if dry_run not in ("", "All"):
        raise bad_request(f'dryRun: Unsupported value: "{dry_run}": supported values: "All"')
    return Options(
        dry_run=bool(dry_run),
        patch=request.method == "PATCH",
        validation=request.query.get("fieldValidation", "Warn"),
        warnings=request.warnings,
    )


def _delete_options(request: Request) -> DeleteOptions:
    given = request.json_object() if request.body else {}
    query = request.query
    for name in ("gracePeriodSeconds", "propagationPolicy", "orphanDependents"):
        if query.get(name):
            given.setdefault(name, query[name])
    if query.get("dryRun"):
        given.setdefault("dryRun", [query["dryRun"]])
    try:
        return msgspec.convert(given, DeleteOptions, strict=False)
    except msgspec.ValidationError as error:
        raise bad_request(f"DeleteOptions: {error}") from error


def _encode_continue(version: int, last: StoredObject) -> str:
    place = msgspec.json.encode([version, last.namespace, last.name])
    return base64.urlsafe_b64encode(place).decode()


def _decode_continue(token: str, floor: int) -> tuple[int, tuple[str, str]]:
    """Return the version of the list, and the namespace and name of the previous page's end."""
    try:
        place = base64.urlsafe_b64decode(token.encode())
        version, namespace, name = msgspec.json.decode(place, type=tuple[int, str, str])
    except (ValueError, msgspec.DecodeError) as error:
        raise bad_request("continue key is not valid") from error
    if version < floor:
        raise expired("The provided continue parameter is too old: list again from the start")
    return version, (namespace, name)
