"""Answers to questions about oneself: who asks, and what that one may do. Pure."""

from typing import Any

from sparktest.devcluster.entries import Object
from sparktest.devcluster.kinds import Kind

STATUS: dict[str, dict[str, Any]] = {
    "SelfSubjectAccessReview": {"allowed": True, "reason": "the token may do everything"},
    "SelfSubjectRulesReview": {
        "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        "incomplete": False,
    },
    "SelfSubjectReview": {
        "userInfo": {"username": "admin", "groups": ["system:masters", "system:authenticated"]}
    },
}


def is_question(kind: Kind) -> bool:
    """Whether objects of the kind are answered and not kept."""
    return kind.kind in STATUS and not kind.custom


def answered(kind: Kind, question: Object) -> Object:
    """The question with its answer."""
    return {**question, "status": STATUS[kind.kind]}
