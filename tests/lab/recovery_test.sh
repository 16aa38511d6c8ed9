#!/bin/bash
# A member that no copy of a rekey reached hears its peers under keys it lacks. It asks its key
# server long before its own keys end, once; made-up SPIs bring it to ask once more and no oftener.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh flow

conf_member_group() {
	printf '{ name = "%s"; identity = %s; servers = [ "%s" ]; recovery_check_interval = 100; }' \
		"$1" "${group_identity[$1]}" "$(topo_addr "${group_ks[$1]}")"
}
seq_is() { lab_json_holds "$1" 'show crypto gdoi gm' ".groups[0].kek.seq == $2"; }
recoveries() { grep -c '%GDOI-5-GM_RECOVERY_REGISTRATION' "$LAB_DIR/gm1/gmd.log"; }

LAB_ATD=2 lab_up 1ks-3gm
check "no rekey reaches gm1 from now on" lab_in core nft "add table ip block
	add chain ip block pushes { type filter hook forward priority 0; }
	add rule ip block pushes ip saddr 10.0.0.1 ip daddr 192.0.2.1 udp sport 848 @th,208,8 33 drop"
lab_flow_start 1200
check "a rekey" lab_show ks1 'crypto gdoi ks rekey'
check "gm2 has it" lab_until 10 seq_is gm2 1
check "gm1 has not" seq_is gm1 0
check "gm1 hears SPIs that it lacks and asks" lab_wait_log gm1 gmd '%GDOI-5-GM_RECOVERY_REGISTRATION' 40
check "its key server tells it what it missed" lab_until 10 seq_is gm1 1
left=$(lab_show gm1 'show crypto gdoi gm' -j | jq '[.groups[0].teks[].remaining_s] | min')
ok "long before its keys would have ended: $left s left"
check "they understand each other again" lab_in h1 ping -q -c 3 -i 0.2 -W 2 10.2.0.10
lab_flow_stop >/dev/null

# From the core: ESP as h2 would send it, under SPIs that nobody has.
lab_in core python3 - <<'END'
import socket, struct, time
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for i in range(3000):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 84, i, 0, 64, 50, 0,
                       socket.inet_aton("10.2.0.10"), socket.inet_aton("10.1.0.10"))
    s.sendto(head + struct.pack("!II", 0xdead0000 + i, i) + bytes(56), ("10.1.0.10", 0))
    time.sleep(0.001)
END
check "espd counts the made-up ones" lab_json_holds gm1 'show crypto gdoi gm dataplane counters' \
	'.counters.esp_in_unknown_spi >= 3000'
check "3000 packets of made-up SPIs within the interval: no further registration" [ "$(recoveries)" = 1 ]
echo "missed a rekey, recovered with $left s left; a flood of made-up SPIs brought no registration"
