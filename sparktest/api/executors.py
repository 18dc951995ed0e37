"""Routes of executors."""

from typing import Any

from sqlalchemy import Connection

from sparktest.api.openapi import Blueprint
from sparktest.api.resource_schemas import ExecutorInputSchema
from sparktest.api.resources import MAX_NAMES, Resource, add_routes, refuse_if_used
from sparktest.api.specs import executor_defaults, resolve_spec, template_error
from sparktest.api.store import resources as store
from sparktest.api.store.engine import Row
from sparktest.domain import Executor
from sparktest.errors import InvalidError


class Executors(Resource):
    """Executors, which definitions refer to."""

    def prepare(self, connection: Connection, row: dict[str, Any]) -> dict[str, Any]:
        """Check that the template has one test container, and that one image is given."""
        defaults = executor_defaults(row)
        if error := template_error(defaults):
            raise InvalidError.at(**error)
        if not resolve_spec(defaults, None, None, default_timeout_seconds=1)["image"]:
            raise InvalidError.at("/image", "is required: the template's test container has none")
        return row

    def before_delete(self, connection: Connection, row: Row) -> None:
        """Refuse to delete an executor that a definition uses.

        Without its command, the definition would run something else, which might succeed.
        """
        names = store.names_of_definitions(connection, row["id"], MAX_NAMES)
        refuse_if_used("definitions", names, "executorId")


executors = Executors(
    "executor", "/api/test-executors", Executor, ExecutorInputSchema, store.EXECUTORS
)
blueprint = Blueprint(
    "test-executors", __name__, description="Executors: named kinds of test runners."
)
add_routes(blueprint, executors)
