#!/bin/bash
# Who must not join does not: wrong pre-shared key, address without authorization, unknown group.
# The key server says why, the others never notice.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh

lab_up_network 1ks-3gm
# gm2: another key than the key server has. gm3: not on its list; also asks for a wrong group later.
sed -i "s/$(cat "$LAB_DIR/gm2/psk")/not-the-right-one-at-all/" "$LAB_DIR/gm2/gmd.conf"
sed -i '/authorization/s/"192\.0\.2\.9"/"198.51.100.9"/' "$LAB_DIR/ks1/ksd.conf"
grep -q 198.51.100.9 "$LAB_DIR/ks1/ksd.conf" || fail "gm3 is still on the list"
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
check "no secret in any log" bash -c "! grep -rqF -e not-the-right-one-at-all -e '$(cat "$LAB_DIR/gm1/psk")' '$LAB_DIR' --include='*.log'"
echo "wrong key, no authorization, unknown group: each refused by name"
