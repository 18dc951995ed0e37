"""Valid pod specs that together have every field of a pod, a container and a volume."""

from typing import Any

IMAGE = "busybox:1.35"
EXEC = {"exec": {"command": ["true"]}}
PROBE = {"failureThreshold": 3, "periodSeconds": 2, "successThreshold": 1, "timeoutSeconds": 1}
TERM = {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}
NEAR = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"a": "b"}}}
# Fields of the client that Kubernetes 1.34 does not know, or ignores behind a feature gate.
NEWER = {"evictionResponders", "schedulingGroup", "hostnameOverride", "restartPolicyRules"}
# Fields that docs/testruns.md names.
OWN = {"restartPolicy", "activeDeadlineSeconds", "serviceAccount", "ephemeralContainers"}

PODS: dict[str, dict[str, Any]] = {
    "affinity": {
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [TERM]},
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 1, "preference": TERM}
                ],
            },
            "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [NEAR]},
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 1, "podAffinityTerm": NEAR}
                ]
            },
        }
    },
    "dns": {
        "dnsPolicy": "None",
        "dnsConfig": {
            "nameservers": ["1.1.1.1"],
            "searches": ["a.example"],
            "options": [{"name": "ndots", "value": "2"}],
        },
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["db"]}],
        "hostname": "a",
        "subdomain": "b",
        "setHostnameAsFQDN": True,
    },
    "host": {"hostIPC": True, "hostNetwork": True, "hostPID": True},
    "user-namespace": {"hostUsers": False, "shareProcessNamespace": True},
    "placement": {
        "nodeName": "node1",
        "schedulerName": "other",
        "priorityClassName": "system-node-critical",
        "preemptionPolicy": "PreemptLowerPriority",
        "runtimeClassName": "kata",
        "enableServiceLinks": False,
    },
    "selectors": {
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [
            {"key": "a", "operator": "Equal", "value": "b", "effect": "NoSchedule"},
            {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5},
        ],
        "topologySpreadConstraints": [
            {**NEAR, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"},
            {**NEAR, "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"},
        ],
        "readinessGates": [{"conditionType": "a.example/ready"}],
        "schedulingGates": [{"name": "a.example/gate"}],
    },
    "resources": {
        "resourceClaims": [{"name": "gpu", "resourceClaimName": "a"}],
        "containers": [
            {
                "name": "test",
                "image": IMAGE,
                "resources": {
                    "limits": {"cpu": "1", "memory": "1Gi"},
                    "requests": {"cpu": "500m", "memory": "1Gi"},
                    "claims": [{"name": "gpu"}],
                },
                "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}],
            }
        ],
    },
    "pod-resources": {"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}},
    "identity": {
        "serviceAccountName": "tester",
        "automountServiceAccountToken": False,
        "imagePullSecrets": [{"name": "pull"}],
        "terminationGracePeriodSeconds": 0,
        "securityContext": {
            "appArmorProfile": {"type": "RuntimeDefault"},
            "fsGroup": 1,
            "fsGroupChangePolicy": "OnRootMismatch",
            "runAsGroup": 1,
            "runAsNonRoot": True,
            "runAsUser": 1,
            "seLinuxOptions": {"level": "s0"},
            "seccompProfile": {"type": "Localhost", "localhostProfile": "a.json"},
            "supplementalGroups": [1],
            "supplementalGroupsPolicy": "Strict",
            "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
        },
    },
    "windows": {
        "os": {"name": "windows"},
        "securityContext": {"windowsOptions": {"runAsUserName": "ContainerUser"}},
    },
    "privileged": {
        "containers": [{"name": "a", "image": IMAGE, "securityContext": {"privileged": True}}]
    },
    "sys-admin": {
        "containers": [
            {
                "name": "a",
                "image": IMAGE,
                "securityContext": {"capabilities": {"add": ["CAP_SYS_ADMIN"], "drop": ["ALL"]}},
            }
        ]
    },
    "container": {
        "containers": [
            {
                "name": "main",
                "image": IMAGE,
                "imagePullPolicy": "IfNotPresent",
                "command": ["a"],
                "args": ["$(A)"],
                "workingDir": "/work",
                "env": [
                    {"name": "A", "value": "1"},
                    {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                    {"name": "C", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}},
                    {"name": "D", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}},
                    {"name": "E", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
                ],
                "envFrom": [{"prefix": "A_", "configMapRef": {"name": "a", "optional": True}}],
                "ports": [
                    {"containerPort": 53, "name": "dns-tcp", "hostPort": 53},
                    {"containerPort": 53, "name": "dns", "protocol": "UDP"},
                ],
                "lifecycle": {"postStart": EXEC, "preStop": {"sleep": {"seconds": 1}}},
                "livenessProbe": {**PROBE, "httpGet": {"path": "/", "port": "dns-tcp"}},
                "readinessProbe": {**PROBE, "tcpSocket": {"port": 53}},
                "startupProbe": {**PROBE, "grpc": {"port": 53, "service": "a"}},
                "securityContext": {
                    "allowPrivilegeEscalation": True,
                    "procMount": "Default",
                    "readOnlyRootFilesystem": True,
                    "runAsUser": 5,
                },
                "stdin": True,
                "stdinOnce": True,
                "tty": True,
                "terminationMessagePath": "/dev/message",
                "terminationMessagePolicy": "FallbackToLogsOnError",
            }
        ]
    },
    "sidecar": {
        "initContainers": [
            {"name": "setup", "image": IMAGE},
            {"name": "proxy", "image": IMAGE, "restartPolicy": "Always", "startupProbe": EXEC},
        ],
        "containers": [{"name": "db", "image": IMAGE}, {"name": "test", "image": IMAGE}],
    },
    "mounts": {
        "volumes": [
            {"name": "files", "emptyDir": {}},
            {"name": "disk", "persistentVolumeClaim": {"claimName": "disk"}},
        ],
        "containers": [
            {
                "name": "test",
                "image": IMAGE,
                "volumeMounts": [
                    {"name": "files", "mountPath": "/a", "readOnly": True, "subPath": "b"},
                    {"name": "files", "mountPath": "/b", "subPathExpr": "$(HOME)"},
                ],
                "volumeDevices": [{"name": "disk", "devicePath": "/dev/xvda"}],
            }
        ],
    },
}

ITEMS = [{"key": "a", "path": "b", "mode": 256}]
VOLUMES: dict[str, dict[str, Any]] = {
    "awsElasticBlockStore": {"volumeID": "a"},
    "azureDisk": {"diskName": "a", "diskURI": "https://a/b", "kind": "Shared"},
    "azureFile": {"secretName": "a", "shareName": "b"},
    "cephfs": {"monitors": ["a"]},
    "cinder": {"volumeID": "a"},
    "configMap": {"name": "a", "items": ITEMS, "optional": True},
    "csi": {"driver": "a.example", "volumeAttributes": {"env": "a"}},
    "downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.name"}}]},
    "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"},
    "ephemeral": {
        "volumeClaimTemplate": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
            },
        }
    },
    "fc": {"targetWWNs": ["a"], "lun": 1},
    "flexVolume": {"driver": "a/b", "options": {"volumes": "a"}},
    "flocker": {"datasetName": "a"},
    "gcePersistentDisk": {"pdName": "a"},
    "gitRepo": {"repository": "https://a.example/b.git"},
    "glusterfs": {"endpoints": "a", "path": "b"},
    "hostPath": {"path": "/tmp", "type": "Directory"},
    "image": {"reference": IMAGE, "pullPolicy": "IfNotPresent"},
    "iscsi": {"targetPortal": "1.2.3.4", "iqn": "iqn.2001-04.com.example:a", "lun": 0},
    "nfs": {"server": "a", "path": "/b"},
    "persistentVolumeClaim": {"claimName": "a", "readOnly": True},
    "photonPersistentDisk": {"pdID": "a"},
    "portworxVolume": {"volumeID": "a"},
    "projected": {
        "sources": [
            {"secret": {"name": "a", "items": ITEMS}},
            {"configMap": {"name": "b"}},
            {"downwardAPI": {"items": [{"path": "c", "fieldRef": {"fieldPath": "metadata.uid"}}]}},
            {"serviceAccountToken": {"path": "d", "audience": "a", "expirationSeconds": 600}},
        ]
    },
    "quobyte": {"registry": "a:1", "volume": "b"},
    "rbd": {"monitors": ["a"], "image": "b"},
    "scaleIO": {"gateway": "a", "system": "b", "secretRef": {"name": "c"}, "volumeName": "d"},
    "secret": {"secretName": "a", "defaultMode": 256},
    "storageos": {"volumeName": "a"},
    "vsphereVolume": {"volumePath": "a"},
}


def named_specs() -> dict[str, dict[str, Any]]:
    """Return all specs by name, each with a container."""
    volumes = {
        f"volume-{kind}": {"volumes": [{"name": "a", kind: source}]}
        for kind, source in VOLUMES.items()
    }
    default = {"containers": [{"name": "test", "image": IMAGE}]}
    return {name: {**default, **spec} for name, spec in (PODS | volumes).items()}
