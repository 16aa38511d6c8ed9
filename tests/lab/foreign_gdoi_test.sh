#!/bin/bash
# Two programs that are not ours read our registration and rekey: a page of Python takes the
# encryption off with the keys of a lab build (keys and IV chain of RFC 2409, KEK of RFC 6407), and
# tshark dissects what it finds. tshark 4.0 calls PULL "Quick Mode", PUSH "New Group Mode" and reads
# two octets where a SAT has one (length of an ID), so nothing inside SATs is asked of it.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
. "$(dirname "$0")/tshark.sh"
need_daemons ksd gmd espd gvsh
LAB_KEYLOG=1 LAB_ATD=2 LAB_RETRANSMIT=1

lab_up_network 1ks-3gm
lab_step "start ks1" lab_start_node ks1
lab_json_holds ks1 'show version' .keylog || skip "not a lab build (meson -Dkeylog=true)"
lab_capture_start core gm1 "$LAB_DIR/gdoi.pcap" udp port 848
for gm in gm1 gm2 gm3; do lab_step "start $gm" lab_start_node $gm; done
for gm in gm1 gm2 gm3; do lab_step "$gm registers" lab_wait_registered $gm; done
held() { lab_show gm1 'show crypto gdoi gm' -j | jq -c '[.groups[0].teks[].spi]'; }
old=$(held)
check "a rekey is sent" lab_show ks1 'crypto gdoi ks rekey'
acked() { lab_json_holds ks1 'show crypto gdoi ks members' '.groups[0].members | all(.acks_received == 1)'; }
check "and acknowledged" lab_until 10 acked
lab_capture_stop core gm1
cat "$LAB_DIR/ks1/ksd.keylog" "$LAB_DIR/gm1/gmd.keylog" >"$LAB_DIR/keylog"
check "keys and IVs by the RFCs open every message" gdoi_open "$LAB_DIR/gdoi.pcap"

kek=$(lab_show ks1 'show crypto gdoi ks policy' -j | jq -r '.groups[0].kek.spi | ascii_downcase | ltrimstr("0x")')
tek=$(jq -n -r --argjson old "$old" --argjson now "$(held)" \
	'($now - $old)[0] | ascii_downcase | ltrimstr("0x")')
tshark_finds "PULL 1" 32 1 "Payload: Hash (8)" "Payload: Nonce (10)" "ID_KEY_ID: 000004d2"
tshark_finds "PULL 2" 32 2 "Payload: Nonce (10)" "Domain of interpretation: GDOI (2)" \
	"SA Attribute Next Payload: 000f" "SRC ID Data: 0a000001" "DST ID Data: c0000201" "SPI: $kek"
tshark_finds "PULL 3" 32 3 "Payload: Hash (8)"
tshark_finds "PULL 4" 32 4 "Payload: Hash (8)" "Sequence Number: 0" "Number of Key Packets: 8" \
	"Type: KEK (2)" "SPI: $kek" "Type: TEK (1)"
tshark_finds "PUSH" 33 1 "Message ID: 0x00000000" "Sequence Number: 1" \
	"Domain of interpretation: GDOI (2)" "Payload: Key Download (17)" "Type: TEK (1)" "SPI: $tek" \
	"Payload: Signature (9)"
tshark_finds "its acknowledgement" 35 1 "Payload: Hash (8)" "Sequence Number: 1" "ID_IPV4_ADDR: 192.0.2.1"
echo "PULL 1-4, PUSH and its acknowledgement opened and dissected"
