"""The API: a request in, an answer out."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from sparktest.devcluster import discovery, patches, reviews
from sparktest.devcluster.api_errors import (
    StatusError,
    bad_request,
    cause,
    expired,
    invalid,
)
from sparktest.devcluster.deletion import DeleteOptions, delete
from sparktest.devcluster.entries import Entry, Object
from sparktest.devcluster.kinds import Kinds
from sparktest.devcluster.representation import Representation, negotiate
from sparktest.devcluster.requests import (
    Answer,
    Request,
    Target,
    answered,
    target,
    verb_of,
    warning_headers,
)
from sparktest.devcluster.resources import Options, Resources
from sparktest.devcluster.selectors import selector
from sparktest.devcluster.watch import WatchOptions, version_of, watch

Log = Callable[[Request, str, str], Iterator[bytes | None]]


class Api:
    """Everything that can be asked of the dev cluster; `log` answers for the logs of pods."""

    def __init__(self, resources: Resources, kinds: Kinds, log: Log) -> None:
        self.resources = resources
        self.kinds = kinds
        self.log = log

    def answer(self, request: Request) -> Answer:
        """The answer to a request.

        Raises:
            StatusError: whatever is wrong with it.
        """
        described = discovery.describe(request, self.kinds.all())
        if described is not None:
            return described
        aim = target(request.path, self.kinds)
        return self._carry_out(request, aim, verb_of(request, aim))

    def _carry_out(self, request: Request, aim: Target, verb: str) -> Answer:
        if aim.subresource == "log":
            stream = self.log(request, aim.namespace, aim.name)
            return Answer(stream=stream, media_type="text/plain")
        include = request.query.get("includeObject", "Metadata")
        name = negotiate(request.headers.get("accept", ""))
        form = Representation(aim.kind, name, include, self.resources.clock)
        verbs: dict[str, Callable[[Request, Target, Representation], Answer]] = {
            "get": self._get,
            "list": self._list,
            "watch": self._watch,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_all,
        }
        return verbs[verb](request, aim, form)

    def _get(self, request: Request, aim: Target, form: Representation) -> Answer:
        return Answer(form.encode(self.resources.entry(aim.kind, aim.namespace, aim.name)))

    def _list(self, request: Request, aim: Target, form: Representation) -> Answer:
        store = self.resources.store
        with store.lock:
            version = store.version
            entries = store.entries(aim.kind.key, aim.namespace)
        if request.query.get("continue"):
            version, after = _continued(
                request.query["continue"], store.history(aim.kind.key).floor
            )
            entries = [entry for entry in entries if (entry.namespace, entry.name) > after]
        test = _selector(request, aim)
        if test:
            entries = [entry for entry in entries if test(entry)]
        meta: dict[str, Any] = {"resourceVersion": str(version)}
        limit = request.number("limit") or 0
        if 0 < limit < len(entries):
            if not test:
                meta["remainingItemCount"] = len(entries) - limit
            entries = entries[:limit]
            meta["continue"] = _continue(version, entries[-1])
        return Answer(form.encode_list(entries, meta))

    def _watch(self, request: Request, aim: Target, form: Representation) -> Answer:
        options = WatchOptions(
            namespace=aim.namespace,
            version=version_of(request.query.get("resourceVersion", "")),
            test=_selector(request, aim),
            timeout_seconds=request.number("timeoutSeconds"),
            bookmarks=request.flag("allowWatchBookmarks"),
            mark_initial=request.flag("sendInitialEvents"),
        )
        if options.mark_initial:
            options = msgspec.structs.replace(options, version=None)
        return Answer(stream=watch(self.resources.store, aim.kind, options, form.encode))

    def _create(self, request: Request, aim: Target, form: Representation) -> Answer:
        options = _options(request)
        obj = request.json()
        if reviews.is_question(aim.kind):
            return answered(reviews.answered(aim.kind, obj), 201)
        with _warning(options):
            made = self.resources.create(aim.kind, aim.namespace, obj, options)
        return Answer(form.encode_written(made), 201, warning_headers(options.warnings))

    def _update(self, request: Request, aim: Target, form: Representation) -> Answer:
        body = request.json()
        self.resources.entry(aim.kind, aim.namespace, aim.name)
        if aim.kind.custom and not _version(body):
            text = "Invalid value: 0x0: must be specified for an update"
            causes = [cause("Invalid", "metadata.resourceVersion", text)]
            raise invalid(aim.kind.kind, aim.kind.group, aim.name, causes)
        return self._changed(request, aim, form, lambda current: body)

    def _patch(self, request: Request, aim: Target, form: Representation) -> Answer:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip()
        patches.check_media_type(media_type, strategic=not aim.kind.custom)
        patch, schema = request.json(), aim.kind.schema
        return self._changed(
            request, aim, form, lambda obj: patches.apply_patch(obj, patch, media_type, schema)
        )

    def _changed(
        self,
        request: Request,
        aim: Target,
        form: Representation,
        change: Callable[[Object], Object],
    ) -> Answer:
        options = _options(request)
        where = (aim.kind, aim.namespace, aim.name)
        with _warning(options):
            obj = self.resources.update(*where, change, options, aim.subresource)
        return Answer(form.encode_written(obj), headers=warning_headers(options.warnings))

    def _delete(self, request: Request, aim: Target, form: Representation) -> Answer:
        warnings: list[str] = []
        entry = self.resources.entry(aim.kind, aim.namespace, aim.name)
        gone = delete(self.resources, aim.kind, entry, _delete_options(request), warnings)
        return Answer(msgspec.json.encode(gone), headers=warning_headers(warnings))

    def _delete_all(self, request: Request, aim: Target, form: Representation) -> Answer:
        options, test = _delete_options(request), _selector(request, aim)
        entries = self.resources.store.entries(aim.kind.key, aim.namespace)
        chosen = [entry for entry in entries if not test or test(entry)]
        for entry in chosen:
            if self.resources.store.get(*entry.place):
                delete(self.resources, aim.kind, entry, options)
        return Answer(
            form.encode_list(chosen, {"resourceVersion": str(self.resources.store.version)})
        )


def _version(body: Any) -> Any:
    meta = body.get("metadata") if isinstance(body, dict) else None
    return meta.get("resourceVersion") if isinstance(meta, dict) else None


def _selector(request: Request, aim: Target) -> Callable[[Entry], bool] | None:
    query = request.query
    return selector(aim.kind, query.get("labelSelector", ""), query.get("fieldSelector", ""))


def _options(request: Request) -> Options:
    dry_run = request.query.get("dryRun", "")
    if dry_run not in ("", "All"):
        raise bad_request(f'dryRun: Unsupported value: "{dry_run}": supported values: "All"')
    return Options(
        dry_run=bool(dry_run),
        patch=request.method == "PATCH",
        validation=request.query.get("fieldValidation", "Warn"),
    )


def _delete_options(request: Request) -> DeleteOptions:
    given = request.json() if request.body else {}
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


def _continue(version: int, last: Entry) -> str:
    place = msgspec.json.encode([version, last.namespace, last.name])
    return base64.urlsafe_b64encode(place).decode()


def _continued(token: str, floor: int) -> tuple[int, tuple[str, str]]:
    """The version of the list that goes on, and the last place of the page before."""
    try:
        place = base64.urlsafe_b64decode(token.encode())
        version, namespace, name = msgspec.json.decode(place, type=tuple[int, str, str])
    except (ValueError, msgspec.DecodeError) as error:
        raise bad_request("continue key is not valid") from error
    if version < floor:
        raise expired("The provided continue parameter is too old: list again from the start")
    return version, (namespace, name)


@contextmanager
def _warning(options: Options) -> Iterator[None]:
    """Have the warnings go along with an error too."""
    try:
        yield
    except StatusError as error:
        error.warnings = options.warnings
        raise
