"""The value of a Secret that a test reads is in no log of SparkTest and in no answer of its API."""

import base64
import json
from collections.abc import Callable

import pytest

from sparktest.domain import Status
from sparktest.kube.resources import Resource
from tests.e2e.stack import TOKEN, Stack

pytestmark = pytest.mark.e2e
SECRETS = Resource("", "v1", "secrets", "Secret")
VALUE = "canary-5f1c8e"


def test_no_secret_is_in_the_logs_and_answers(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack(SPARKTEST_LOG_LEVEL="debug")
    data = {"key": base64.b64encode(VALUE.encode()).decode()}
    secret = {"metadata": {"name": "key"}, "data": data}
    stack.cluster.create(SECRETS, stack.namespace, secret)
    source = {"secretKeyRef": {"name": "key", "key": "key"}}
    container = {"name": "test", "env": [{"name": "KEY", "valueFrom": source}]}
    template = {"spec": {"containers": [container]}}
    # The test has the value: ${#KEY} is its length.
    stack.apply("reads", commands=['echo "${#KEY} characters"'], template=template)
    stack.apply("absent", commands=["true"], env={"PLAIN": VALUE}, image="no.such/image:1")
    stack.wait_until_finished("reads")
    stack.wait_until_finished("absent")

    run = stack.run_of("reads")
    assert run.status is Status.SUCCEEDED
    assert stack.log_of(run) == f"{len(VALUE)} characters\n"
    logs = {program.args[0]: program.log.read_text() for program in (stack.api, stack.controller)}
    places = logs | {"run": repr(run), "TestRun": json.dumps(stack.testrun("reads"))}
    for name, text in places.items():
        assert text, name
        for canary in (VALUE, TOKEN, stack.controller_token.rpartition("_")[2]):
            assert canary not in text, name
