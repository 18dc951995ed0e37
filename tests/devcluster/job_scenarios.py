"""The kubectl commands about Jobs and pods whose output is compared with a real cluster."""

from tests.devcluster.kubectl import Step, steps
from tests.devcluster.manifests import JOB, POD, SIDECAR_POD, VOLUME_POD

INIT = """
      initContainers:
      - {name: first, image: "busybox:1.35", command: [sh, -c, "echo first"]}
      containers:"""
SCENARIOS: dict[str, list[Step]] = {
    "jobs": [
        *steps(
            """
            apply -f - < job
            apply -f - < job
            wait --for=condition=Complete job/work --timeout=40s
            get jobs
            get jobs -o wide
            get job work -o yaml
            get pods -l job-name=work
            get pods -l job-name=work -o wide
            get pods -l job-name=work -o yaml
            describe job work
            describe pod -l job-name=work
            logs job/work
            logs -f job/work -c test --tail=1
            logs job/work -c nope
            logs -l job-name=work --prefix
            get events --field-selector involvedObject.kind=Pod
            get events --field-selector involvedObject.name=work -o wide
            get events --field-selector type=Warning
            events --for job/work
            get all
            get jobs --field-selector status.successful=1
            get jobs --field-selector nope=0
            patch job work -p '{"spec":{"ttlSecondsAfterFinished":600}}'
            patch job work -p '{"spec":{"template":{"spec":{"hostname":"x"}}}}'
            patch job work -p '{"spec":{"nope":1}}'
            patch job work -p 'nope'
            create -f - < job
            diff -f - < changed
            replace -f - < job
            replace --force -f - < job
            wait --for=condition=Complete job/work --timeout=40s
            delete job work --cascade=foreground
            get pods
            apply -f - < job
            wait --for=condition=Complete job/work --timeout=40s
            delete job work --cascade=orphan
            get pods
            delete pods --all
            create job made --image=busybox:1.35 -- sh -c 'exit 3'
            wait --for=jsonpath={.status.failed}=1 job/made --timeout=40s
            get job made -o yaml --show-managed-fields=false
            get pods -l job-name=made
            delete jobs --all
            """,
            job=JOB,
            changed=JOB.replace("shop", "web"),
        )
    ],
    "pods": [
        *steps(
            """
            apply -f - < pod
            wait --for=condition=Ready pod/one --timeout=40s
            get pod one
            get pod one -o yaml
            describe pod one
            logs one
            get pods --field-selector status.phase=Running
            get pods --field-selector status.nope=Running
            patch pod one -p '{"spec":{"restartPolicy":"Always"}}'
            patch pod one -p '{"metadata":{"labels":{"$patch":"replace","c":"d"}}}'
            get pod one --show-labels
            delete pod one --grace-period=2 --wait=false
            get pod one
            wait --for=delete pod/one --timeout=40s
            get pod one
            run two --image=busybox:1.35 --restart=Never --command -- sh -c 'exit 2'
            wait --for=jsonpath={.status.phase}=Failed pod/two --timeout=40s
            get pod two
            delete pod two --now
            """,
            pod=POD,
        )
    ],
    "ends": [
        *steps(
            """
            apply -f - < failing
            wait --for=condition=Failed job/work --timeout=60s
            get jobs
            get job work -o yaml
            describe job work
            get pods
            get pods -l job-name=work -o yaml
            describe pods -l job-name=work
            logs job/work
            delete job work
            apply -f - < late_pod
            wait --for=jsonpath={.status.phase}=Failed pod/one --timeout=60s
            get pod one
            get pod one -o yaml
            describe pod one
            delete pod one
            apply -f - < late_job
            wait --for=condition=Failed job/work --timeout=60s
            get jobs
            get job work -o yaml
            describe job work
            get pods
            delete job work
            apply -f - < lacking
            wait --for=jsonpath={..waiting.reason}=CreateContainerConfigError pod/one
            get pod one
            get pod one -o yaml
            delete pod one
            """,
            failing=JOB.replace("echo two", "exit 3"),
            late_pod=POD.replace("restartPolicy", "activeDeadlineSeconds: 2\n  restartPolicy"),
            late_job=JOB.replace("echo two", "sleep 60").replace(
                "backoffLimit", "activeDeadlineSeconds: 2\n  backoffLimit"
            ),
            lacking=POD.replace("name: test,", "name: test, envFrom: [{secretRef: {name: none}}],"),
        )
    ],
    "shapes": [
        *steps(
            """
            apply -f - < suspended
            wait --for=condition=Suspended job/work --timeout=60s
            get jobs
            get job work -o yaml
            patch job work -p '{"spec":{"suspend":false}}'
            wait --for=condition=Complete job/work --timeout=60s
            get job work -o yaml
            describe job work
            delete job work
            apply -f - < init
            wait --for=condition=Complete job/work --timeout=60s
            get pods -l job-name=work -o yaml
            describe pods -l job-name=work
            delete job work
            apply -f - < twice
            wait --for=condition=Complete job/work --timeout=60s
            get job work -o yaml
            describe job work
            delete job work
            """,
            suspended=JOB.replace("backoffLimit", "suspend: true\n  backoffLimit"),
            init=JOB.replace("      containers:", INIT),
            twice=JOB.replace("backoffLimit", "completions: 2\n  parallelism: 2\n  backoffLimit"),
        )
    ],
    "volumes": [
        *steps(
            """
            apply -f - < pod
            wait --for=jsonpath={.status.phase}=Pending pod/one
            get pod one
            get events --field-selector reason=FailedMount
            create configmap files --from-literal=a=1
            create secret generic hidden --from-literal=b=2
            wait --for=jsonpath={.status.phase}=Succeeded pod/one --timeout=60s
            get pod one
            get pod one -o yaml
            describe pod one
            logs one
            delete pod one
            create -f - < unknown
            create -f - < twice
            create -f - < typeless
            create -f - < escaping
            create -f - < no_source
            """,
            pod=VOLUME_POD,
            unknown=VOLUME_POD.replace("{name: work, mountPath", "{name: none, mountPath"),
            twice=VOLUME_POD.replace("mountPath: /hidden", "mountPath: /work"),
            typeless=VOLUME_POD.replace("emptyDir: {}", "emptyDir: {}, hostPath: {path: /tmp}"),
            escaping=VOLUME_POD.replace("path: one}", "path: ../one}"),
            no_source=VOLUME_POD.replace("{fieldRef: {fieldPath: metadata.name}}", "{}"),
        )
    ],
    "sidecars": [
        *steps(
            """
            apply -f - < pod
            wait --for=condition=Ready pod/one --timeout=60s
            get pod one
            get pod one -o yaml
            delete pod one
            apply -f - < short
            wait --for=jsonpath={.status.phase}=Succeeded pod/one --timeout=60s
            get pod one
            get pod one -o yaml
            describe pod one
            delete pod one
            apply -f - < failing
            wait --for=jsonpath={.status.phase}=Failed pod/one --timeout=60s
            get pod one
            get pod one -o yaml
            delete pod one
            """,
            pod=SIDECAR_POD % (0, 60),
            short=SIDECAR_POD % (0, 1),
            failing=SIDECAR_POD % (2, 1),
        )
    ],
}
