"""Files of manifests: TestRuns, Jobs, CronJobs and Pods that become runs."""
