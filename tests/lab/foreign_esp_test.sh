#!/bin/bash
# Two programs that are not ours judge our ESP: tshark opens it with the keys of a lab build; scapy
# opens it too, check value included, and builds packets that espd opens.
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh
LAB_KEYLOG=1
for transform in "esp-gcm 128" "esp-gcm 256" "esp-aes 128 esp-sha256-hmac"; do
	LAB_TRANSFORM=$transform
	lab_up 1ks-3gm
	lab_json_holds gm1 'show version' .keylog || skip "not a lab build (meson -Dkeylog=true)"
	lab_capture_start core gm1 "$LAB_DIR/core.pcap" esp
	check "h1 reaches h2 under $transform" lab_in h1 ping -q -c 5 -i 0.1 -W 2 -s 200 10.2.0.10
	lab_capture_stop core gm1
	python=/usr/bin/python3 # where Debian's scapy is
	check "tshark opens all of it" $python "$lab_top/tests/lab/foreign_esp.py" tshark \
		"$LAB_DIR/ks1/ksd.keylog" "$LAB_DIR/core.pcap" 10
	check "scapy opens all of it" $python "$lab_top/tests/lab/foreign_esp.py" scapy \
		"$LAB_DIR/ks1/ksd.keylog" "$LAB_DIR/core.pcap" 10

	lab_capture_start h1 eth0 "$LAB_DIR/h1.pcap" 'icmp[0] = 8'
	check "scapy builds packets from h2 to h1" lab_in core $python \
		"$lab_top/tests/lab/foreign_esp.py" send "$LAB_DIR/ks1/ksd.keylog" "$LAB_DIR/core.pcap" 3
	arrived() { [ "$(tcpdump -n -A -r "$LAB_DIR/h1.pcap" 2>/dev/null | grep -c 'built by scapy')" = "$1" ]; }
	check "espd opens them for h1, with a spoiled one dropped" lab_until 5 arrived 3
	check "the spoiled one is counted" lab_json_holds gm1 'show crypto gdoi gm dataplane counters' \
		'[.sas[].auth_fail] | add == 1'
	lab_down
done
echo "tshark and scapy open ours, espd opens scapy's: GCM-128, GCM-256, CBC with HMAC"
