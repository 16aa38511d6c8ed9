#!/bin/bash
# Twenty forced rekeys under 10,000 numbered packets per second among three members: none is lost.
# alone: 10,000 packets per second, and none may be lost
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh flow

result=$("$lab_top/tests/perf/rekey_loss" --json 20 10000) || {
	echo "$result"
	fail "packets were lost, or keys did not change"
}
jq -r '"\(.rekeys) rekeys, sent \(.sent), lost \(.lost), doubled \(.dup), longest gap \(.max_gap_ms) ms"' <<<"$result"
