"""The shell script that clones a git repository in an init container.

It must run in busybox sh and dash. URL, ref and path come from a user: they are variables of the
environment, and never become text of the script.
"""

from sparktest.kube.script import TERMINATION_LOG

# What the script reads, apart from SPARKTEST_TERMINATION_LOG.
URL = "SPARKTEST_GIT_URL"
REF = "SPARKTEST_GIT_REF"
PATH = "SPARKTEST_GIT_PATH"
FOLDER = "SPARKTEST_GIT_FOLDER"
SECRET = "SPARKTEST_GIT_SECRET"  # noqa: S105 - the name of a variable
CREDENTIALS = "SPARKTEST_GIT_CREDENTIALS"

# The termination message is the commit, or why there is none, in one line.
SCRIPT = rf"""
report={TERMINATION_LOG}
fail() {{
    printf '%s\n' "$1" >&2
    printf %s "$1" >"$report"
    exit 1
}}
command -v git >/dev/null ||
    fail 'fatal: there is no git in the image (on the dev cluster: on this machine)'
HOME=$(mktemp -d) || fail 'fatal: there is no folder for temporary files'
export HOME
trap 'rm -rf "$HOME"' EXIT
# As process 1 the shell would ignore TERM, and a shell handles it only after a foreground program.
trap 'kill "$!" 2>/dev/null; exit 143' TERM

# The tree is for every user: that of the test may be another one.
umask 000
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'

url=${URL} ref=${REF} path=${PATH}
secret=${SECRET}
# The dev cluster mounts volumes only where it may, and names their folders.
folder=${{SPARKTEST_VOLUME_SPARKTEST_GIT-${FOLDER}}}
export credentials="${{SPARKTEST_VOLUME_SPARKTEST_GIT_CREDENTIALS-${CREDENTIALS}}}"
if [ -n "$secret" ]; then
    found=
    if [ -f "$credentials/ssh-privatekey" ]; then
        found=yes
        # ssh refuses a key that others can read, and one without a newline at its end.
        {{ cat "$credentials/ssh-privatekey" && echo; }} >"$HOME/key" && chmod 600 "$HOME/key"
        check=no
        : >"$HOME/known_hosts"
        if [ -f "$credentials/known_hosts" ]; then
            check=yes
            cat "$credentials/known_hosts" >"$HOME/known_hosts"
        fi
        GIT_SSH_COMMAND="ssh -F /dev/null -i '$HOME/key' -o IdentitiesOnly=yes -o BatchMode=yes"
        GIT_SSH_COMMAND="$GIT_SSH_COMMAND -o LogLevel=ERROR -o StrictHostKeyChecking=$check"
        GIT_SSH_COMMAND="$GIT_SSH_COMMAND -o 'UserKnownHostsFile=\"$HOME/known_hosts\"'"
        export GIT_SSH_COMMAND
    fi
    if [ -f "$credentials/password" ]; then
        found=yes
        # For scheme and host of the URL only, not for where the server redirects to.
        rest=${{url#*://}}
        GIT_CONFIG_COUNT=2
        GIT_CONFIG_KEY_1=credential.${{url%%://*}}://${{rest%%/*}}.helper
        GIT_CONFIG_VALUE_1='!answer() {{ test "$1" = get || return 0
            printf "username=%s\n" "$(cat "$credentials/username" 2>/dev/null || echo git)"
            printf "password=%s\n" "$(cat "$credentials/password")"; }}; answer'
        export GIT_CONFIG_KEY_1 GIT_CONFIG_VALUE_1
    fi
    [ -n "$found" ] ||
        fail "fatal: Secret $secret does not exist, or has no password and no ssh-privatekey"
fi

try() {{
    git "$@" >"$HOME/output" 2>&1 &
    wait "$!"
}}
explain() {{
    # After an empty line git only guesses.
    text=$(tr -d '\r' <"$HOME/output" | sed '/^$/,$d' | tail -n 8 | tr '\n' ' ' | tail -c 1000)
    if [ -z "$secret" ] && grep -q 'could not read Username' "$HOME/output"; then
        text="$text(git.secretName can name a Secret with username and password)"
    fi
    fail "${{text% }}"
}}
fetch() {{
    for pause in 1 4 no; do
        try fetch -q --no-recurse-submodules "$@" && return
        case $pause$(cat "$HOME/output") in
        no*) return 1 ;;
        # A network or a server that may be there in a moment.
        *'Could not resolve host'* | *' timed out'* | *'Connection re'* | *'returned error: 5'*) ;;
        *) return 1 ;;
        esac
        sleep "$pause"
    done
}}
may_be_commit() {{
    case $ref in *[!0-9a-f]*) return 1 ;; ????*) return 0 ;; esac
    return 1
}}

cd "$folder" || fail "fatal: there is no folder $folder"
try -c init.defaultBranch=main init -q || explain
# Of an earlier try that was killed.
rm -f .git/*.lock
try config remote.origin.url "$url" || explain
try config remote.origin.fetch '+refs/heads/*:refs/remotes/origin/*' || explain
commit=FETCH_HEAD
if fetch --depth 1 origin "$ref"; then
    :
# Plain HTTP servers send whole histories only.
elif grep -q shallow "$HOME/output" && fetch origin "$ref"; then
    :
# Not every server sends a commit by its id, and none by the beginning of an id.
elif may_be_commit && fetch --tags origin; then
    commit=$ref
    git rev-parse -q --verify "$ref^{{commit}}" >/dev/null ||
        fail "fatal: $ref is no branch, no tag and no commit of $url"
else
    explain
fi
try checkout -q -f --detach "$commit" || explain
commit=$(git rev-parse HEAD)
[ -d "./$path" ] || fail "fatal: there is no folder $path in $url at commit $commit"
printf %s "$commit" >"$report"
printf '%s\n' "checked out $commit of $url"
"""
