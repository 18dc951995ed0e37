"""Check at the last moment whether a write may still be sent.

A process may be stopped at any point, such as between a check and the request that follows, and go
on much later. So the check belongs where the bytes leave: some instructions before the system call.
"""

from collections.abc import Callable
from typing import Any

from urllib3 import HTTPConnectionPool, PoolManager

Check = Callable[[], None]


def guard_writes(pool: HTTPConnectionPool | PoolManager, check: Check) -> None:
    """Call `check` before each part of a request that is not a GET is sent.

    What it raises ends the request and its connection. The pool must not be in use yet.
    """
    if isinstance(pool, HTTPConnectionPool):
        pool.ConnectionCls = _guarded(pool.ConnectionCls, check)
        return
    made: dict[str, Any] = pool.pool_classes_by_scheme
    pool.pool_classes_by_scheme = {
        scheme: type(kind.__name__, (kind,), {"ConnectionCls": _guarded(kind.ConnectionCls, check)})
        for scheme, kind in made.items()
    }


def _guarded(base: Any, check: Check) -> Any:
    class GuardedConnection(base):  # type: ignore[misc]
        """A connection that checks before it sends a write."""

        _is_write = False

        def request(self, method: str, *args: Any, **kw: Any) -> None:
            self._is_write = method != "GET"
            super().request(method, *args, **kw)

        def send(self, data: Any) -> None:
            if self._is_write:
                if self.sock is None:
                    self.connect()  # before the check, as it may take seconds
                check()
            super().send(data)

    return GuardedConnection
