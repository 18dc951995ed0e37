"""What a request brings: strict JSON, every field error at once, unknown fields named.

Schemas say what is allowed; this is how they are asked.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn, TypeVar, cast

import flask_smorest  # type: ignore[import-untyped]
import marshmallow as ma
import msgspec
from flask import Flask, Request, Response, g
from webargs.flaskparser import FlaskParser
from webargs.multidictproxy import MultiDictProxy
from werkzeug.exceptions import UnsupportedMediaType

from sparktest.errors import FieldError, InvalidError, MalformedError

MAX_DEPTH = 32
NAMED_IN_WARNING = 10
UNKNOWN: dict[str, str | None] = {"json": ma.EXCLUDE, "query": ma.RAISE}

View = TypeVar("View", bound=Callable[..., Response])


class Parser(FlaskParser):
    """Reads the body and the query for the schemas of the routes."""

    DEFAULT_UNKNOWN_BY_LOCATION = UNKNOWN

    def load_json(self, req: Request, schema: ma.Schema) -> Any:
        """The decoded body, `{}` for none."""
        data = read_json(req, replace=getattr(schema, "replace_nul", False))
        g.unknown_fields = list(unknown_fields(schema, data))
        return data

    def load_querystring(self, req: Request, schema: ma.Schema) -> MultiDictProxy:
        """The query, after a look at what no database can store."""
        for name, value in req.args.items(multi=True):
            if "\0" in value:
                raise InvalidError.at(pointer([name]), "must not contain the character NUL")
        return MultiDictProxy(req.args, schema)

    def handle_error(
        self, error: ma.ValidationError, req: Request, schema: ma.Schema, **kw: Any
    ) -> NoReturn:
        """Every field error at once."""
        # One key: where the arguments came from.
        trees = list(error.messages.values()) if isinstance(error.messages, dict) else []
        raise invalid(trees) from error


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]
    """A blueprint whose arguments are read by our parser; its decorators keep the view's type."""

    ARGUMENTS_PARSER = Parser()

    def route(self, rule: str, **options: Any) -> Callable[[View], View]:
        """Serve the view at a path."""
        return cast("Callable[[View], View]", super().route(rule, **options))

    def arguments(self, schema: Any, **options: Any) -> Callable[[View], View]:
        """Give the view what the request brings, as its first argument."""
        # An instance: given the class, a new one would be made for every request.
        schema = schema() if isinstance(schema, type) else schema
        return cast("Callable[[View], View]", super().arguments(schema, **options))

    def response(self, status: int, schema: Any = None, **options: Any) -> Callable[[View], View]:
        """Document the answer; the view makes it."""
        return cast("Callable[[View], View]", super().response(status, schema, **options))

    @staticmethod
    def doc(**options: Any) -> Callable[[View], View]:
        """Say in the OpenAPI document what cannot be inferred."""
        return cast("Callable[[View], View]", flask_smorest.Blueprint.doc(**options))

    def alt_response(self, status: int, **options: Any) -> Callable[[View], View]:
        """Document another answer."""
        return cast("Callable[[View], View]", super().alt_response(status, **options))


def install(app: Flask) -> None:
    """Name the fields that were ignored in the answer."""
    app.after_request(_warn)


def read_json(req: Request, *, replace: bool = False) -> dict[str, Any]:
    """The body of the request, a JSON object; `{}` where it is empty.

    Args:
        req: the request.
        replace: put U+FFFD where the character NUL is, instead of refusing it.

    Raises:
        UnsupportedMediaType: the body says that it is something else.
        MalformedError: it is no JSON.
        InvalidError: it holds what cannot be stored.
    """
    body = req.get_data(cache=False)
    if not body:
        return {}
    if not req.is_json:
        raise UnsupportedMediaType("send JSON, with Content-Type: application/json")
    try:
        data = msgspec.json.decode(body)
        data = _without_nul(data) if replace else data
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedError(f"the body is no JSON: {error}") from error
    except RecursionError as error:
        raise MalformedError(f"the body is nested deeper than {MAX_DEPTH} levels") from error
    if not isinstance(data, dict):
        raise InvalidError("the body must be a JSON object")
    _refuse_unstorable(data, [])
    return data


def load(schema: ma.Schema, data: Any) -> dict[str, Any]:
    """The data as the schema loads it.

    Raises:
        InvalidError: every broken rule.
    """
    g.unknown_fields = list(unknown_fields(schema, data))
    try:
        return dict(schema.load(data, unknown=ma.EXCLUDE))
    except ma.ValidationError as error:
        raise invalid([error.messages]) from error


def invalid(trees: list[Any]) -> InvalidError:
    """The error that holds every broken rule of marshmallow's trees of messages."""
    errors = [found for tree in trees for found in field_errors(tree)]
    detail = "; ".join(f"{at['pointer']}: {at['detail']}".lstrip(": ") for at in errors)
    return InvalidError(detail, errors=errors)


def _without_nul(data: Any) -> Any:
    if isinstance(data, str):
        return data.replace("\0", "\ufffd")
    if isinstance(data, dict):
        return {_without_nul(key): _without_nul(value) for key, value in data.items()}
    return [_without_nul(value) for value in data] if isinstance(data, list) else data


def _refuse_unstorable(data: Any, path: list[str]) -> None:
    if len(path) > MAX_DEPTH:
        raise MalformedError(f"the body is nested deeper than {MAX_DEPTH} levels")
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
    """The pointers of all fields of the body that the schema does not know."""
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
            for place, item in items:
                yield from unknown_fields(field.schema, item, place)


def field_errors(messages: Any, path: tuple[str, ...] = ()) -> Iterator[FieldError]:
    """The errors of marshmallow's tree of messages, one a field and rule."""
    if isinstance(messages, Mapping):
        for key, below in messages.items():
            # These are marshmallow's own: the object itself, and the two halves of a mapping.
            own = key in ("_schema", "key", "value") and isinstance(below, list)
            yield from field_errors(below, path if own else (*path, str(key)))
    else:
        for text in messages:
            yield {"pointer": pointer(path), "detail": str(text)}


def pointer(path: Any) -> str:
    """The JSON pointer (RFC 6901) of a path of keys."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)


def _warn(response: Response) -> Response:
    unknown: list[str] = g.get("unknown_fields", [])
    if unknown:
        names = ", ".join(name[:64] for name in unknown[:NAMED_IN_WARNING])
        more = (
            ""
            if len(unknown) <= NAMED_IN_WARNING
            else f" and {len(unknown) - NAMED_IN_WARNING} more"
        )
        # json.dumps: ASCII in quotes, whatever the client called its fields.
        text = json.dumps(f"unknown fields were ignored: {names}{more}")
        response.headers.add("Warning", f"299 - {text}")
    return response
