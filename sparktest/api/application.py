"""Create the Flask application: checks, routes, OpenAPI document, error handlers."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Flask

from sparktest import __version__
from sparktest.api import (
    apply,
    audit,
    auth,
    batches,
    cors,
    definitions,
    docs_page,
    events,
    executors,
    health,
    heartbeats,
    hosts,
    k8s,
    logs,
    metrics_page,
    parsing,
    problems,
    run_lists,
    runs,
    schedules,
    suite_runs,
    suites,
    tokens,
)
from sparktest.api.context import AppContext, utc_now
from sparktest.api.metrics import Metrics
from sparktest.api.openapi import Api
from sparktest.api.operations import OperationsPlugin
from sparktest.api.store import open_store
from sparktest.settings import Settings

DESCRIPTION = "Runs tests on Kubernetes, and keeps what became of them."


def create_app(
    settings: Settings, *, clock: Callable[[], datetime] = utc_now, metrics: Metrics | None = None
) -> Flask:
    """Create the application over the database of the settings, which must be up to date.

    Args:
        settings: of the API.
        clock: returns the time now, aware, in UTC.
        metrics: of all processes of the server; default: of this one.

    Raises:
        InvalidError: the database URL is wrong, or its driver is missing.
    """
    app = _Application("sparktest", static_folder=None)
    # A redirect to a cleaned path would be an HTML page and lose the body of a POST.
    app.url_map.merge_slashes = False
    database = open_store(app, settings.database_url)
    app.extensions["sparktest"] = AppContext(
        settings, database, clock, metrics=metrics or Metrics()
    )
    app.before_request(metrics_page.start_clock)
    for check in (hosts.check_host, cors.answer_preflight, hosts.check_origin, auth.check_request):
        app.before_request(check)
    app.before_request(heartbeats.record)
    app.after_request(parsing.warn_unknown_fields)
    app.after_request(cors.add_headers)
    _register_routes(app)
    metrics_page.install(app)
    problems.install(app)
    return app


class _Application(Flask):
    """Flask without coroutines; it would look for them in each request."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function."""
        return func


def _register_routes(app: Flask) -> None:
    app.config |= {
        "API_TITLE": "SparkTest",
        "API_VERSION": __version__,
        "OPENAPI_VERSION": "3.1.0",
        "OPENAPI_URL_PREFIX": "/api",
        "API_SPEC_OPTIONS": {"info": {"description": DESCRIPTION}},
    }
    api = Api(app, spec_kwargs={"extra_plugins": [OperationsPlugin()]})
    api.spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    api.spec.options["security"] = [{"token": []}]
    routes = (
        (health.blueprint, ""),
        (metrics_page.blueprint, ""),
        (definitions.blueprint, definitions.definitions.path),
        (executors.blueprint, executors.executors.path),
        (schedules.blueprint, schedules.schedules.path),
        (apply.blueprint, "/api/apply"),
        (run_lists.blueprint, "/api/test-runs"),
        (runs.blueprint, "/api/test-runs"),
        (batches.blueprint, "/api"),
        (logs.blueprint, "/api/test-runs"),
        (suites.blueprint, suites.suites.path),
        (suite_runs.blueprint, "/api/suite-runs"),
        (events.blueprint, "/api/test-runs"),
        (k8s.blueprint, "/api/k8s"),
        (tokens.blueprint, "/api/tokens"),
        (audit.blueprint, "/api/audit"),
    )
    for blueprint, prefix in routes:
        api.register_blueprint(blueprint, url_prefix=prefix)
    api.document_responses(set().union(*(blueprint.response_types for blueprint, _ in routes)))
    docs_page.serve(app, api.spec)
    # The paths that earlier clients use; they are documented once, above.
    for blueprint in (run_lists.blueprint, runs.blueprint, logs.blueprint, events.blueprint):
        app.register_blueprint(blueprint, url_prefix="/api/runs", name=f"{blueprint.name}-alias")
