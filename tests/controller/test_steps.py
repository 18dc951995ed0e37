"""Steps are values; some need the API."""

from sparktest.controller import steps
from sparktest.controller.steps import Step
from tests.controller.objects import MISSING

NEEDS_API = {
    steps.Register,
    steps.FetchRun,
    steps.ClaimRun,
    steps.WaitForLog,
    steps.ReportRun,
    steps.ReadLive,
}


def test_only_steps_that_read_or_write_runs_or_logs_need_the_api() -> None:
    assert {kind for kind in Step.__subclasses__() if kind.needs_api} == NEEDS_API


def test_steps_with_the_same_fields_are_equal() -> None:
    assert steps.StopJob(MISSING) == steps.StopJob(MISSING)
    assert steps.PatchJobTtl(5) != steps.PatchJobTtl(6)
