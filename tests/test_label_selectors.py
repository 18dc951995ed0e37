"""Label selectors, as Kubernetes writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.errors import InvalidError
from sparktest.label_selectors import Requirement, parse_selector


@pytest.mark.parametrize(
    ("text", "requirements"),
    [
        ("a", [Requirement("a")]),
        ("!a", [Requirement("a", negated=True)]),
        (" ! a ", [Requirement("a", negated=True)]),
        ("a=b", [Requirement("a", ("b",))]),
        ("a == b", [Requirement("a", ("b",))]),
        ("a=", [Requirement("a", ("",))]),
        ("a!=b", [Requirement("a", ("b",), negated=True)]),
        ("a in (b)", [Requirement("a", ("b",))]),
        ("a in(c, b,b)", [Requirement("a", ("b", "c"))]),
        ("a in ()", [Requirement("a", ("",))]),
        ("a notin (b,c)", [Requirement("a", ("b", "c"), negated=True)]),
        ("in in (in)", [Requirement("in", ("in",))]),
        ("notin", [Requirement("notin")]),
        (
            "app.kubernetes.io/name=web, tier in (a,b),!old",
            [
                Requirement("app.kubernetes.io/name", ("web",)),
                Requirement("tier", ("a", "b")),
                Requirement("old", negated=True),
            ],
        ),
        ("a=red wine", [Requirement("a", ("red wine",))]),
    ],
)
def test_a_selector_is_a_list_of_requirements(text, requirements):
    assert parse_selector(text) == requirements


NO_SELECTORS = "| |,|a,|,a|=b|!|a b|a===b|a=b=c|a in b|a in (b|a in b)|(a)|!a=b|a!|a>1|a in (b) c"


@pytest.mark.parametrize("text", [*NO_SELECTORS.split("|"), "a in ((b))"])
def test_a_malformed_selector_is_refused_with_examples(text):
    with pytest.raises(InvalidError, match=r"not a label selector at .* examples: a=b"):
        parse_selector(text)


TOKEN = st.text(st.sampled_from("ab1-._/"), min_size=1, max_size=4)
REQUIREMENT = st.builds(
    Requirement,
    TOKEN,
    st.lists(TOKEN, unique=True, max_size=3).map(sorted).map(tuple),
    st.booleans(),
)


def written(requirement: Requirement) -> str:
    if not requirement.values:
        return f"!{requirement.key}" if requirement.negated else requirement.key
    operator = "notin" if requirement.negated else "in"
    return f"{requirement.key} {operator} ({','.join(requirement.values)})"


@given(st.lists(REQUIREMENT, min_size=1, max_size=4))
def test_what_is_written_is_read_again(requirements):
    assert parse_selector(",".join(map(written, requirements))) == requirements


@given(st.text(st.sampled_from("ab=!,() in"), max_size=12))
def test_any_text_is_read_or_refused(text):
    try:
        assert parse_selector(text)
    except InvalidError:
        assert text not in ("a", "b", "ab")


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ("a", [{"a": "1"}, {"a": "2", "b": ""}]),
        ("!a", [{}, {"b": "1"}]),
        ("a=1", [{"a": "1"}]),
        ("a!=1", [{"a": "2", "b": ""}, {}, {"b": "1"}]),
        ("a in (1,2)", [{"a": "1"}, {"a": "2", "b": ""}]),
        ("a notin (1,2)", [{}, {"b": "1"}]),
        ("b=", [{"a": "2", "b": ""}]),
    ],
)
def test_a_requirement_matches_labels_as_kubernetes_does(selector, selected):
    objects = [{"a": "1"}, {"a": "2", "b": ""}, {}, {"b": "1"}]
    (requirement,) = parse_selector(selector)
    assert [labels for labels in objects if requirement.matches(labels)] == selected
