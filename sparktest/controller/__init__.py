"""The controller: turns TestRuns and API runs into Jobs and says what became of them."""
