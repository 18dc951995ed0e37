"""Images that simulate states."""

import pytest

from sparktest.devcluster.simulate import IMAGES, simulation_of


@pytest.mark.parametrize(
    "image",
    [
        "busybox",
        "busybox:1.35",
        "localhost:5000/a/b:tag",
        "ghcr.io/org/x",
        "a/b_c/d-e:1.0",
        "x@sha256:" + "0" * 64,
        "Registry.example/x",
    ],
)
def test_other_images_simulate_nothing(image: str) -> None:
    assert simulation_of(image) is None


@pytest.mark.parametrize(
    "image", ["Bad//Image", "a b", "", "UPPER", "x:", "-x", "x:tag with space"]
)
def test_an_invalid_image_name_is_never_pulled(image: str) -> None:
    found = simulation_of(image)
    assert found is not None
    assert found.waiting == ("InvalidImageName",)


@pytest.mark.parametrize("name", IMAGES)
def test_each_simulation_has_exactly_one_effect(name: str) -> None:
    found = simulation_of(f"simulate/{name}:latest")
    assert found is not None
    effects = (
        bool(found.waiting),
        found.exit_code is not None,
        found.fails_pod,
        found.unschedulable,
    )
    assert sum(effects) == 1


def test_an_unknown_simulation_cannot_be_pulled_and_the_message_lists_the_known_ones() -> None:
    found = simulation_of("simulate/nonsense")
    assert found is not None
    assert found.waiting == ("ErrImagePull", "ImagePullBackOff")
    assert "simulate/oom" in found.message
