"""Outcomes of objects of any shape."""

import json

from hypothesis import given
from hypothesis import strategies as st

from sparktest.domain import Status
from sparktest.kube.jobs import STOP
from tests.kube.objects import JOB_UID, a_job, a_run, at, text
from tests.kube.outcomes import NOW, compute_report

# --- properties -----------------------------------------------------------------------------------

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 300)
    | st.sampled_from(
        [
            "",
            "True",
            "False",
            "Failed",
            "Succeeded",
            "Complete",
            "Error",
            "DeadlineExceeded",
            text(3),
        ]
    )
)
STATES = st.dictionaries(
    st.sampled_from(["waiting", "running", "terminated"]),
    st.dictionaries(
        st.sampled_from(["reason", "message", "exitCode", "startedAt", "finishedAt"]), SCALARS
    ),
)
CONDITIONS = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["Complete", "Failed", "Suspended", "DisruptionTarget", "x"]),
            "status": st.sampled_from(["True", "False", "Unknown"]),
        },
        optional={"reason": SCALARS, "message": SCALARS, "lastTransitionTime": SCALARS},
    ),
    max_size=3,
)
PODS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "metadata": st.dictionaries(
                st.sampled_from(
                    ["name", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"]
                ),
                SCALARS,
            ),
            "spec": st.dictionaries(
                st.sampled_from(["nodeName", "activeDeadlineSeconds"]), SCALARS
            ),
            "status": st.fixed_dictionaries(
                {},
                optional={
                    "phase": SCALARS,
                    "reason": SCALARS,
                    "conditions": CONDITIONS,
                    "initContainerStatuses": st.lists(
                        st.fixed_dictionaries(
                            {"name": SCALARS, "state": STATES}, optional={"restartCount": SCALARS}
                        ),
                        max_size=2,
                    ),
                    "containerStatuses": st.lists(
                        st.fixed_dictionaries({"name": st.just("test"), "state": STATES}),
                        max_size=2,
                    ),
                },
            ),
        },
    ),
    max_size=3,
)
JOBS = st.none() | st.builds(
    lambda conditions, annotation: (
        a_job(*conditions) | {"metadata": {"uid": JOB_UID, "annotations": annotation}}
    ),
    CONDITIONS,
    st.none() | st.just({STOP: json.dumps({"class": "config", "reason": "x"})}),
)


@given(JOBS, PODS)
def test_objects_of_any_shape_give_a_complete_report(job, pods):
    report = compute_report(a_run(), job, pods, NOW)
    if report.status.final:
        assert report.finished_at is not None
        assert (report.failure is None) == (report.status is Status.SUCCEEDED)
        assert report.started_at is None or report.started_at <= report.finished_at
    else:
        assert report.finished_at is None
        assert report.failure is None


@given(JOBS, PODS)
def test_an_outcome_does_not_change_over_time(job, pods):
    first = compute_report(a_run(), job, pods, NOW)
    if first.status.final:
        assert compute_report(a_run(), job, pods, at(4000)).status is first.status
