"""The documentation page: the OpenAPI document as one HTML page without scripts.

The packaged viewers need a second web framework, or cannot read version 3.1.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from apispec import APISpec
from flask import Flask, Response
from jinja2 import Environment
from markupsafe import Markup, escape

Schema = Mapping[str, Any]
Document = Mapping[str, Any]

# Keywords that bound a value, and how they are shown.
BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matches {}",
    "default": "default {}",
}
# The page loads nothing, and runs no script.
CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


class Operation(NamedTuple):
    """An operation as the page shows it."""

    method: str
    path: str
    doc: Mapping[str, Any]
    parameters: list[Mapping[str, Any]]
    scopes: list[str]


def serve(app: Flask, spec: APISpec) -> None:
    """Serve the page at /api/docs, without a token: a browser sends none."""
    # Rendered once; all routes are registered by the time of the first request.
    page = cache(lambda: render(spec.to_dict()))

    def docs() -> Response:
        headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY}
        return Response(page(), mimetype="text/html", headers=headers)

    docs.required_scopes = ()  # type: ignore[attr-defined]
    app.add_url_rule("/api/docs", view_func=docs)


def render(document: Document) -> str:
    """Return the page of an OpenAPI document."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}
    environment.filters |= {"type": type_of, "bounds": bounds, "anchor": anchor, "prose": prose}
    source = resources.files("sparktest.api").joinpath("templates/docs.html")
    template = environment.from_string(source.read_text(encoding="utf-8"))
    return template.render(
        info=document["info"],
        groups=_groups(document),
        schemas=sorted(document["components"]["schemas"].items()),
        examples=document["components"].get("examples", {}),
        resolve=lambda value: resolve(document, value),
    )


def resolve(document: Document, value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a reference refers to; the value itself if it is none."""
    if "$ref" not in value:
        return value
    place: Any = document
    for part in value["$ref"].removeprefix("#/").split("/"):
        place = place[part]
    return dict(place)


def prose(text: str) -> Markup:
    """Return a description with what is between backticks as code."""
    parts = [escape(part) for part in text.split("`")]
    parts[1::2] = [Markup("<code>{}</code>").format(part) for part in parts[1::2]]
    return Markup("").join(parts)


def type_of(schema: Schema) -> Markup:
    """Return the type of a schema; a named one links to its place on the page."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Markup('<a href="#schema-{0}">{0}</a>').format(name)
    for keyword in ("anyOf", "oneOf", "allOf"):
        if keyword in schema:
            return Markup(" or ").join(type_of(each) for each in schema[keyword])
    if "enum" in schema:
        return Markup(" | ").join(Markup("<code>{}</code>").format(each) for each in schema["enum"])
    if "const" in schema:
        return Markup("<code>{}</code>").format(schema["const"])
    kind = schema.get("type", "any")
    if kind == "array" and schema.get("items"):
        return Markup("list of ") + type_of(schema["items"])
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return Markup("object of ") + type_of(schema["additionalProperties"])
    names = kind if isinstance(kind, list) else [kind]
    return escape(schema.get("format") or " or ".join(names))


def bounds(schema: Schema) -> str:
    """Return the limits of a schema as a text."""
    # A minimal length of 0 bounds nothing.
    given = {keyword: schema[keyword] for keyword in BOUNDS if keyword in schema}
    return ", ".join(
        BOUNDS[keyword].format(value)
        for keyword, value in given.items()
        if (keyword, value) != ("minLength", 0)
    )


def anchor(operation: Operation) -> str:
    """Return the anchor of an operation."""
    return str(operation.doc.get("operationId") or f"{operation.method}-{operation.path}")


def _groups(document: Document) -> list[tuple[Mapping[str, Any], list[Operation]]]:
    """Return the tags, in the order of the document, with their operations."""
    operations = list(_operations(document))
    return [
        (tag, [each for each in operations if tag["name"] in each.doc["tags"]])
        for tag in document["tags"]
    ]


def _operations(document: Document) -> Iterator[Operation]:
    for path, item in document["paths"].items():
        shared = item.get("parameters", [])
        for method, doc in item.items():
            if method == "parameters":
                continue
            parameters = [resolve(document, p) for p in (*shared, *doc.get("parameters", []))]
            scopes = [scope for entry in doc["security"] for scope in entry["token"]]
            yield Operation(method.upper(), path, doc, parameters, scopes)
