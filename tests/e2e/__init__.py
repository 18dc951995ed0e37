"""End-to-end tests: the programs as users start them, on a dev cluster and on a real one."""
