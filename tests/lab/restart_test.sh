#!/bin/bash
# gmd restarts: no packet is lost. espd restarts: traffic stops for its start time only, nothing of
# it leaves in clear, and no nonce is ever used twice under one key.
# alone: it measures how long traffic stops
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh flow

lab_up 1ks-3gm
check "flows start" lab_flow_start 3000
old=$(lab_pid gm1 gmd)
lab_kill gm1 gmd TERM
check "traffic passes without gmd" lab_in h1 ping -q -c 10 -i 0.1 -W 1 10.2.0.10
check "gmd starts again" lab_start gm1 gmd
check "gmd is another process" [ "$(lab_pid gm1 gmd)" != "$old" ]
check "it registers again" lab_wait_registered gm1
lab_kill gm1 gmd KILL
check "gmd starts after a crash" lab_start gm1 gmd
check "it registers again" lab_wait_registered gm1
check "both sides stay under one key" lab_in h1 ping -q -c 2 -i 0.1 -W 1 10.2.0.10
result=$(lab_flow_stop)
check "gmd's restarts lost $(jq .lost <<<"$result") of $(jq .sent <<<"$result") packets" \
	jq -e '.lost == 0 and .sent > 1000' <<<"$result"

lab_capture_start core gm1 "$LAB_DIR/core.pcap" esp and src net 10.1.0.0/24
lab_capture_start core gm2 "$LAB_DIR/clear.pcap" src net 10.1.0.0/24 and dst net 10.2.0.0/24 and not esp
check "flows start" lab_flow_start 1200
captured() { [ "$(stat -c %s "$LAB_DIR/core.pcap")" -gt 50000 ]; }
check "the core sees it" lab_until 5 captured
boundary=$(date +%s.%N)
mark=$(lab_mark gm1 gmd)
kill -STOP "$(lab_pid gm1 gmd)" # or it is too quick for a leak to show
lab_kill gm1 espd TERM
check "espd starts again" lab_start_espd gm1
sleep 1 # a thousand packets want to get out
kill -CONT "$(lab_pid gm1 gmd)"
check "gmd gives it its keys again" lab_wait_log gm1 gmd '%GDOI-5-GM_DATAPLANE_UP' 15 "$mark"
check "the member is whole" lab_wait_registered gm1
check "traffic resumes" lab_until 10 lab_in h1 ping -q -c 1 -W 1 10.2.0.10
result=$(lab_flow_stop)
lab_capture_stop core gm1
lab_capture_stop core gm2
clear=$(tcpdump -n -r "$LAB_DIR/clear.pcap" 2>/dev/null | wc -l)
check "none of it left in clear meanwhile ($clear packets)" [ "$clear" = 0 ]
gap=$(jq .max_gap_ms <<<"$result")
check "traffic stopped for $gap ms" jq -e '.max_gap_ms < 6000' <<<"$result"

nonces=$(python3 "$lab_top/tests/lab/nonces.py" "$LAB_DIR/core.pcap" "$boundary") || fail "$nonces"
ok "$nonces"
echo "gmd twice: 0 lost; espd: ${gap%.*} ms without traffic, none in clear, no nonce twice"
