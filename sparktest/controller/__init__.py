"""The controller: turns TestRuns and API runs into Jobs and reports their outcomes."""
