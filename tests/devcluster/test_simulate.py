"""Images that only pretend."""

import pytest

from sparktest.devcluster.simulate import IMAGES, simulation_of


@pytest.mark.parametrize(
    "image",
    [
        "busybox",
        "busybox:1.35",
        "localhost:5000/a/b:tag",
        "ghcr.io/Org/x".lower(),
        "a/b_c/d-e:1.0",
        "x@sha256:" + "0" * 64,
        "Registry.example/x",
    ],
)
def test_an_image_is_taken_as_it_is(image: str) -> None:
    assert simulation_of(image) is None


@pytest.mark.parametrize(
    "image", ["Bad//Image", "a b", "", "UPPER", "x:", "-x", "x:tag with space"]
)
def test_what_is_no_image_is_never_pulled(image: str) -> None:
    found = simulation_of(image)
    assert found is not None
    assert found.waiting == ("InvalidImageName",)


@pytest.mark.parametrize("name", IMAGES)
def test_each_pretence_waits_or_ends_or_has_no_node(name: str) -> None:
    found = simulation_of(f"simulate/{name}:latest")
    assert found is not None
    ways = (bool(found.waiting), found.exit_code is not None, found.fails_pod, found.unschedulable)
    assert sum(ways) == 1


def test_an_unknown_pretence_cannot_be_pulled_and_names_the_others() -> None:
    found = simulation_of("simulate/nonsense")
    assert found is not None
    assert found.waiting == ("ErrImagePull", "ImagePullBackOff")
    assert "simulate/oom" in found.message
