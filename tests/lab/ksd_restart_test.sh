#!/bin/bash
# ksd is killed under traffic and starts again: members notice nothing. Nobody registers again, no
# packet is lost, the next rekey reaches all with a higher SEQ, and a new registration gets a sender
# id that nobody had.
# alone: 10,000 packets per second, and none may be lost
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh flow
# shellcheck disable=SC2034 # read by lab/conf.sh
LAB_ATD=2 LAB_RETRANSMIT=1

# Epoch and milliseconds, of ksd or a member.
pseudotime() { # NODE ks|gm
	lab_show "$1" "show crypto gdoi $2 replay" -j | jq -r '.groups[0] | "\(.epoch) \(.pseudotime_ms)"'
}
# Asked one after the other, so they may differ by what asking takes.
one_pseudotime() {
	local epoch ms first_epoch first_ms gm
	read -r first_epoch first_ms < <(pseudotime ks1 ks)
	[ "$first_ms" -gt 0 ] || return 1
	for gm in gm1 gm2 gm3; do
		read -r epoch ms < <(pseudotime $gm gm)
		[ "$epoch" = "$first_epoch" ] && [ $((ms - first_ms)) -lt 2000 ] &&
			[ $((first_ms - ms)) -lt 2000 ] || return 1
	done
}
members() { lab_show ks1 'show crypto gdoi ks members' -j | jq -c "$1"; }
spis() { lab_show gm1 'show crypto gdoi gm' -j | jq -c '[.groups[].teks[].spi] | unique'; }
seq_of() { lab_show "$1" 'show crypto gdoi gm' -j | jq '.groups[0].seq'; }
kek_of() { lab_show "$1" 'show crypto gdoi gm' -j | jq -r '.groups[0].kek.spi'; }
starts() { grep -c '%CRYPTO-5-GM_REGSTER' "$LAB_DIR/$1/gmd.log"; }
all_at_seq() { # SEQ
	local gm
	for gm in gm1 gm2 gm3; do
		[ "$(seq_of $gm)" = "$1" ] || return 1
		# in use, too: members keep few generations that wait
		lab_show $gm 'show crypto gdoi gm' -j |
			jq -e '[.groups[].teks[] | select(.state == "staged")] | length == 0' >/dev/null || return 1
	done
}
sids() { grep -o 'KS_GM_REGISTERED.* sid=[0-9]*+[0-9]*' "$LAB_DIR/ks1/ksd.log" | sed 's/.*sid=//'; }
registered_again() { [ "$(sids | wc -l)" = 4 ]; }
rekeys_to() { # SEQ
	lab_show ks1 'crypto gdoi ks rekey' >/dev/null && lab_until 15 all_at_seq "$1"
}
rekey_after_restart() { # SEQ: the one before may still be under way
	lab_until 15 lab_show ks1 'crypto gdoi ks rekey' >/dev/null && lab_until 30 all_at_seq "$1"
}

lab_up 1ks-3gm
check "a first rekey" rekeys_to 1
kek=$(kek_of gm1)
before="$(starts gm1) $(starts gm2) $(starts gm3)"
old_spis=$(spis)
check "members and ksd agree on pseudotime" one_pseudotime
read -r epoch told < <(pseudotime ks1 ks)
check "10,000 packets per second flow" lab_flow_start 10000

lab_kill ks1 ksd KILL
check "ksd starts again" lab_start ks1 ksd
check "it goes on with its group" lab_wait_log ks1 ksd '%GDOI-5-KS_RESTORED' 5
check "it knows its three members" [ "$(members '[.groups[].members[]] | length')" = 3 ]
check "pseudotime goes on" [ "$(pseudotime ks1 ks | cut -d' ' -f1)" = "$epoch" ]
check "and not back" [ "$(pseudotime ks1 ks | cut -d' ' -f2)" -gt "$told" ]
check "members and the new ksd agree on it" one_pseudotime
check "the next rekey reaches all" rekey_after_restart 2
check "and leaves all at one pseudotime" one_pseudotime
check "under the same KEK" [ "$(kek_of gm1)" = "$kek" ]
check "with new keys" [ "$(spis)" != "$old_spis" ]

# In the middle of a rekey: what was cut short is sent again.
lab_show ks1 'crypto gdoi ks rekey' >/dev/null
lab_kill ks1 ksd KILL
check "ksd starts after a kill in a rekey" lab_start ks1 ksd
check "that rekey reaches all" lab_until 20 all_at_seq 3
check "and another" rekey_after_restart 4
result=$(lab_flow_stop)
check "lost $(jq .lost <<<"$result") of $(jq .sent <<<"$result") packets" \
	jq -e '.lost == 0 and .sent > 10000' <<<"$result"
check "nobody registered again" \
	[ "$(starts gm1) $(starts gm2) $(starts gm3)" = "$before" ]

lab_show gm1 'clear crypto gdoi' >/dev/null
check "a member registers" lab_until 10 registered_again
last=$(sids | tail -n 1)
highest=$(sids | head -n 3 | awk -F+ '{ if ($1 + $2 > n) n = $1 + $2 } END { print n }')
check "with fresh sender ids: $last" [ "${last%+*}" -ge "$highest" ]
if grep -qE '"[0-9a-f]{64}"' "$LAB_DIR/ks1/ksd.log"; then fail "a key in the log"; fi
echo "ksd killed twice: nobody registered again, 0 lost, sender ids go on at ${last%+*}"
