"""The kubectl commands that are compared; each scenario runs in a new namespace."""

from tests.devcluster import job_scenarios
from tests.devcluster.kubectl import Step, steps
from tests.devcluster.manifests import JOB, LEASE, POD, RUN, WIDGETS, widget

FINISHED = (
    '{"status": {"phase": "Failed", "conditions": [{"type": "Finished", "status": "True", '
    '"reason": "X", "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}'
)
SCENARIOS: dict[str, list[Step]] = {
    "cluster": [
        Step("api-resources -o wide", within=True),
        Step("api-versions", within=True),
        Step("auth can-i --list", within=True),
        *steps("""
            api-resources --api-group=sparktest.dev -o wide
            version
            cluster-info
            get --raw /readyz
            get --raw /nope
            get nope
            auth can-i create jobs
            auth can-i create testruns.sparktest.dev --subresource=status
            create namespace {ns}-b
            create namespace {ns}-b
            get namespace {ns}-b
            get namespace {ns}-b -o yaml
            describe namespace {ns}-b
            delete namespace {ns}-b
            get namespace {ns}-b
        """),
        Step("explain jobs.spec", fields=True),
        Step("explain pods.spec.containers", fields=True),
        Step("explain pods.status", fields=True),
        Step("explain customresourcedefinitions.spec.versions", fields=True),
        Step("explain testruns", fields=True),
    ],
    "testruns": [
        *steps(
            f"""
            apply -f - < run
            apply -f - < run
            apply -f - < changed
            get strun
            get testruns -o wide
            get testruns.sparktest.dev hello -o yaml
            get strun hello -o json
            get strun -o json
            get strun -o name -l team=web
            get strun --show-labels -L team
            get strun -l 'team in (shop),!nope'
            get strun --field-selector metadata.name=hello
            get strun --field-selector spec.image=hello
            get strun nope
            describe strun hello
            label strun hello a=b
            label strun hello a=c
            label strun hello a=c --overwrite
            label strun hello a-
            label strun hello 'a=not valid'
            annotate strun hello note=hi
            annotate strun hello note-
            patch strun hello --type=merge -p '{{"spec":{{"cancelled":true}}}}'
            patch strun hello --type=merge -p '{{"spec":{{"cancelled":true}}}}'
            patch strun hello --type=merge -p '{{"spec":{{"timeoutSeconds":3}}}}'
            patch strun hello --type=merge -p '"text"'
            patch strun hello --type=json -p '[{{"op":"test","path":"/spec/image","value":"x"}}]'
            patch strun hello --type=json -p '[{{"op":"remove","path":"/spec/cancelled"}}]'
            patch strun hello --subresource=status --type=merge -p '{FINISHED}'
            wait --for=condition=Finished strun/hello
            wait --for=condition=Nope strun/hello --timeout=1s
            wait --for=jsonpath={{.status.phase}}=Failed strun/hello
            get strun hello -o jsonpath={{.status.phase}}
            get strun -o custom-columns=A:.metadata.name,B:.spec.image --sort-by=.metadata.name
            describe strun hello
            diff -f - < run
            diff -f - < changed
            replace -f - < run
            replace -f - < changed
            explain testruns.spec --recursive
            explain testruns.spec.env
            explain testruns.status.conditions
            explain testruns.nope
            delete strun hello
            delete strun hello
            delete strun hello --ignore-not-found
            replace -f - < run
            """,
            run=RUN,
            changed=RUN.replace("shop", "web"),
        )
    ],
    **job_scenarios.SCENARIOS,
    "deleting": [
        *steps(
            """
            apply -f - < run
            patch strun hello --type=merge -p '{"metadata":{"finalizers":["a.b/c"]}}'
            delete strun hello --wait=false
            get strun hello -o jsonpath={.metadata.deletionGracePeriodSeconds}{.metadata.finalizers}
            patch strun hello --type=merge -p '{"metadata":{"finalizers":["a.b/c","d.e/f"]}}'
            patch strun hello --type=json -p '[{"op":"remove","path":"/metadata/finalizers"}]'
            get strun
            delete namespace default
            delete nodes nope
            create -f - < lease
            get leases
            get lease l -o yaml
            describe lease l
            create -f - --dry-run=server < no_time
            apply -f - --dry-run=server < run
            apply -f - --prune -l team=shop --prune-allowlist=batch/v1/Job < run
            delete all --all
            delete leases --all
            """,
            run=RUN,
            lease=LEASE % 10,
            no_time=LEASE % 0,
        )
    ],
    "watch": [
        Step("create configmap a"),
        Step(
            "get configmaps --watch --output-watch-events --field-selector metadata.name=a",
            lines=4,
            meanwhile=("label configmap a seen=yes", "delete configmap a"),
        ),
        Step("apply -f -", RUN),
        Step(
            "get testruns --watch",
            lines=3,
            meanwhile=(
                "patch strun hello --subresource=status --type=merge -p "
                """'{"status":{"phase":"Running"}}'""",
            ),
        ),
    ],
    "small kinds": [
        *steps(
            """
            create configmap c --from-literal=a=before
            create configmap c --from-literal=a=before
            get configmap c
            get configmap c -o yaml
            describe configmap c
            edit configmap c
            patch configmap c -p '{"data":{"b":"2"}}'
            get configmap c -o jsonpath={.data}
            get configmaps --field-selector data.b=2
            create secret generic s --from-literal=a=b
            get secret s
            get secret s -o yaml
            describe secret s
            apply -f - < plain
            apply -f - < plain
            get secret t -o jsonpath={.data}
            create serviceaccount me
            get serviceaccounts
            get serviceaccount me -o yaml
            describe serviceaccount me
            get configmap,secret --no-headers=true -l nope=1
            delete secret s t
            """,
            plain='{"apiVersion":"v1","kind":"Secret","metadata":{"name":"t"},'
            '"stringData":{"a":"b"}}',
        )
    ],
    "errors": [
        *steps(
            """
            create -f - < unknown_field
            create -f - --validate=warn < unknown_field
            apply -f - < unknown_field
            create -f - --validate=false --dry-run=server < wrong_type
            create -f - < two_of_one
            create -f - < wrong_label
            create -f - < no_spec
            create -f - < other_namespace
            create -f - < wrong_name
            create -f - < job_unknown_field
            create -f - < job_restarts
            create -f - < job_below_zero
            create -f - < job_empty
            create -f - < pod_empty
            create -f - < pod_name
            create -f - < pod_account
            create -f - < pod_policy
            create -f - < pod_metadata
            create -f - < no_kind
            create -f - < no_version
            create -n {ns}-absent configmap a
            get -n {ns}-absent configmaps
            patch job nope -p {}
            """,
            unknown_field=RUN.replace("env:", "nope: 1, env:"),
            wrong_type=RUN.replace("60", "abc"),
            two_of_one=RUN.replace("image:", "definitionName: x, image:"),
            wrong_label=RUN.replace("team: shop", "team: not valid"),
            no_spec=RUN.partition("spec")[0],
            other_namespace=RUN.replace("name: hello", "name: hello, namespace: other"),
            wrong_name=RUN.replace("hello", "UPPER"),
            job_unknown_field=JOB.replace("backoffLimit", "backofLimit"),
            job_restarts=JOB.replace("Never", "Always"),
            job_below_zero=JOB.replace("backoffLimit: 0", "backoffLimit: -1"),
            job_empty=JOB.partition("spec")[0],
            pod_empty=POD.partition("spec")[0],
            pod_name=POD.replace("name: test", "name: A_b"),
            pod_account=POD.replace("restartPolicy", "serviceAccountName: none\n  restartPolicy"),
            pod_policy=POD.replace("name: test", "imagePullPolicy: Sometimes, name: test"),
            pod_metadata=POD.replace("labels:", "lables:"),
            no_kind=POD.replace("Pod", "Nope"),
            no_version=POD.replace("v1", "v9"),
        )
    ],
    "own kind": [
        *steps(
            """
            create -f - < crd
            wait --for=condition=Established crd/widgets.{ns}.dev
            get crd widgets.{ns}.dev
            get crd widgets.{ns}.dev -o yaml
            describe crd widgets.{ns}.dev
            apply -f - < changed
            get crd widgets.{ns}.dev -o jsonpath={.metadata.generation}
            explain widgets.spec
            explain widgets.spec --recursive
            explain widgets.spec.parts
            create -f - < good
            get widgets
            get widgets -o wide
            get toys
            get wdg toy -o yaml
            create -f - < unlucky
            create -f - < bad
            create -f - < worse
            delete crd widgets.{ns}.dev
            get widgets
            """,
            crd=WIDGETS,
            changed=WIDGETS.replace("A toy.", "Another toy."),
            good=widget('{"size": 3, "tags": ["a", "b"], "parts": {"x": 1}}'),
            unlucky=widget('{"size": 13}'),
            bad=widget('{"size": 0, "color": "green", "tags": ["a", "B", "c"]}'),
            worse=widget('{"size": "big", "parts": {"x": "y"}}'),
        )
    ],
}
