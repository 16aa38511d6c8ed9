#!/bin/bash
# Two key servers serve one group, and no key was copied but the one between them: members register
# at either and get the same keys; the primary is killed under traffic, the other one leads within
# 4 s, sends the next rekey with the same signing key, and no packet is lost. The killed one comes
# back from its disk, follows, and is handed the role. A stranger with another key is refused.
# alone: 3,000 packets per second, and none may be lost
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh flow
# shellcheck disable=SC2034 # read by lab/conf.sh
LAB_ATD=2 LAB_RETRANSMIT=1

coop() { lab_show "$1" 'show crypto gdoi ks coop' -j | jq -r "$2"; }            # KS EXPRESSION
role() { lab_wait_show "$1" 'show crypto gdoi ks coop' ".groups[0].role == \"$2\"" "${3:-10}"; }
spis() { lab_show "$1" "show crypto gdoi $2" -j | jq -c '[.groups[].teks[].spi] | sort'; }
kek() { lab_show "$1" 'show crypto gdoi ks policy' -j | jq -r '.groups[0].kek.spi'; }
same_keys() { [ "$(spis ks1 'ks policy')" = "$(spis ks2 'ks policy')" ] && [ "$(kek ks1)" = "$(kek ks2)" ]; }
has_keys_of() { [ "$(spis "$1" gm)" = "$(spis "$2" 'ks policy')" ]; } # GM KS
all_have_keys_of() { has_keys_of gm1 "$1" && has_keys_of gm2 "$1" && has_keys_of gm3 "$1"; }
members() { # KS DATABASE: how many
	lab_show "$1" 'show crypto gdoi ks members' -j | jq "[.groups[].members[] | select(.database == \"$2\")] | length"
}
counter() { # KS NAME
	lab_show "$1" 'show crypto gdoi ks coop counters' -j | jq ".peers[0][\"$2\"]"
}
starts() { grep -hc '%CRYPTO-5-GM_REGSTER' "$LAB_DIR"/gm?/gmd.log | paste -sd' '; }
now_ms() { awk '{printf "%d\n", $1 * 1000}' /proc/uptime; } # as daemons stamp their lines
led_at() { grep 'COOP_KS_TRANS_TO_PRI' "$LAB_DIR/$1/ksd.log" | tail -n 1 | awk '{printf "%d\n", $1 * 1000}'; } # NODE
leads_now() { coop ks2 '.groups[0].role' | grep -qx Primary; }
use_key() { chown nobody "$LAB_DIR/$1/coop.key"; } # a reload happens as nobody

lab_up 2ks-3gm
check "the one of higher priority leads" role ks1 Primary
check "the other one follows" role ks2 Secondary
check "no file of a signing key is anywhere" [ -z "$(find "$LAB_DIR" -name 'rekey.pem')" ]
check "both hold the signing key" [ "$(coop ks1 '.groups[0].signing_key')$(coop ks2 '.groups[0].signing_key')" = HeldHeld ]
check "both have the same keys" same_keys
check "so have all members, wherever they registered" all_have_keys_of ks2
both_know() { [ $(($(members "$1" local) + $(members "$1" redundant))) = 3 ]; }
check "ks1 knows its own and the other's" lab_until 5 both_know ks1
check "so does ks2" lab_until 5 both_know ks2
gm2_is() { lab_json_holds "$1" 'show crypto gdoi ks members' ".groups[].members[] | select(.id == \"192.0.2.5\") | .database == \"$2\""; }
at_ks2() { gm2_is ks2 local && gm2_is ks1 redundant; }
goes_to_ks2() { # it may have asked before ks2 had sender ids to give
	at_ks2 && return
	lab_show gm2 'clear crypto gdoi' >/dev/null
	lab_until 8 at_ks2
}
check "gm2 registers at ks2, which has it as its own; ks1 as another's" lab_until 40 goes_to_ks2
check "and it has the same keys" lab_until 5 has_keys_of gm2 ks1
check "a secondary makes no keys and says who does" bash -c \
	"'$(lab_program gvsh)' -s '$LAB_DIR/ks2/ksd.sock' -c 'crypto gdoi ks rekey' 2>&1 | grep -q 'only the primary makes keys (10.0.0.1)'"
check "the primary's rekey" lab_show ks1 'crypto gdoi ks rekey'
check "reaches all, of both" lab_until 20 all_have_keys_of ks1
check "and the secondary" lab_until 5 same_keys

before=$(starts)
check "3,000 packets per second flow" lab_flow_start 3000
t0=$(now_ms)
lab_kill ks1 ksd KILL
check "the secondary leads" lab_until 10 leads_now
took=$(($(led_at ks2) - t0))
check "within 4 s: $took ms" [ $took -le 4000 ]
check "it says so" lab_wait_log ks2 ksd '%GDOI-5-COOP_KS_TRANS_TO_PRI' 1
check "its rekey" lab_show ks2 'crypto gdoi ks rekey'
check "reaches all" lab_until 20 all_have_keys_of ks2
settled() { # nothing staged, nothing draining
	lab_show "$1" 'show crypto gdoi gm' -j | jq -e 'all(.groups[].teks[]; .state == "current")' >/dev/null
}
for gm in gm1 gm2 gm3; do check "$gm sends under the new keys alone" lab_until 40 settled $gm; done

check "the killed one starts again" lab_start ks1 ksd
check "it follows: nobody takes the role from a primary that is well" role ks1 Secondary 15
check "it has the keys of the other" lab_until 10 same_keys
check "the operator hands the role back" lab_show ks2 'clear crypto gdoi ks coop role'
check "ks1 leads" role ks1 Primary 10
check "ks2 follows" role ks2 Secondary 10
check "its rekey" lab_until 15 lab_show ks1 'crypto gdoi ks rekey'
check "reaches all" lab_until 20 all_have_keys_of ks1
result=$(lab_flow_stop)
check "lost $(jq .lost <<<"$result") of $(jq .sent <<<"$result") packets" [ "$(jq .lost <<<"$result")" = 0 ]
check "no member registered again" [ "$(starts)" = "$before" ]

# Maintenance: as an operator takes a box out of service.
check "maintenance of ks1" lab_show ks1 'crypto gdoi ks coop maintenance'
check "hands the role over" role ks2 Primary 10
check "and ends" lab_show ks1 'no crypto gdoi ks coop maintenance'

# A reload brings another priority; id and ports want a restart.
use_key ks1
sed -i 's/priority = 100;/priority = 150;/' "$LAB_DIR/ks1/ksd.conf"
chown nobody "$LAB_DIR/ks1/ksd.conf"
check "a reload" lab_show ks1 'crypto gdoi ks reload'
check "brings another priority" [ "$(coop ks1 '.groups[0].priority')" = 150 ]
sed -i 's/coop: { id = 1;/coop: { id = 5;/' "$LAB_DIR/ks1/ksd.conf"
check "another id is refused" bash -c \
	"'$(lab_program gvsh)' -s '$LAB_DIR/ks1/ksd.sock' -c 'crypto gdoi ks reload' 2>&1 | grep -q 'change with a restart only'"
sed -i 's/coop: { id = 5;/coop: { id = 1;/' "$LAB_DIR/ks1/ksd.conf"

# A rogue: at ks1's address, with a key of its own.
lab_kill ks1 ksd TERM
cp "$LAB_DIR/ks1/coop.key" "$LAB_DIR/ks1/right.key"
rm "$LAB_DIR/ks1/coop.key"
"$(lab_program ksd)" --coop-key "$LAB_DIR/ks1/coop.key" >/dev/null
refused=$(counter ks2 handshakes-refused)
check "a key server with another key starts" lab_start ks1 ksd
is_refused() { [ "$(counter ks2 handshakes-refused)" -gt "$refused" ]; }
check "it is refused" lab_until 10 is_refused
check "and told of" lab_wait_log ks2 ksd '%GDOI-3-COOP_KS_UNAUTH' 5
check "ks2 leads on" role ks2 Primary
check "and its peer is dead" lab_wait_show ks2 'show crypto gdoi ks coop' '.groups[0].peers[0].status == "Dead"' 10
kek_before=$(kek ks2)
check "its rekey" lab_until 15 lab_show ks2 'crypto gdoi ks rekey'
check "reaches all" lab_until 20 all_have_keys_of ks2
check "under the same KEK" [ "$(kek ks2)" = "$kek_before" ]

lab_kill ks1 ksd TERM
mv "$LAB_DIR/ks1/right.key" "$LAB_DIR/ks1/coop.key"
check "the right one starts again" lab_start ks1 ksd
check "and is heard" lab_wait_show ks2 'show crypto gdoi ks coop' '.groups[0].peers[0].status == "Alive"' 15
check "both have the same keys" lab_until 15 same_keys
echo "takeover in $took ms, lost 0 of $(jq .sent <<<"$result") packets; a rogue is refused"
