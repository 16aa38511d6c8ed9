#!/bin/bash
# Aggressive mode, judged by ike-scan: no word where it is not configured; members that use it, one
# of them known by its name alone, register; a flood of first messages does not keep a member out.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh
command -v ike-scan >/dev/null || skip "no ike-scan: run tools/deps.sh lab"

counters='show crypto gdoi ks counters'
scan() { # NODE OPTIONS…: message 1 as our members would send it, but for MODP-2048
	local node=$1
	shift
	lab_in "$node" ike-scan -A --sport=0 --dport=848 --doi=2 --situation=0 --nodns \
		--trans="(1=7,14=128,2=4,3=1,4=${GROUP:-14})" --dhgroup="${GROUP:-14}" --retry=1 \
		--timeout=500 "$@"
}
# shellcheck disable=SC2329 # called through check
answers() { scan "$@" 10.0.0.1 | tee "$LAB_DIR/scan" | grep -q 'Aggressive Mode Handshake returned'; }
# shellcheck disable=SC2329
is_silent() { scan "$@" 10.0.0.1 | tee "$LAB_DIR/scan" | grep -q '0 returned handshake; 0 returned notify'; }

LAB_IKE='aes 128 sha256 14' lab_up 1ks-3gm

# ---- not configured ----
check "where it is not configured, ike-scan gets no answer" is_silent gm2 --pskcrack="$LAB_DIR/crack"
check "and psk-crack nothing to work on" [ ! -s "$LAB_DIR/crack" ]
check "the refusal is counted" lab_json_holds ks1 "$counters" \
	'.phase1_refused["aggressive-not-configured"] >= 1'

# ---- configured for gm2 by its address, for gm3 by its name ----
key2=$(cat "$LAB_DIR/gm2/psk") key3=$(cat "$LAB_DIR/gm3/psk")
sed -i -e "s/\(peer = \"192.0.2.5\"; key = \"$key2\";\)/\1 aggressive = true;/" \
	-e "s/peer = \"192.0.2.9\"; key/id = \"gm3.example.net\"; key/" "$LAB_DIR/ks1/ksd.conf"
sed -i "s/key = \"$key2\";/& aggressive = true;/" "$LAB_DIR/gm2/gmd.conf"
sed -i "s/key = \"$key3\";/& aggressive = true; own_id = \"gm3.example.net\";/" "$LAB_DIR/gm3/gmd.conf"
check "the file's reader warns of it" bash -c \
	"'$(lab_program ksd)' --check -f '$LAB_DIR/ks1/ksd.conf' 2>&1 | grep -q 'warning: aggressive'"
for gm in gm1 gm2 gm3; do lab_kill $gm gmd; done
lab_kill ks1 ksd
check "the key server starts" lab_start ks1 ksd
mark=$(lab_mark ks1 ksd)
for gm in gm2 gm3; do
	lab_start $gm gmd
	check "$gm registers in aggressive mode" lab_wait_registered $gm
done
check "the key server knows gm3 by its name" lab_wait_log ks1 ksd \
	'KS_GM_REGISTERED: gm=192.0.2.9 identity=gm3.example.net' 5

id2=(--id=0xc0000205 --idtype=1) # 192.0.2.5
check "ike-scan at gm2's address gets its handshake" answers gm2 "${id2[@]}" --pskcrack="$LAB_DIR/crack"
cat "$LAB_DIR/scan"
check "with what psk-crack would need: this is what the warning is about" [ -s "$LAB_DIR/crack" ]
check "and so does the name, from anywhere" answers core --id=gm3.example.net --idtype=2
check "another name gets nothing" is_silent core --id=gm9.example.net --idtype=2
check "nor does gm1, whose key does not say so" is_silent gm1 --id=0xc0000201 --idtype=1
GROUP=15 check "nor a group that is not offered here" is_silent gm2 "${id2[@]}"

# ---- a flood ----
pid=$(lab_pid ks1 ksd)
ticks() {
	local fields
	read -r -a fields <<<"$(sed 's/.*) //' "/proc/$pid/stat")"
	echo $((fields[11] + fields[12]))
}
for ((i = 0; i < 4000; i++)); do echo 10.0.0.1; done >"$LAB_DIR/targets"
before=$(ticks)
lab_spawn gm2 flood ike-scan -A --sport=0 --dport=848 --doi=2 --situation=0 --nodns \
	--trans='(1=7,14=128,2=4,3=1,4=14)' --dhgroup=14 --retry=1 --timeout=500 --interval=1 \
	"${id2[@]}" --file="$LAB_DIR/targets"
check "a flood is under way" lab_wait_show ks1 "$counters" '.phase1_refused["half-open-full"] > 50' 10
check "a member begins to register in main mode" lab_start gm1 gmd
check "and comes through" lab_wait_registered gm1 10
check "gm3 comes through in aggressive mode too" lab_show gm3 'clear crypto gdoi'
check "within ten seconds" lab_wait_show gm3 'show crypto gdoi gm' '.groups[0].registrations >= 2' 10
check "half-open handshakes of the flood are few" lab_json_holds ks1 "$counters" '.phase1_sas <= 40'
lab_until 20 lab_gone gm2 flood
used=$(($(ticks) - before))
refused=$(lab_show ks1 "$counters" -j | jq '.phase1_refused["half-open-full"]')
check "the key server worked little: $used ticks for 4000 messages" [ "$used" -lt 200 ]
check "most of the flood cost no Diffie-Hellman: $refused refused" [ "$refused" -gt 3000 ]
echo "4000 first messages, $refused refused, $((used * 10)) ms of CPU; members registered meanwhile"
