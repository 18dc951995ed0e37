"""An HTTPS client for tests, and helpers for objects and conditions."""

import base64
import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

JOBS = "/apis/batch/v1/namespaces/default/jobs"
PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


class Reply(NamedTuple):
    code: int
    body: Any
    headers: http.client.HTTPMessage


class HasKubeconfig(Protocol):
    """An object with the kubeconfig of a dev cluster."""

    @property
    def kubeconfig(self) -> Path: ...


class Client:
    """A client of a dev cluster, configured by its kubeconfig.

    In paths, the namespace `default` is replaced with `namespace`.
    """

    def __init__(self, cluster: HasKubeconfig) -> None:
        config = json.loads(cluster.kubeconfig.read_text())
        entry = config["clusters"][0]["cluster"]
        authority = base64.b64decode(entry["certificate-authority-data"]).decode()
        self.tls = ssl.create_default_context(cadata=authority)
        self.address = entry["server"].removeprefix("https://")
        self.token = config["users"][0]["user"]["token"]
        self.namespace = "default"
        self._connection: http.client.HTTPSConnection | None = None

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self.address, context=self.tls, timeout=60)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Send a request and return the reply; headers are given as content_type, accept, …"""
        path = self.at(path)
        if self._connection is None:
            self._connection = self.connect()
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"} | names
        try:
            self._connection.request(method, path, raw, sent)
            response = self._connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if response.will_close:
            self.close()
        is_json = "json" in response.headers.get("Content-Type", "")
        return Reply(response.status, json.loads(data) if is_json else data, response.headers)

    def at(self, path: str) -> str:
        return path.replace("/namespaces/default/", f"/namespaces/{self.namespace}/")

    def close(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None

    def get(self, path: str, **headers: str) -> Any:
        reply = self.call("GET", path, **headers)
        assert reply.code == 200, reply.body
        return reply.body

    def create(self, path: str, body: Any) -> Any:
        reply = self.call("POST", path, body)
        assert reply.code == 201, reply.body
        return reply.body

    def patch(self, path: str, body: Any, media_type: str = MERGE) -> Any:
        reply = self.call("PATCH", path, body, content_type=media_type)
        assert reply.code == 200, reply.body
        return reply.body

    def delete(self, path: str, body: Any = None) -> Any:
        reply = self.call("DELETE", path, body)
        assert reply.code == 200, reply.body
        return reply.body

    def stream(self, path: str) -> "Stream":
        """Open the stream of a watch or a log."""
        connection = self.connect()
        connection.request("GET", self.at(path), headers={"Authorization": f"Bearer {self.token}"})
        return Stream(connection)


class Stream:
    """The lines of a stream; reading each has the timeout of the connection."""

    def __init__(self, connection: http.client.HTTPSConnection) -> None:
        self._connection = connection
        self._response = connection.getresponse()
        self.code = self._response.status

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()
        self._connection.close()

    def timeout(self, seconds: float) -> None:
        assert self._connection.sock is not None
        self._connection.sock.settimeout(seconds)

    def line(self) -> bytes:
        return self._response.readline()

    def event(self) -> Any:
        text = self.line()
        return json.loads(text) if text else None

    def events(self, count: int) -> list[Any]:
        return [self.event() for _ in range(count)]

    def rest(self) -> bytes:
        return self._response.read()


def eventually(check: Callable[[], Any], seconds: float = 60) -> Any:
    """Call `check` until it returns a true value, and return that."""
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end, "timed out"
        time.sleep(0.02)
    return found


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def job(
    name: str,
    script: str | None = "true",
    *,
    image: str = "busybox:1.35",
    spec: dict[str, Any] | None = None,
    pod: dict[str, Any] | None = None,
    **container: Any,
) -> dict[str, Any]:
    """Return a Job that runs a shell script once."""
    own: dict[str, Any] = {"name": "test", "image": image}
    if script is not None:
        own["command"] = ["sh", "-c", script]
    template = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "containers": [own | container],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": {"spec": template | (pod or {})}} | (spec or {}),
    }


def conditions(obj: dict[str, Any]) -> dict[str, str]:
    """Return the true conditions of an object, with their reasons."""
    found = obj.get("status", {}).get("conditions", [])
    return {entry["type"]: entry.get("reason", "") for entry in found if entry["status"] == "True"}


def ended_job(client: Client, name: str) -> Any:
    """Return the Job after it has finished."""

    def check() -> Any:
        found = client.get(f"{JOBS}/{name}")
        return found if conditions(found).keys() & {"Complete", "Failed"} else None

    return eventually(check)


def pods_of(client: Client, name: str) -> list[Any]:
    items: list[Any] = client.get(f"{PODS}?labelSelector=job-name%3D{name}")["items"]
    return items


def pod_in(client: Client, name: str, state: str) -> Any:
    """Return the Job's pod when its container is in a state: waiting, running or terminated."""

    def check() -> Any:
        for pod in pods_of(client, name):
            statuses = pod["status"].get("containerStatuses") or [{"state": {}}]
            if state in statuses[0]["state"]:
                return pod
        return None

    return eventually(check)


def processes_named(mark: str) -> list[int]:
    """Return the pids of processes with the mark in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if mark.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def events_of(client: Client, name: str) -> Iterator[tuple[str, str]]:
    path = f"/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3D{name}"
    for event in client.get(path)["items"]:
        yield event["reason"], event["message"]


def container(pod: Any) -> Any:
    return pod["status"]["containerStatuses"][0]


def log(client: Client, pod: Any, query: str = "") -> str:
    text: bytes = client.call("GET", f"{PODS}/{pod['metadata']['name']}/log{query}").body
    return text.decode()
