"""The dev cluster: a Kubernetes API on one machine that runs Jobs as processes.

Serving the API, from the outside in: app (start, stop), server (HTTPS), api (verbs on resources)
and discovery, resources (create, update), admission and schemas (validation), store (objects,
versions, events). Controllers that follow the store's events: jobs, scheduler, kubelet,
garbage_collector.

It needs the libraries of the extra `devcluster`; nothing else imports them.
"""
