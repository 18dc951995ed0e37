"""Queries of lists of runs: every filter, and every pair of filters."""

from datetime import timedelta
from itertools import combinations
from typing import Any

from sparktest.label_selectors import parse_selector
from tests.api.store.rows import CREATED

# One value or more of every filter.
FILTERS: dict[str, Any] = {
    "status": ["failed"],
    "origin": ["crd"],
    "namespace": ["shop", "tests"],
    "cluster": ["c"],
    "definition_id": ["d" * 36],
    "suite_run_id": ["e" * 36],
    "schedule_id": ["f" * 36],
    "class_": ["infra", "test"],
    "label": [parse_selector("team in (a,b)"), parse_selector("tier,!old")],
    "q": "log",
    "since": CREATED + timedelta(minutes=3),
    "until": CREATED + timedelta(minutes=6),
    "updated_since": CREATED + timedelta(minutes=4),
    "unblocked": True,
}
PAIRS = [dict(pair) for size in (1, 2) for pair in combinations(FILTERS.items(), size)]
