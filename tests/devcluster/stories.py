"""What is done with kubectl on both clusters, step by step; each story has a fresh namespace."""

from typing import NamedTuple

from tests.devcluster.manifests import JOB, POD, RUN, WIDGETS, widget


class Step(NamedTuple):
    """One command. Compared is all that it says, unless it is `within` or `fields`.

    Args:
        command: the command line behind kubectl.
        stdin: what -f - reads.
        within: what the dev cluster lists is in what the real one lists.
        fields: so are the names of the fields that it explains.
        lines: it does not end; so many lines of it count.
        meanwhile: what is done once it printed the first line.
    """

    command: str
    stdin: str = ""
    within: bool = False
    fields: bool = False
    lines: int = 0
    meanwhile: tuple[str, ...] = ()


def _steps(text: str, **stdin: str) -> list[Step]:
    """A step a line; what stands behind `<` is the name of its stdin."""
    lines = [line.strip().rpartition(" < ") for line in text.strip().splitlines()]
    return [Step(command, stdin[name]) if command else Step(name) for command, _, name in lines]


FINISHED = (
    '{"status": {"phase": "Failed", "conditions": [{"type": "Finished", "status": "True", '
    '"reason": "X", "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}'
)
STORIES: dict[str, list[Step]] = {
    "cluster": [
        Step("api-resources -o wide", within=True),
        Step("api-versions", within=True),
        Step("auth can-i --list", within=True),
        *_steps("""
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
        *_steps(
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
        ),
    ],
    "jobs": [
        *_steps(
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
        ),
    ],
    "pods": [
        *_steps(
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
        ),
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
        *_steps(
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
        ),
    ],
    "errors": [
        *_steps(
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
        ),
    ],
    "own kind": [
        *_steps(
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
        ),
    ],
}
