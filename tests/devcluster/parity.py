"""What may differ between the two clusters: random names, times, and documented differences."""

import re

Rules = tuple[tuple[str, str], ...]
RANDOM = r"[bcdfghjklmnpqrstvwxz2456789]"
# Random names and times.
NOISE: Rules = (
    (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| \+0000)", "TIME"),
    (r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000", "TIME"),
    (r'(resourceVersion"?: "?|Resource Version:\s+)\d+', r"\1VERSION"),
    (rf"\b(work|made)-{RANDOM}{{5}}\b", r"\1-RANDOM_SUFFIX"),
    (r"\b((?:work|made)(?:-RANDOM_SUFFIX)?)\.[0-9a-f]{16}\b", r"\1.RANDOM_SUFFIX"),
    # After the suffixes: one such as 4h5m6 can look like an age.
    (r"\b(?:\d+[dhms])+\b", "AGE"),
    (r" \(x\d+ over AGE\)", ""),
    (r"/(LIVE|MERGED)-\d+/", r"/\1/"),
)
# Lines without a fixed order: validation errors, and events, whose times have whole seconds.
UNORDERED = (r"(?:^\* .*\n)+", r"(?:^(?: +|AGE +)(?:Normal|Warning) .*\n)+")
# Each is a row of the table in docs/devcluster.md.
DIFFERENCES: dict[str, Rules] = {
    "version": ((r"(Server Version: v1\.34)\S+", r"\1"),),
    "empty kinds": ((r"^(?:limitranges|resourcequotas|services) .*\n", ""),),
    "address": ((r"https://127\.0\.0\.1:\d+", "https://ADDRESS"),),
    "node": (
        (r"\b(?:10\.244\.\d+\.\d+|127\.0\.0\.1)\b", "IP"),
        (r"\b(?:node1|devcluster)(?=$|/|\s)", "NODE"),
        (r"default-scheduler, default-scheduler-\w+", "default-scheduler"),
    ),
    "image": (
        (r"docker\.io/library/busybox", "busybox"),
        (r"(Image ID: +|imageID: ).*", r"\1IMAGE"),
        (r"(?:containerd|process)://\S+", "CONTAINER"),
        (r"^.*\bNormal\s+(?:Pulled|FieldsIgnored)\b.*\n", ""),
    ),
    "usage": (
        (r"Annotations: +devcluster\..*(?:\n +devcluster\..*)*", "Annotations:  <none>"),
        (r"^( *)devcluster\.sparktest\.dev/.*\n(?:\1 +.*\n)*", ""),
        (r"^( *)annotations:\n(?!\1 )", ""),
    ),
    "shown values": (
        (r"Invalid value: (?:\".*\"|\{.*\}): (?=strict|field is immutable)", "Invalid value: "),
        (r"(if it was previously negative\))\n(?s:.*)(-- code)", r"\1\n\2"),
    ),
    "server-side apply": (
        (r"(application/merge-patch\+json), application/apply-patch\+yaml", r"\1"),
    ),
}


def normalize(text: str, namespace: str) -> str:
    """Return output without what may differ; columns are as wide as their names."""
    text = text.replace(namespace, "NS")
    for rules in (NOISE, *DIFFERENCES.values()):
        for pattern, instead in rules:
            text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    text = re.sub(r"[ ]{9,}|(?<=\S)[ ]{2,}|[ ]+$", "  ", text, flags=re.MULTILINE)
    for lines in UNORDERED:
        text = re.sub(lines, _in_order, text, flags=re.MULTILINE)
    return text


def _in_order(lines: re.Match[str]) -> str:
    return "".join(sorted(lines[0].splitlines(keepends=True)))
