#!/bin/bash
# A data packet seen on the wire and sent again later is counted and goes nowhere; so is one that is
# older than the window of its sender.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh

lab_up 1ks-3gm
counters='show crypto gdoi gm dataplane counters'
shows() { lab_show gm2 'show crypto gdoi gm replay' | grep -q 'counter, 64, per sender'; }
check "gm2 keeps a window of 64 for each sender" shows
lab_capture_start core gm2 "$LAB_DIR/esp.pcap" 'esp and src host 10.1.0.10'
lab_capture_start h2 eth0 "$LAB_DIR/h2.pcap" 'icmp[0] = 8'
arrived() { [ "$(tcpdump -n -r "$LAB_DIR/h2.pcap" 2>/dev/null | wc -l)" = "$1" ]; }
check "h1 reaches h2" lab_in h1 ping -q -c 5 -i 0.1 -W 2 10.2.0.10
check "five packets arrived" lab_until 5 arrived 5
lab_capture_stop core gm2
again() { lab_in core python3 "$lab_top/tests/lab/resend.py" "$LAB_DIR/esp.pcap" 10; }
check "the first is sent again, ten times" again
check "each copy is counted" lab_until 5 lab_json_holds gm2 "$counters" '.counters.esp_in_replay == 10'
check "and counted for the SA" lab_json_holds gm2 "$counters" '[.sas[].replayed] | add == 10'
check "none arrived" arrived 5
check "the others go on" lab_in h1 ping -q -c 100 -i 0.005 -W 2 10.2.0.10
check "all of them arrived" lab_until 5 arrived 105
check "the first is sent again, older than the window now" again
check "each copy is counted as too old" lab_until 5 lab_json_holds gm2 "$counters" \
	'.counters.esp_in_replay_old == 10'
check "none arrived" arrived 105
check "a rekey brings new windows" lab_show ks1 'crypto gdoi ks rekey'
check "h1 reaches h2 across it" lab_in h1 ping -q -c 300 -i 0.01 -W 2 10.2.0.10
check "nothing else was taken for a replay" lab_json_holds gm2 "$counters" \
	'.counters.esp_in_replay == 10 and .counters.esp_in_replay_old == 10'
echo "20 copies of an old data packet: counted, dropped; 405 true ones passed"
