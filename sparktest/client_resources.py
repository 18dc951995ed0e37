"""ResourceClient: the calls that all objects with a unique name have."""

from typing import Any, Generic, TypeVar
from urllib.parse import quote

import msgspec

from sparktest.domain import WireStruct
from sparktest.http import HttpTransport
from sparktest.responses import read_cursor

S = TypeVar("S", bound=WireStruct)

PAGE_SIZE = 1000


class ResourceClient(Generic[S]):
    """The calls for one kind of object, such as `client.executors`.

    Args:
        http: the transport of the client.
        path: the path of the list below /api.
        struct: the type of the objects.
    """

    def __init__(self, http: HttpTransport, path: str, struct: type[S]) -> None:
        self.path = path
        self._http = http
        self._struct = struct

    def list(self, *, q: str | None = None) -> tuple[S, ...]:
        """Return all objects, newest first; with `q`, those with this part in their name."""
        found: list[S] = []
        params: dict[str, Any] = {"q": q, "limit": PAGE_SIZE}
        while True:
            response = self._http.call("GET", self.path, params=params)
            found += self._http.value(response, tuple[self._struct, ...])  # type: ignore[name-defined]
            params["cursor"] = read_cursor(response.headers)
            if params["cursor"] is None:
                return tuple(found)

    def get(self, key: str) -> S:
        """Return the object with this id."""
        return self._http.fetch(self._struct, "GET", self.path_of(key))

    def create(self, body: dict[str, Any]) -> S:
        """Create an object; raise ConflictError when the name is taken."""
        return self._http.fetch(self._struct, "POST", self.path, json=body)

    def replace(self, key: str, body: dict[str, Any], *, version: int | None = None) -> S:
        """Replace the object; what the body does not have becomes empty.

        Raises:
            PreconditionError: it has another version.
        """
        headers = _if_match(version)
        return self._http.fetch(self._struct, "PUT", self.path_of(key), json=body, headers=headers)

    def patch(self, key: str, body: dict[str, Any], *, version: int | None = None) -> S:
        """Apply a JSON Merge Patch to the object.

        Raises:
            PreconditionError: it has another version.
        """
        return self._http.fetch(
            self._struct,
            "PATCH",
            self.path_of(key),
            data=msgspec.json.encode(body),
            headers={"Content-Type": "application/merge-patch+json"} | _if_match(version),
        )

    def delete(self, key: str) -> None:
        """Delete the object."""
        self._http.call("DELETE", self.path_of(key))

    def path_of(self, key: str) -> str:
        """Return the path of an object below /api."""
        return f"{self.path}/{quote(key, safe='')}"


def _if_match(version: int | None) -> dict[str, str]:
    return {} if version is None else {"If-Match": f'"{version}"'}
