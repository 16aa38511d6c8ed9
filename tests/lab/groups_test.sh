#!/bin/bash
# Two groups on one member: each lives for itself. With one key server dead the other group
# registers and is programmed; the dead one's keys stand over a restart of gmd; without keys its
# traffic follows its own fail-close, and never passes as "no rule".
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh

state() { # GM GROUP EXPRESSION
	lab_wait_show "$1" 'show crypto gdoi gm' ".groups[] | select(.name == \"$2\") | $3" "${4:-20}"
}
data() { lab_in h1 ping -q -c 3 -i 0.1 -W 1 10.2.0.10 >/dev/null; }
voice() { lab_in h1 ping -q -c 3 -i 0.1 -W 1 -I 10.101.0.10 10.102.0.10 >/dev/null; }
no() { ! "$@"; }
clear_on_core() { # packets of the telephones in clear that the core has seen
	tcpdump -n -r "$LAB_DIR/core.pcap" 'src net 10.101.0.0/24 and not esp' 2>/dev/null | wc -l
}

reconfigure() { # GM SED_EXPRESSION
	sed -i "$2" "$LAB_DIR/$1/gmd.conf"
	chown nobody "$LAB_DIR/$1/gmd.conf" # gmd has given up root by now
	kill -HUP "$(lab_pid "$1" gmd)"
}

lab_up 2ks-2gm-groups
for n in 1 2; do
	ip -n "$(lab_ns h$n)" addr add 10.10$n.0.10/24 dev eth0
	ip -n "$(lab_ns gm$n)" addr add 10.10$n.0.1/24 dev lan
done
lab_capture_start core gm1 "$LAB_DIR/core.pcap" ip
check "both groups carry traffic" lab_until 5 voice
check "both groups carry traffic" data

lab_kill ks2 ksd KILL
lab_kill gm1 gmd TERM
check "gmd starts again, VOICE's key server is dead" lab_start gm1 gmd
check "DATA registers and is in force" state gm1 DATA '.state == "registered" and .dataplane == "up"'
check "VOICE does not register" state gm1 VOICE '.state == "registering"'
check "DATA carries traffic" data
check "VOICE still does, under the keys it had" voice

lab_kill gm1 espd TERM
check "espd starts again" lab_start_espd gm1
ip -n "$(lab_ns gm1)" addr add 10.101.0.1/24 dev lan
check "DATA is in force again" state gm1 DATA '.dataplane == "up"'
check "DATA carries traffic" lab_until 5 data
check "VOICE has no keys any more and is closed" no voice
check "espd counts it" lab_json_holds gm1 'show crypto gdoi gm dataplane counters' \
	'.counters.policy_fail_closed >= 3'
check "none of VOICE was in clear so far" [ "$(clear_on_core)" = 0 ]

reconfigure gm1 's/name = "VOICE"; /&fail_close = { activate = false; }; /'
check "gmd is told that VOICE may be open" lab_wait_log gm1 gmd 'CONFIG_I'
voice # gm2 drops the answers: it holds VOICE's keys
leaves_in_clear() { [ "$(clear_on_core)" -ge 3 ]; }
check "its packets leave in clear now" lab_until 5 leaves_in_clear
check "DATA is as it was" data

check "VOICE's key server comes back" lab_start ks2 ksd
check "VOICE registers" state gm1 VOICE '.state == "registered" and .dataplane == "up"' 90
before=$(clear_on_core)
check "VOICE carries traffic" lab_until 5 voice
sleep 0.3 # the capture writes what it saw
check "and none of it is in clear" [ "$(clear_on_core)" = "$before" ]
lab_capture_stop core gm1

reconfigure gm1 's/name = "DATA"; /&interfaces = [ "wan7" ]; /'
check "a port that is not there is named" lab_wait_log gm1 gmd 'group DATA: there is no port wan7'
sed -i 's/name = "DATA"; /&table = 7; /' "$LAB_DIR/gm1/gmd.conf"
check "another routing table is refused" bash -c "'$(lab_program gmd)' -c -f '$LAB_DIR/gm1/gmd.conf' 2>&1 |
	grep -q 'table'"
echo "one dead key server: the other group registers in its own time, nothing in clear"
