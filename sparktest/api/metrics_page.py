"""The page /metrics for Prometheus, and the recording of requests."""

import time
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, g, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from sparktest.api.context import AppContext, app_context
from sparktest.api.openapi import Blueprint
from sparktest.api.store import runs
from sparktest.domain import Status

# Counting reads the whole index, which takes up to a second for a million runs.
COUNT_EVERY_SECONDS = 30.0
CONTENT = {"text/plain": {"schema": {"type": "string"}}}

blueprint = Blueprint("metrics", __name__, description="Metrics for Prometheus.")


@blueprint.route("/metrics")
@blueprint.doc(responses={"200": {"description": "The metrics", "content": CONTENT}})
def metrics() -> Response:
    """Return the metrics of all processes of this API in the text format of Prometheus."""
    ctx = app_context()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ctx.metrics)
    registry.register(RunCounts(ctx))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class RunCounts:
    """The number of runs by status, at most `COUNT_EVERY_SECONDS` old."""

    def __init__(self, ctx: AppContext) -> None:
        self._ctx = ctx

    def collect(self) -> Any:
        """Yield the number of runs by status."""
        family = GaugeMetricFamily(
            "sparktest_runs", "Stored runs by status; counted every 30 seconds.", labels=["status"]
        )
        for status, count in self._counts().items():
            family.add_metric([status], count)
        yield family

    def _counts(self) -> Mapping[Status, int]:
        now = time.monotonic()
        counted_at, counts = self._ctx.run_counts
        if counts is None or now > counted_at + COUNT_EVERY_SECONDS:
            with self._ctx.store.reading() as connection:
                counts = runs.count_by_status(connection)
            self._ctx.run_counts = (now, counts)
        return counts


def install(app: Flask) -> None:
    """Record every request; call it before other functions that may answer one."""
    rules = [rule.rule for rule in app.url_map.iter_rules()]
    app.extensions["sparktest"].metrics.set_routes(rules)
    app.after_request(_record)


def start_clock() -> None:
    """Remember when the request began."""
    g.started = time.perf_counter()


def _record(response: Response) -> Response:
    rule = request.url_rule.rule if request.url_rule else None
    seconds = time.perf_counter() - g.started
    app_context().metrics.record_request(rule, request.method, response.status_code, seconds)
    return response
