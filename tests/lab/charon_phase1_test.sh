#!/bin/bash
# tests/lab/charon_phase1_test.sh [BUILDDIR] - our main mode against strongSwan's, both roles, without
# daemons: the program tests/tools/ike_peer. The lab is drawn in charon.sh.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-${BUILD:-$here/../../build}}
peer=$build/tests/tools/ike_peer
# shellcheck source-path=SCRIPTDIR source=charon.sh
. "$here/charon.sh"
[ -x "$peer" ] || {
	echo "no $peer: build first"
	exit 1
}

peer_start()
{
	ours_start "$peer" -l 10.99.0.1 -p 10.99.0.2 -t 15 "$@"
	ours_says '^listening' || exit 1
}

# charon starts, we answer; then charon deletes the SA and we believe it.
charon_asks()
{
	local suite=$1

	charon_start && charon_peer 'secret of two' "$suite" || exit 1
	peer_start -r -1 -k 'secret of two' -s "$suite"
	charon_initiate
	check "$suite: charon asks: it says established" charon_established 10
	check "$suite: charon asks: we say established" ours_says "^established .*peer-id=10.99.0.2 doi=1"
	charon_terminate
	check "$suite: charon deletes the SA: we know" ours_says "^deleted by peer"
	ours_done
	charon_stop
}

# We start, charon answers; our delete at the end is understood.
charon_answers()
{
	local suite=$1

	charon_start && charon_peer 'secret of two' "$suite" || exit 1
	peer_start -i -1 -k 'secret of two' -s "$suite" -t 3
	check "$suite: charon answers: it says established" charon_established 10
	check "$suite: charon answers: we say established" ours_says "^established .*peer-id=10.99.0.2 doi=1"
	check "$suite: our program ends well" ours_done
	check "$suite: we delete the SA: charon knows" charon_wait 5 "received DELETE for IKE_SA peer"
	charon_stop
}

wrong_key()
{
	charon_start && charon_peer 'secret of two' aes128-sha256-ecp256 || exit 1
	peer_start -r -1 -k 'another secret' -s aes128-sha256-ecp256 -t 4
	charon_initiate
	check "wrong key: refused by name" ours_says "^refused reason=auth-failed"
	check "wrong key: nothing stands" bash -c "! grep -q established '$CHARON_DIR/ours.log'"
	ours_done
	charon_stop
}

charon_lab_up
for suite in aes128-sha256-modp2048 aes256-sha384-ecp384 aes256-sha512-ecp521 aes128-sha256-ecp256; do
	charon_asks "$suite"
	charon_answers "$suite"
done
wrong_key
echo "$CHARON_PASSED checks against $(charon_version)"
