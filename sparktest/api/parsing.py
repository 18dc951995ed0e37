"""Parse requests: strict JSON, all field errors at once, a warning for unknown fields."""

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from typing import Any, NoReturn, cast

import marshmallow as ma
import msgspec
from flask import Request, Response, g, request
from webargs.flaskparser import FlaskParser
from webargs.multidictproxy import MultiDictProxy
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import UnsupportedMediaType

from sparktest.api.fields import UNKNOWN_PARAMETER, Schema
from sparktest.errors import FieldError, InvalidError, MalformedError, TooLargeError

# Commands may have 1 MiB, and three times as much where JSON has escapes for other scripts.
MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 32
MAX_FIELDS_IN_WARNING = 10
UNKNOWN: dict[str, str | None] = {"json": ma.EXCLUDE, "query": ma.RAISE}


class QuerySchema(Schema):
    """Schema of a query whose fields do not depend on each other.

    Only the fields that a request has are loaded: lists are read often, and marshmallow's own way
    through all fields and hooks would take most of their time.
    """

    def load_args(self, args: MultiDict[str, str]) -> dict[str, Any]:
        """Return the loaded fields.

        Raises:
            InvalidError: with all field errors.
        """
        loaded, messages = dict(self._defaults), dict[str, Any]()
        for key in args:
            name, field = self._by_key.get(key, (key, None))
            if field is None:
                similar = get_close_matches(key, self._by_key, n=1)
                hint = f"; did you mean {similar[0]}?" if similar else ""
                messages[key] = [f"{UNKNOWN_PARAMETER}{hint}"]
                continue
            values = args.getlist(key)
            try:
                value = values if isinstance(field, ma.fields.List) else values[0]
                loaded[name] = field.deserialize(value)
            except ma.ValidationError as error:
                messages[key] = error.messages
        if messages:
            raise invalid(messages)
        return loaded

    @cached_property
    def _by_key(self) -> dict[str, tuple[str, ma.fields.Field[Any]]]:
        return {field.data_key or name: (name, field) for name, field in self.fields.items()}

    @cached_property
    def _defaults(self) -> dict[str, Any]:
        fields = self.fields.items()
        return {name: one.load_default for name, one in fields if one.load_default != ma.missing}


class Parser(FlaskParser):
    """Parser of bodies and queries for the schemas of the routes."""

    DEFAULT_UNKNOWN_BY_LOCATION = UNKNOWN

    def parse(self, argmap: Any, req: Request | None = None, **options: Any) -> Any:
        """Return the loaded body or query."""
        if not isinstance(argmap, QuerySchema):
            return super().parse(argmap, req, **options)
        args = request.args
        _refuse_nul(args)
        return argmap.load_args(args)

    def load_json(self, req: Request, schema: ma.Schema) -> Any:
        """Return the decoded body, `{}` for an empty one."""
        data = read_json(req, replace=getattr(schema, "replace_nul", False))
        g.unknown_fields = list(unknown_fields(schema, data))
        return data

    def load_querystring(self, req: Request, schema: ma.Schema) -> MultiDictProxy:
        """Return the query; refuse the character NUL, which no database can store."""
        _refuse_nul(req.args)
        return MultiDictProxy(req.args, schema)

    def handle_error(
        self, error: ma.ValidationError, req: Request, schema: ma.Schema, **kw: Any
    ) -> NoReturn:
        """Raise one error with all field errors."""
        # The only key is the location: json or query.
        (messages,) = cast("dict[str, Any]", error.messages).values()
        raise invalid(messages) from error


def _refuse_nul(args: MultiDict[str, str]) -> None:
    for name, value in args.items(multi=True):
        if "\0" in value:
            raise InvalidError.at(pointer([name]), "must not contain the character NUL")


def read_json(req: Request, *, replace: bool = False, required: bool = False) -> dict[str, Any]:
    """Return the JSON object in the body of the request, `{}` for an empty body.

    Args:
        req: the request.
        replace: replace the character NUL by U+FFFD instead of refusing it.
        required: refuse an empty body.

    Raises:
        UnsupportedMediaType: the Content-Type is not JSON, or the body is compressed.
        MalformedError: the body is not JSON.
        InvalidError: the body is not an object, or cannot be stored.
        TooLargeError: the body is larger than MAX_BODY_BYTES.
    """
    body = read_body(req, MAX_BODY_BYTES)
    if not body and required:
        raise InvalidError("a body is needed: a JSON object, which may be empty ({})")
    if not body:
        return {}
    if not req.is_json:
        raise UnsupportedMediaType("send JSON, with Content-Type: application/json")
    try:
        data = msgspec.json.decode(body)
        data = replace_nul(data) if replace else data
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedError(f"the body is not JSON: {error}") from error
    except RecursionError as error:
        raise MalformedError(f"the body is nested deeper than {MAX_DEPTH} levels") from error
    if not isinstance(data, dict):
        raise InvalidError("the body must be a JSON object")
    _refuse_unstorable(data, [])
    return data


def read_body(req: Request, max_bytes: int) -> bytes:
    """Return the body of the request, also when it was read before.

    Raises:
        UnsupportedMediaType: it is compressed.
        TooLargeError: it is larger; also for a chunked body, which werkzeug would truncate.
    """
    encoding = req.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedMediaType("send the body without a Content-Encoding")
    req.max_content_length = max_bytes + 1
    if (req.content_length or 0) <= max_bytes:
        body = req.get_data()
        if len(body) <= max_bytes:
            return body
    raise TooLargeError(f"the body is larger than {max_bytes} bytes")


def load(schema: ma.Schema, data: Any) -> dict[str, Any]:
    """Return the data as loaded by the schema.

    Raises:
        InvalidError: with all field errors.
    """
    g.unknown_fields = list(unknown_fields(schema, data))
    try:
        return dict(schema.load(data, unknown=ma.EXCLUDE))
    except ma.ValidationError as error:
        raise invalid(error.messages) from error


def invalid(messages: Any) -> InvalidError:
    """Return the error with all field errors of marshmallow's tree of messages."""
    errors = list(field_errors(messages))
    detail = "; ".join(f"{at['pointer']}: {at['detail']}".lstrip(": ") for at in errors)
    return InvalidError(detail, errors=errors)


def replace_nul(data: Any) -> Any:
    """Return the JSON value with U+FFFD in place of every character NUL."""
    if isinstance(data, str):
        return data.replace("\0", "\ufffd")
    if isinstance(data, dict):
        return {replace_nul(key): replace_nul(value) for key, value in data.items()}
    return [replace_nul(value) for value in data] if isinstance(data, list) else data


def _refuse_unstorable(data: Any, path: list[str]) -> None:
    if len(path) > MAX_DEPTH:
        raise MalformedError.at(pointer(path[:1]), f"is nested deeper than {MAX_DEPTH} levels")
    if isinstance(data, str) and "\0" in data:
        raise InvalidError.at(pointer(path), "must not contain the character NUL")
    if isinstance(data, dict):
        for key, value in data.items():
            _refuse_unstorable(key, path)
            _refuse_unstorable(value, [*path, key])
    elif isinstance(data, list):
        for index, value in enumerate(data):
            _refuse_unstorable(value, [*path, str(index)])


def unknown_fields(schema: ma.Schema, data: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the JSON pointers of all fields that the schema does not have."""
    if not isinstance(data, Mapping):
        return
    known = {field.data_key or name: field for name, field in schema.fields.items()}
    for key, value in data.items():
        if key not in known:
            yield pointer([*path, key])
            continue
        field, items = known[key], [((*path, key), value)]
        if isinstance(field, ma.fields.List) and isinstance(value, list):
            field, items = field.inner, [((*path, key, str(n)), one) for n, one in enumerate(value)]
        if isinstance(field, ma.fields.Nested):
            for item_path, item in items:
                yield from unknown_fields(field.schema, item, item_path)


def field_errors(messages: Any, path: tuple[str, ...] = ()) -> Iterator[FieldError]:
    """Yield the field errors in a tree of marshmallow's messages."""
    if isinstance(messages, Mapping):
        for key, below in messages.items():
            # marshmallow's names for the object itself and for the parts of a mapping; None is
            # the name that the fields of templates use.
            own = key in ("_schema", "key", "value", None) and isinstance(below, list)
            yield from field_errors(below, path if own else (*path, str(key)))
    else:
        for text in messages:
            yield {"pointer": pointer(path), "detail": str(text)}


def pointer(path: Any) -> str:
    """Return the JSON pointer (RFC 6901) of a path of keys."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)


def warn_unknown_fields(response: Response) -> Response:
    """Add a Warning header that names the ignored fields of the request."""
    unknown: list[str] = g.get("unknown_fields", [])
    if unknown:
        names = ", ".join(name[:64] for name in unknown[:MAX_FIELDS_IN_WARNING])
        others = len(unknown) - MAX_FIELDS_IN_WARNING
        more = f" and {others} more" if others > 0 else ""
        # json.dumps quotes any name as ASCII.
        text = json.dumps(f"unknown fields were ignored: {names}{more}")
        response.headers.add("Warning", f"299 - {text}")
    return response
