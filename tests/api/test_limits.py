"""Sizes of commands, arguments and variables: what Linux can start is accepted, no more."""

import pytest

from tests.api.requests import adhoc, answered, create, pointers, register

LIMIT = 131_071


@pytest.mark.parametrize("field", ["commands", "command", "args"])
@pytest.mark.parametrize("letter", ["x", "é", "😀"])
class TestArguments:
    def body(self, field, *values):
        return adhoc(**{"commands": None, field: list(values)})

    def test_an_argument_may_have_the_bytes_that_linux_allows(self, client, field, letter):
        longest = letter * (LIMIT // len(letter.encode()))
        run = answered(client.post("/api/test-runs", json=self.body(field, longest)), 201)
        assert run["command"] == [longest]

    def test_a_longer_one_is_refused_with_its_size_and_the_limit(self, client, field, letter):
        longer = letter * (LIMIT // len(letter.encode()) + 1)
        response = client.post("/api/test-runs", json=self.body(field, "x", longer))
        assert pointers(response) == {f"/{field}/1"}
        detail = response.get_json()["detail"]
        assert f"{len(longer.encode()):,}" in detail
        assert "131,071" in detail

    def test_all_together_may_have_one_mebibyte(self, client, field, letter):
        part = letter * (131_072 // 2 // len(letter.encode()))
        answered(client.post("/api/test-runs", json=self.body(field, *[part] * 16)), 201)
        response = client.post("/api/test-runs", json=self.body(field, *[part] * 16, "x"))
        assert pointers(response) == {f"/{field}"}
        assert "1,048,577 bytes" in response.get_json()["detail"]


@pytest.mark.parametrize("letter", ["x", "é"])
def test_a_variable_may_have_the_bytes_that_linux_allows(client, letter):
    fits = letter * ((LIMIT - len("AB=")) // len(letter.encode()))
    assert create(client, env={"AB": fits, "C": ""})["env"]["AB"] == fits
    response = client.post("/api/test-runs", json=adhoc(env={"AB": fits + letter, "C": ""}))
    assert pointers(response) == {"/env/AB"}
    assert "131,071" in response.get_json()["detail"]


def test_a_testrun_over_a_limit_is_refused_with_the_field(client):
    register(client, commands=["true # " + "x" * 48_000] * 3)
    body = {"name": "n", "image": "i", "commands": ["x" * 140_000]}
    assert pointers(client.post("/api/test-definitions", json=body)) == {"/commands/0"}
