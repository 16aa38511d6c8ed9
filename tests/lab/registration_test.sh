#!/bin/bash
# Three members register with a key server; the core between them sees only ESP, under the hosts'
# own addresses; what is not group policy passes in clear; what should be encrypted and is not is
# dropped.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh

lab_up 1ks-3gm
check "the key server counts three members" lab_json_holds ks1 'show crypto gdoi ks members' \
	'.groups[0].members | length == 3'
for gm in gm1 gm2 gm3; do
	check "$gm logged its registration" lab_log_has $gm gmd '%GDOI-5-GM_REGS_COMPL'
	check "$gm holds a key per permit line, all in use" lab_json_holds $gm 'show crypto gdoi gm' \
		'.groups[0].teks | length == 6 and all(.state == "current")'
done
check "the key server logged all three" [ "$(grep -c '%GDOI-5-KS_GM_REGISTERED' "$LAB_DIR/ks1/ksd.log")" = 3 ]
spis=$(for gm in gm1 gm2 gm3; do
	lab_show $gm 'show crypto gdoi gm' -j | jq -c '[.groups[0].teks[].spi] | sort'
done | sort -u | wc -l)
check "all members hold the same keys" [ "$spis" = 1 ]

lab_capture_start core gm1 "$LAB_DIR/core.pcap"
for to in 10.2.0.10 10.3.0.10; do
	check "h1 reaches $to" lab_in h1 ping -q -c 3 -i 0.1 -W 2 $to
done
check "h2 reaches h3" lab_in h2 ping -q -c 3 -i 0.1 -W 2 10.3.0.10
check "packets of 1400 octets pass" lab_in h1 ping -q -c 2 -i 0.1 -W 2 -s 1372 -M "do" 10.2.0.10
check "h1 reaches the key server in clear: no rule names it" lab_in h1 ping -q -c 1 -W 2 10.0.0.1

# From the core to h1 in clear, posing as h2: policy says this must have been encrypted.
before=$(lab_show gm1 'show crypto gdoi gm dataplane counters' -j | jq -c .counters)
lab_capture_start h1 eth0 "$LAB_DIR/h1.pcap" icmp
lab_in core python3 "$lab_top/tests/lab/forge_clear.py" 10.2.0.10 10.1.0.10 5
counted() {
	lab_json_holds gm1 'show crypto gdoi gm dataplane counters' "$before as \$b |
		[.counters | to_entries[] | select(.key | test(\"clear\")) | .value - (\$b[.key] // 0)] | add >= 5"
}
check "clear packets that pose as h2 are counted" lab_until 5 counted
lab_capture_stop h1 eth0
check "and h1 gets none of them" bash -c \
	"! tcpdump -n -x -r '$LAB_DIR/h1.pcap' 2>/dev/null | grep -q '666f 7267'"

lab_capture_stop core gm1
saw() { tcpdump -n -r "$LAB_DIR/core.pcap" "$1" 2>/dev/null | wc -l; }
clear=$(saw 'src net 10.1.0.0/24 and (dst net 10.2.0.0/24 or dst net 10.3.0.0/24) and not esp')
esp=$(saw 'esp and src host 10.1.0.10')
other=$(saw 'esp and not net 10.0.0.0/8')
check "no clear packet between the hosts on the core" [ "$clear" = 0 ]
check "ESP with h1's own address instead ($esp packets)" [ "$esp" -ge 8 ]
check "and none with another" [ "$other" = 0 ]
echo "3 members, $esp ESP packets of h1 on the core, 0 in clear"
