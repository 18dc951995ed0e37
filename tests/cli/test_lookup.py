import pytest

from sparktest.cli.exits import Exit, ExitError
from sparktest.cli.lookup import find_definition, find_run
from sparktest.client import ApiClient
from sparktest.domain import Run
from sparktest.errors import InvalidError


def made(api: ApiClient, name: str) -> Run:
    return api.create_run({"name": name, "image": "busybox"})


def test_a_run_is_found_by_id_id_prefix_or_name(api: ApiClient) -> None:
    run = made(api, "checkout smoke")
    made(api, "checkout")

    for reference in (run.id, run.id.upper(), run.id[:4], run.id[:8], run.id[:20], run.name):
        assert find_run(api, reference).id == run.id


@pytest.mark.parametrize("reference", ["nope", "", "abc", "???", "a" * 201])
def test_a_missing_run_is_an_error(api: ApiClient, reference: str) -> None:
    made(api, "checkout")

    with pytest.raises((ExitError, InvalidError)):
        find_run(api, reference)


def test_three_characters_are_too_short_for_an_id_prefix(api: ApiClient) -> None:
    run = made(api, "checkout")

    with pytest.raises(ExitError, match="no run has the id or name"):
        find_run(api, run.id[:3])


def test_an_ambiguous_name_is_an_error_with_both_ids(api: ApiClient) -> None:
    runs = [made(api, "twice"), made(api, "twice")]

    with pytest.raises(ExitError, match="'twice' matches 2 runs") as raised:
        find_run(api, "twice")

    assert raised.value.code is Exit.USAGE
    assert all(f"{run.id} (pending, 0s ago)" in raised.value.text for run in runs)


def test_a_long_list_of_matches_is_shortened(api: ApiClient) -> None:
    for _ in range(8):
        made(api, "often")

    with pytest.raises(
        ExitError, match=r"matches 8 runs: .* and 3 more; give more characters of the id"
    ):
        find_run(api, "often")


def test_a_name_that_is_also_an_id_prefix_is_ambiguous(api: ApiClient) -> None:
    first = made(api, "checkout")
    made(api, first.id[:6])

    with pytest.raises(ExitError, match="matches 2 runs"):
        find_run(api, first.id[:6])


def test_a_definition_is_found_by_id_id_prefix_or_name(api: ApiClient) -> None:
    definition = api.definitions.create({"name": "smoke", "image": "busybox"})
    api.definitions.create({"name": "smoke 2", "image": "busybox"})

    for reference in (definition.id, definition.id[:6], "smoke"):
        assert find_definition(api, reference).id == definition.id
    with pytest.raises(ExitError, match="no definition has"):
        find_definition(api, "smok")
