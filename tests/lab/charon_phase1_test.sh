#!/bin/bash
# tests/lab/charon_phase1_test.sh BUILDDIR - our main mode against strongSwan's, both roles.
#
#	namespace ..-us                namespace ..-charon
#	ike_peer 10.99.0.1:500 ------- 10.99.0.2:500 charon
#
# Exit status 77: skipped (not root, or no charon).
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-${MESON_BUILD_ROOT:-$here/../../build}}
peer=$build/tests/tools/ike_peer
. "$here/charon.sh"

[ "$(id -u)" = 0 ] || { echo "skipped: not root"; exit 77; }
charon_have || { echo "skipped: no charon (packages strongswan-charon, strongswan-swanctl)"; exit 77; }
[ -x "$peer" ] || { echo "no $peer: build first"; exit 1; }

tag=cnv-ch$$
us=$tag-us them=$tag-them
dir=$(mktemp -d)
passed=0 failed=0 peer_pid=

cleanup()
{
	charon_stop
	[ -z "$peer_pid" ] || kill "$peer_pid" 2>/dev/null
	ip netns del "$us" 2>/dev/null
	ip netns del "$them" 2>/dev/null
	[ -n "${KEEP:-}" ] || rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

check()
{
	local what=$1
	shift

	if "$@"; then
		echo "ok   $what"
		passed=$((passed + 1))
	else
		echo "FAIL $what"
		sed 's/^/     peer: /' "$dir/peer.log"
		tail -40 "$dir/charon.log" | sed 's/^/     charon: /'
		failed=$((failed + 1))
	fi
}

net_up()
{
	ip netns add "$us" && ip netns add "$them" || exit 1
	ip -n "$us" link add name p0 type veth peer name p0 netns "$them" || exit 1
	ip -n "$us" addr add 10.99.0.1/24 dev p0
	ip -n "$them" addr add 10.99.0.2/24 dev p0
	local ns
	for ns in "$us" "$them"; do
		ip -n "$ns" link set lo up
		ip -n "$ns" link set p0 up
	done
}

peer_start()
{
	ip netns exec "$us" "$peer" -l 10.99.0.1 -p 10.99.0.2 -t 15 "$@" >"$dir/peer.log" 2>&1 &
	peer_pid=$!
}

# The peer ends by itself: its SA was deleted, or its time is over.
peer_done()
{
	wait "$peer_pid"
	local status=$?

	peer_pid=
	return $status
}

peer_says()
{
	local i

	for ((i = 0; i < 100; i++)); do
		grep -qE "$1" "$dir/peer.log" && return 0
		sleep 0.1
	done
	return 1
}

# charon starts, we answer; then charon deletes the SA and we believe it.
charon_asks()
{
	local suite=$1

	charon_start "$them" "$dir" || exit 1
	charon_peer "$them" "$dir" 10.99.0.2 10.99.0.1 'secret of two' "$suite" || exit 1
	peer_start -r -1 -k 'secret of two' -s "$suite"
	charon_initiate "$them" "$dir"
	check "$suite: charon asks: it says established" charon_established "$dir" 10
	check "$suite: charon asks: we say established" peer_says "^established .*peer-id=10.99.0.2 doi=1"
	charon_terminate "$them" "$dir"
	check "$suite: charon deletes the SA: we know" peer_says "^deleted by peer"
	peer_done
	charon_stop
}

# We start, charon answers; our delete at the end is understood.
charon_answers()
{
	local suite=$1

	charon_start "$them" "$dir" || exit 1
	charon_peer "$them" "$dir" 10.99.0.2 10.99.0.1 'secret of two' "$suite" || exit 1
	peer_start -i -1 -k 'secret of two' -s "$suite" -t 3
	check "$suite: charon answers: it says established" charon_established "$dir" 10
	check "$suite: charon answers: we say established" peer_says "^established .*peer-id=10.99.0.2 doi=1"
	check "$suite: our program ends well" peer_done
	check "$suite: we delete the SA: charon knows" charon_wait "$dir" 5 "received DELETE for IKE_SA peer"
	charon_stop
}

wrong_key()
{
	charon_start "$them" "$dir" || exit 1
	charon_peer "$them" "$dir" 10.99.0.2 10.99.0.1 'secret of two' aes128-sha256-ecp256 || exit 1
	peer_start -r -1 -k 'another secret' -s aes128-sha256-ecp256 -t 4
	charon_initiate "$them" "$dir"
	check "wrong key: refused by name" peer_says "^refused reason=auth-failed"
	check "wrong key: nothing stands" bash -c "! grep -q established '$dir/peer.log'"
	peer_done
	charon_stop
}

net_up
for suite in aes128-sha256-modp2048 aes256-sha384-ecp384 aes256-sha512-ecp521 aes128-sha256-ecp256; do
	charon_asks "$suite"
	charon_answers "$suite"
done
wrong_key
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
