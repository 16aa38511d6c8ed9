#!/bin/bash
# A rekey message seen on the wire and sent again later is counted and ignored.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh

LAB_ATD=2 LAB_RETRANSMIT=1
lab_up 1ks-3gm
# ISAKMP exchange type 33: GROUPKEY-PUSH.
lab_capture_start core ks1 "$LAB_DIR/push.pcap" 'udp port 848 and udp[26] = 33 and dst host 192.0.2.1'
got() { lab_json_holds gm1 'show crypto gdoi gm' ".groups[0].rekeys_received == $1"; }
for n in 1 2; do
	check "rekey $n is sent" lab_show ks1 'crypto gdoi ks rekey'
	check "gm1 accepts it" lab_until 10 got $n
done
check "two or more messages were captured" lab_until 5 bash -c \
	"[ \$(tcpdump -n -r '$LAB_DIR/push.pcap' 2>/dev/null | wc -l) -ge 2 ]"
lab_capture_stop core ks1

counters() { lab_show gm1 'show crypto gdoi gm counters' -j | jq '[.. | numbers] | add'; }
spis() { lab_show gm1 'show crypto gdoi gm' -j | jq -c '[.groups[].teks[].spi] | unique'; }
seq() { lab_show gm1 'show crypto gdoi gm' -j | jq '.groups[0].seq'; }
refused=$(counters) seq_before=$(seq)
mark=$(lab_mark gm1 gmd)
check "the first one is sent again, ten times" lab_in core python3 "$lab_top/tests/lab/resend.py" \
	"$LAB_DIR/push.pcap" 10
grown() { [ "$(counters)" -ge $((refused + 10)) ]; }
check "each copy is counted" lab_until 5 grown
check "none is accepted" got 2
check "the sequence number stands" [ "$(seq)" = "$seq_before" ]
check "no line per copy: the log is rate-limited" [ "$(tail -n +"$((mark + 1))" "$LAB_DIR/gm1/gmd.log" | grep -c REKEY)" -le 3 ]
check "the member goes on" lab_wait_registered gm1
check "a real rekey is still accepted" lab_show ks1 'crypto gdoi ks rekey'
check "and counted" lab_until 10 got 3
echo "10 copies of an old rekey: counted, ignored"
