#!/bin/bash
# Who must not join does not: wrong pre-shared key, address without authorization, unknown group.
# Who joins too often waits.
# The key server says why, the others never notice.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh

lab_up_network 1ks-3gm
# gm2: another key than the key server has. gm3: not on its list; also asks for a wrong group later.
sed -i "s/$(cat "$LAB_DIR/gm2/psk")/not-the-right-one-at-all/" "$LAB_DIR/gm2/gmd.conf"
sed -i '/authorization/s/"192\.0\.2\.9"/"198.51.100.9"/' "$LAB_DIR/ks1/ksd.conf"
grep -q 198.51.100.9 "$LAB_DIR/ks1/ksd.conf" || fail "gm3 is still on the list"
sed -i 's/sid_bits = .*/& registration_burst = 3; registration_interval_s = 10;/' "$LAB_DIR/ks1/ksd.conf"
grep -q registration_burst "$LAB_DIR/ks1/ksd.conf" || fail "no sid_bits in the lab's ksd.conf"
for node in ks1 gm1 gm2 gm3; do check "$node starts" lab_start_node $node; done
check "gm1 registers" lab_wait_registered gm1

check "the wrong key is refused by name" lab_wait_log ks1 ksd '%CRYPTO-4-IKMP_AUTH_FAIL.*192\.0\.2\.5' 15
check "gm2 says that registration failed" lab_wait_log gm2 gmd '%GDOI-4-GM_REGS_FAIL' 60
check "the address without authorization is refused by name" lab_wait_log ks1 ksd \
	'%GDOI-4-UNAUTHORIZED_IPADDR.*192\.0\.2\.9' 15
check "gm3 says that registration failed" lab_wait_log gm3 gmd '%GDOI-4-GM_REGS_FAIL' 60

mark=$(lab_mark ks1 ksd)
lab_kill gm3 gmd
sed -i 's/identity = 1234/identity = 4321/' "$LAB_DIR/gm3/gmd.conf"
check "gm3 asks for another group" lab_start gm3 gmd
check "the unknown group is refused by name" lab_wait_log ks1 ksd '%GDOI-4-UNKNOWN_GROUP' 15 "$mark"

check "only gm1 is a member" lab_json_holds ks1 'show crypto gdoi ks members' \
	'[.groups[0].members[].id] == ["192.0.2.1"]'
for gm in gm2 gm3; do
	check "$gm holds no key" lab_json_holds $gm 'show crypto gdoi gm' '[.groups[].teks[]] == []'
done
# A member that comes again and again: three times, by ks1's file, and then it has to wait.
mark=$(lab_mark ks1 ksd)
again() { # until ks1 refuses it
	for _ in 1 2 3 4 5 6; do
		lab_show gm1 'clear crypto gdoi' >/dev/null
		lab_wait_log ks1 ksd '%GDOI-4-KS_GM_TOO_OFTEN.*192\.0\.2\.1:' 2 "$mark" 2>/dev/null && return 0
	done
	return 1
}
check "a member that registers too often is refused by name" again
check "it is counted" lab_json_holds ks1 'show crypto gdoi ks counters' '.refused["pull-too-often"] >= 1'
check "its turn comes again" lab_wait_registered gm1

check "no secret in any log" bash -c "! grep -rqF -e not-the-right-one-at-all -e '$(cat "$LAB_DIR/gm1/psk")' '$LAB_DIR' --include='*.log'"
echo "wrong key, no authorization, unknown group: each refused by name"
