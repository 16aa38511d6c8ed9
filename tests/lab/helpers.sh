# shellcheck shell=bash
# tests/lab/helpers.sh - sourced by every lab test: its own lab (LAB), cleaned up whatever happens.
# A test prints what it saw with ok "…", ends with fail "…" at the first thing that does not hold,
# and its last line is the summary that tests/run shows. Exit 77: skipped.

# shellcheck source-path=SCRIPTDIR source=../../lab/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../lab/lib.sh"

[ "$(id -u)" = 0 ] || {
	echo "needs root"
	exit 77
}

clean_up() {
	local status=$?
	trap - EXIT
	if [ $status != 0 ] && [ $status != 77 ] && [ -d "$LAB_DIR" ]; then
		for log in "$LAB_DIR"/*/{ksd,gmd,espd}.log; do
			[ -e "$log" ] || continue
			echo "---- ${log#"$LAB_DIR"/}"
			tail -n 12 "$log"
		done
	fi
	lab_down
	[ -z "${failure:-}" ] || printf 'FAILED: %s\n' "$failure" # again, below all that
	exit $status
}
trap clean_up EXIT
trap 'exit 130' INT TERM

ok() { printf 'ok: %s\n' "$*"; }
fail() {
	failure=$*
	printf 'FAILED: %s\n' "$failure"
	exit 1
}
check() { # TEXT COMMAND…
	local text=$1
	shift
	"$@" || fail "$text"
	ok "$text"
}
skip() {
	printf '%s\n' "$*"
	exit 77
}

# ksd, gmd, espd as asked, or the test is skipped: a build without the dataplane is a legal one.
need_daemons() {
	local p
	for p in "$@"; do
		[ -x "$(lab_program "$p")" ] || skip "$p is not in this build"
	done
}
