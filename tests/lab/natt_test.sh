#!/bin/bash
# A NAT before the key server: two members register through its one address, are rekeyed by unicast
# and acknowledge, keep their mappings alive, and are found again after the NAT has given them other
# ports and after ksd restarted. Data between the hosts loses nothing.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh flow
# shellcheck disable=SC2034 # read by lab/conf.sh
LAB_ATD=2 LAB_RETRANSMIT=1 LAB_GMD='nat_keepalive = 1;'
nat_timeout=3 # seconds without a packet until the NAT forgets

members() { lab_show ks1 'show crypto gdoi ks members' -j | jq -r ".groups[0].members[] | $1"; }
ports() { members '"\(.inner) \(.port)"' | sort; }
counter() { lab_show ks1 'show crypto gdoi ks counters' -j | jq "$1"; }
resent() { lab_show ks1 'show crypto gdoi ks members' -j | jq '.groups[0].retransmits'; }
starts() { grep -c '%CRYPTO-5-GM_REGSTER' "$LAB_DIR/$1/gmd.log"; }
both_acked() {
	[ "$(members .acks_missed | sort -u)" = 0 ] &&
		[ "$(members .last_seq_acked | sort -u)" = "$(seq_of gm1)" ] && [ "$(seq_of gm2)" = "$(seq_of gm1)" ]
}
seq_of() { lab_show "$1" 'show crypto gdoi gm' -j | jq '.groups[0].seq'; }
rekey() { # and both have acknowledged it, at the first attempt
	local seq
	seq=$(seq_of gm1)
	lab_until 10 lab_show ks1 'crypto gdoi ks rekey' >/dev/null &&
		lab_until 10 seq_above "$seq" && lab_until 10 both_acked
}
all_moved() { ! ports | grep -qv ' 4[0-9][0-9][0-9][0-9]$'; }
seq_above() { [ "$(seq_of gm1)" -gt "$1" ]; }
keepalives_above() { [ "$(counter .nat_keepalives)" -gt "$1" ]; }
udp_from_nat() { # OCTETS PORT: as printf writes them
	# shellcheck disable=SC2016 # that shell's own
	lab_in nat bash -c 'printf "$1" >/dev/udp/198.51.100.2/$2' - "$1" "$2"
}

lab_up 1ks-2gm-nat
lab_in nat sysctl -qw net.netfilter.nf_conntrack_udp_timeout=$nat_timeout \
	net.netfilter.nf_conntrack_udp_timeout_stream=$nat_timeout
check "both are registered by the NAT's address" \
	[ "$(members .id | sort -u) $(members .inner | sort | paste -sd' ')" = "198.51.100.1 192.168.7.1 192.168.8.1" ]
check "each at its own port of it" [ "$(members .port | sort -u | wc -l)" = 2 ]
check "the member says what a NAT means" lab_log_has gm1 gmd '%GDOI-4-NAT_DETECTED.*ESP does not'
check "so does the key server" lab_log_has ks1 ksd '%GDOI-4-NAT_DETECTED.*behind=member'
check "show tells the mapping" lab_json_holds gm1 'show crypto gdoi gm' '.groups[0].nat == "here"'
lab_show ks1 'show crypto gdoi ks members' | grep -E 'NAT mapping|Behind NAT' | head -n 2
check "5,000 packets per second flow between the hosts" lab_flow_start 5000

before=$(ports)
check "keepalives come, longer than the NAT remembers" lab_until $((2 * nat_timeout + 6)) \
	keepalives_above $(($(counter .nat_keepalives) + 4 * nat_timeout))
check "a rekey reaches both and is acknowledged" rekey
check "nothing had to be sent twice" [ "$(resent)" = 0 ]
check "the mappings are the same" [ "$(ports)" = "$before" ]

# What comes from anybody to port 4500 is counted and moves nothing.
udp_from_nat '\xff' 4500
udp_from_nat '\x00\x00\x00\x00\x00' 4500
udp_from_nat 'ESP or garbage' 4500
check "garbage is counted" lab_wait_show ks1 'show crypto gdoi ks counters' \
	'.refused["nat-port-no-isakmp"] == 1 and .refused.malformed == 1'
check "a stranger's keepalive moves nobody" [ "$(ports)" = "$before" ]

# The NAT forgets and gives other ports: members ask their key server now and then, and are followed.
mark=$(lab_mark ks1 ksd)
lab_in nat nft 'flush chain ip lab nat
	add rule ip lab nat oifname out udp sport 1-65535 masquerade to :40000-49999
	add chain ip lab cut { type filter hook prerouting priority raw; }
	add rule ip lab cut udp dport 4500 drop'
sleep $((nat_timeout + 1)) # what it takes to forget
lab_in nat nft 'flush chain ip lab cut'
check "both mappings moved and were followed" lab_until 50 all_moved
lab_log_has ks1 ksd '192.168.7.1 is at port 4[0-9]+ of its NAT now' "$mark" || fail "ksd does not say so"
check "a rekey reaches both" rekey
check "nothing had to be sent twice" [ "$(resent)" = 0 ]

before=$(ports)
lab_kill ks1 ksd KILL
check "ksd starts again" lab_start ks1 ksd
check "it knows the ports" [ "$(ports)" = "$before" ]
check "a rekey reaches both" rekey
check "nobody registered again" [ "$(starts gm1) $(starts gm2)" = "1 1" ]
result=$(lab_flow_stop)
check "lost $(jq .lost <<<"$result") of $(jq .sent <<<"$result") packets" \
	jq -e '.lost == 0 and .sent > 10000' <<<"$result"
echo "2 members behind one NAT address: rekeyed, acknowledged, followed; 0 of $(jq .sent <<<"$result") packets lost"
