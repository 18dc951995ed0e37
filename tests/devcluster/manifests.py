"""Manifests for kubectl; `{ns}` stands for the namespace."""

RUN = """
apiVersion: sparktest.dev/v1alpha1
kind: TestRun
metadata: {name: hello, labels: {team: shop}}
spec: {image: "busybox:1.35", commands: ["echo hello"], env: {A: b}, timeoutSeconds: 60}
"""
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: work, labels: {team: shop}}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 1
      containers:
      - name: test
        image: busybox:1.35
        command: [sh, -c, "echo one; echo two"]
        env: [{name: A, value: b}]
        resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 64Mi}}
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: one, labels: {team: shop}}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  containers:
  - {name: test, image: "busybox:1.35", command: [sh, -c, 'trap "" TERM; echo up; sleep 60']}
"""
# It waits for the ConfigMap `files` and the Secret `hidden`.
VOLUME_POD = """
apiVersion: v1
kind: Pod
metadata: {name: one}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  volumes:
  - {name: work, emptyDir: {}}
  - {name: files, configMap: {name: files, items: [{key: a, path: one}]}}
  - {name: hidden, secret: {secretName: hidden, defaultMode: 0400}}
  - name: all
    projected:
      sources:
      - configMap: {name: files}
      - downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}
  containers:
  - name: test
    image: busybox:1.35
    command: [sh, -c, "pwd | tail -c 5"]
    workingDir: /work/sub
    env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
    volumeMounts:
    - {name: work, mountPath: /work}
    - {name: files, mountPath: /files, readOnly: true}
    - {name: hidden, mountPath: /hidden}
    - {name: all, mountPath: /all, subPath: name}
"""
# To be completed with the exit code of an init container and the duration in seconds.
SIDECAR_POD = """
apiVersion: v1
kind: Pod
metadata: {name: one}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 2
  initContainers:
  - name: side
    image: busybox:1.35
    restartPolicy: Always
    command: [sh, -c, "trap 'exit 0' TERM; while :; do sleep 0.1; done"]
  - {name: init, image: "busybox:1.35", command: [sh, -c, "sleep 1; exit %d"]}
  containers:
  - {name: test, image: "busybox:1.35", command: [sh, -c, "sleep %d"]}
"""
LEASE = """
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: l}
spec: {holderIdentity: me, leaseDurationSeconds: %d, renewTime: "2026-01-01T00:00:00.000000Z"}
"""
WIDGETS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: "widgets.{ns}.dev"}
spec:
  group: "{ns}.dev"
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, shortNames: [wdg], categories: [toys]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    additionalPrinterColumns:
    - {name: Size, type: integer, jsonPath: .spec.size, description: How big.}
    - {name: Tags, type: string, jsonPath: ".spec.tags[*]"}
    - {name: Done, type: boolean, jsonPath: .status.done, priority: 1}
    - {name: Made, type: date, jsonPath: .metadata.creationTimestamp}
    schema:
      openAPIV3Schema:
        type: object
        description: A toy.
        required: [spec]
        properties:
          status: {type: object, properties: {done: {type: boolean}}}
          spec:
            type: object
            required: [size]
            x-kubernetes-validations: [{rule: "self.size != 13", message: brings bad luck}]
            properties:
              size: {type: integer, minimum: 1, maximum: 20, description: How big.}
              color: {type: string, enum: [red, blue], default: red}
              tags: {type: array, maxItems: 2, items: {type: string, pattern: "^[a-z]+$"}}
              parts: {type: object, additionalProperties: {type: integer}}
"""


def widget(spec: str) -> str:
    return (
        '{"apiVersion": "{ns}.dev/v1", "kind": "Widget", "metadata": {"name": "toy"}, "spec": '
        f"{spec}}}"
    )
