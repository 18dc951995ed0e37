"""The OpenAPI document: response schemas come from the msgspec structs of the routes."""

from collections.abc import Callable
from functools import cached_property, wraps
from http import HTTPStatus
from typing import Any, TypeVar, cast, get_args

import flask_smorest  # type: ignore[import-untyped]
import msgspec
from flask import Response, request

from sparktest.api import examples, operations, problems
from sparktest.api.fields import UNKNOWN_PARAMETER
from sparktest.api.parsing import Parser, invalid
from sparktest.api.serializers import required_keys
from sparktest.domain import Definition, Executor, Run, Scope
from sparktest.domain_schedules import Schedule
from sparktest.domain_suites import Suite, SuiteRun

# Their documents have every key, also of a field that has its default.
ANSWERS = (Run, Definition, Executor, Schedule, Suite, SuiteRun)
REFERENCE = "#/components/schemas/{name}"

View = TypeVar("View", bound=Callable[..., Response])


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]
    """Blueprint that parses requests with our parser and documents structs as responses.

    Its decorators keep the type of the view. A view without a query schema refuses every query
    parameter.
    """

    ARGUMENTS_PARSER = Parser()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.response_types: set[type] = set()

    def route(
        self, rule: str, *, scope: Scope | tuple[Scope, ...] = Scope.READ, **options: Any
    ) -> Callable[[View], View]:
        """Serve the view at a path, for tokens with this scope.

        Of several scopes, any one is enough; with none, the route needs no token.
        """
        decorate = super().route(rule, **options)
        scopes = (scope,) if isinstance(scope, Scope) else scope

        def register(view: View) -> View:
            # functools.wraps copies it to the decorators above.
            view.required_scopes = scopes  # type: ignore[attr-defined]
            # Each entry is an alternative; those of a bearer token list roles.
            _add_doc(view, security=[{"token": [each.value]} for each in scopes])
            decorate(view if hasattr(view, "reads_query") else _without_query(view))
            return view

        return register

    def arguments(self, schema: Any, **options: Any) -> Callable[[View], View]:
        """Pass the parsed body or query to the view, as its first argument."""
        # An instance: from a class, a new one would be made for every request.
        schema = schema() if isinstance(schema, type) else schema
        decorate = super().arguments(schema, **options)

        def parse(view: View) -> View:
            wrapped = decorate(view)
            if options.get("location") == "query":
                # functools.wraps copies it to the decorators above.
                wrapped.reads_query = True
            return cast(View, wrapped)

        return parse

    def response(self, status: int, body: Any = None, **options: Any) -> Callable[[View], View]:
        """Document the response: a struct, a list of a struct, or no body."""
        schema = self._schema(body)
        return cast("Callable[[View], View]", super().response(status, schema, **options))

    def alt_response(self, status: int, *, body: Any, **options: Any) -> Callable[[View], View]:
        """Document another response."""
        schema = self._schema(body)
        return cast(
            "Callable[[View], View]", super().alt_response(status, schema=schema, **options)
        )

    @staticmethod
    def doc(**options: Any) -> Callable[[View], View]:
        """Document what the decorators above cannot infer."""
        return cast("Callable[[View], View]", flask_smorest.Blueprint.doc(**options))

    @staticmethod
    def errors(*statuses: int) -> Callable[[View], View]:
        """Document errors that cannot be inferred, such as 410."""
        responses = {str(each): HTTPStatus(each).name for each in statuses}
        return lambda view: _add_doc(view, responses=responses)

    @staticmethod
    def versioned(view: View) -> View:
        """Document that the resource has an ETag, and what follows from it."""
        return _add_doc(view, **{operations.ETAG: True})

    def _schema(self, body: Any) -> dict[str, Any] | None:
        if body is None:
            return None
        item = get_args(body)[0] if get_args(body) else body
        self.response_types.add(item)
        reference = {"$ref": REFERENCE.format(name=item.__name__)}
        return reference if item is body else {"type": "array", "items": reference}


class Api(flask_smorest.Api):  # type: ignore[misc]
    """The OpenAPI document, with problems as its errors."""

    ERROR_SCHEMA = {"$ref": REFERENCE.format(name="Problem")}  # noqa: RUF012 - flask-smorest's

    def document_responses(self, types: set[type]) -> None:
        """Add the schemas of the structs, and of all that they refer to."""
        ordered = sorted({*types, problems.Problem}, key=lambda kind: kind.__name__)
        _, schemas = msgspec.json.schema_components(ordered, ref_template=REFERENCE)
        for struct in ANSWERS:
            schemas[struct.__name__]["required"] = required_keys(struct)
        for name, schema in schemas.items():
            self.spec.components.schema(name, schema)

    def _register_responses(self) -> None:
        components = self.spec.components
        for name, text in operations.HEADERS.items():
            header = {"description": text, "schema": {"type": "string"}}
            components.header(name, header, lazy=True)
        for name, text in operations.REQUEST_HEADERS.items():
            parameter = {"name": name, "description": text, "schema": {"type": "string"}}
            components.parameter(name, "header", parameter, lazy=True)
        for name, value in examples.RESPONSES.items():
            components.example(name, {"value": value})
        content: dict[str, Any] = {problems.MIMETYPE: {"schema": self.ERROR_SCHEMA}}
        for status, text in operations.ERRORS.items():
            response: dict[str, Any] = {"description": text, "content": content}
            if status == examples.RESPONSES["Problem"]["status"]:
                example = {"examples": {"Problem": examples.reference("Problem")}}
                response["content"] = {problems.MIMETYPE: content[problems.MIMETYPE] | example}
            if names := operations.ERROR_HEADERS.get(status):
                response["headers"] = {name: name for name in names}
            components.response(HTTPStatus(status).name, response, lazy=True)
        components.response("DEFAULT_ERROR", {"description": "Any error.", "content": content})

    def _openapi_json(self) -> Response:
        return Response(self._encoded, mimetype="application/json")

    # The page of the documentation needs it, and a browser sends no token.
    _openapi_json.required_scopes = ()  # type: ignore[attr-defined]

    @cached_property
    def _encoded(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self.spec.to_dict()), indent=2)

    def handle_http_exception(self, error: Any) -> Response:
        """Return the error as a problem."""
        return problems.from_http(error)


def _add_doc(view: View, **info: Any) -> View:
    # Unlike the decorator `doc`, this adds no call to every request.
    view.__dict__.setdefault("_apidoc", {}).setdefault("manual_doc", {}).update(info)
    return view


def _without_query(view: View) -> View:
    @wraps(view)
    def check(*args: Any, **kwargs: Any) -> Response:
        if request.args:
            raise invalid({name: [UNKNOWN_PARAMETER] for name in request.args})
        return view(*args, **kwargs)

    return cast(View, check)
