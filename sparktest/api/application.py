"""The application: doors, checks, routes, OpenAPI document."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import flask_smorest  # type: ignore[import-untyped]
from flask import Flask, Response, request

from sparktest import __version__
from sparktest.api import auth, definitions, health, k8s, logs, parsing, problems, runs
from sparktest.api.context import AppContext, app_context, utc_now
from sparktest.api.response_schemas import ProblemSchema
from sparktest.api.store import controllers, open_store
from sparktest.errors import InvalidError
from sparktest.settings import Settings

MAX_BODY = 1024 * 1024
CONTROLLER = "SparkTest-Controller"
MAX_CLUSTER = 128


def create_app(settings: Settings, *, clock: Callable[[], datetime] = utc_now) -> Flask:
    """The application over the database that the settings name, which is up to date already.

    Args:
        settings: of the API.
        clock: the time now, aware, in UTC.

    Raises:
        InvalidError: the database's address is wrong, or its driver is missing.
    """
    app = Flask("sparktest", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    # A redirect to a cleaner path would be an HTML page, and lose the body of a POST.
    app.url_map.merge_slashes = False
    app.extensions["sparktest"] = AppContext(
        settings, open_store(app, settings.database_url), clock
    )
    auth.install(app)
    app.before_request(_note_controller)
    parsing.install(app)
    _serve_routes(app)
    problems.install(app)
    return app


class _Api(flask_smorest.Api):  # type: ignore[misc]
    """The OpenAPI document, with our own errors."""

    ERROR_SCHEMA = ProblemSchema

    def _register_responses(self) -> None:
        # The shared responses are the errors; all others are documented at their route.
        self.DEFAULT_RESPONSE_CONTENT_TYPE = problems.MIMETYPE
        super()._register_responses()
        del self.DEFAULT_RESPONSE_CONTENT_TYPE

    def handle_http_exception(self, error: Any) -> Response:
        """The error as a problem."""
        return problems.of_http(error)


def _serve_routes(app: Flask) -> None:
    app.config |= {
        "API_TITLE": "SparkTest",
        "API_VERSION": __version__,
        "OPENAPI_VERSION": "3.1.0",
        "OPENAPI_URL_PREFIX": "/api",
    }
    api = _Api(app)
    api.spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    api.spec.options["security"] = [{"token": []}]
    for blueprint, prefix in (
        (health.blueprint, ""),
        (definitions.blueprint, "/api/test-definitions"),
        (runs.blueprint, "/api/test-runs"),
        (logs.blueprint, "/api/test-runs"),
        (k8s.blueprint, "/api/k8s"),
    ):
        api.register_blueprint(blueprint, url_prefix=prefix)
    # The same routes by the name that earlier clients use; documented once is enough.
    for blueprint in (runs.blueprint, logs.blueprint):
        app.register_blueprint(blueprint, url_prefix="/api/runs", name=f"{blueprint.name}-alias")


def _note_controller() -> None:
    """Remember that a cluster's controller is there, when its request comes in."""
    cluster = request.headers.get(CONTROLLER)
    if cluster is None:
        return
    if not (cluster.isascii() and cluster.isprintable() and 0 < len(cluster) <= MAX_CLUSTER):
        raise InvalidError(f"{CONTROLLER}: the uid of a cluster, at most {MAX_CLUSTER} characters")
    ctx = app_context()
    if ctx.should_record_heartbeat(cluster):
        with ctx.store.writing() as connection:
            controllers.note(connection, cluster, ctx.clock())
