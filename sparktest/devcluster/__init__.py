"""The dev cluster: a Kubernetes API on one machine, in which Jobs run as processes.

From the outside in: app (start, stop), server (HTTP over TLS), routes (a path to a verb),
resources (the verbs on any kind), kinds and schemas (what there is and what it may hold), store
(objects, versions, history). Beside them, driven by the store's events: jobs (the Job
controller), kubelet (pods as processes), garbage (what goes with its owner or its time).
"""
