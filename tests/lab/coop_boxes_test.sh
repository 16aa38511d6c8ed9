#!/bin/bash
# Two routers, each key server and member at once, registered at itself and knowing the other: all
# there is. The key server that leads is killed, both boxes go on, the next rekey comes from the
# other box and no packet is lost; the killed one comes back and registers its own member again.
# alone: 2,000 packets per second, and none may be lost
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh flow

ksd_conf() { # N OTHER
	cat <<-END
		ksd: { address = "10.9.0.$1"; control = "$LAB_DIR/box$1/ksd.sock"; state = "$LAB_DIR/box$1/state"; user = "nobody"; };
		$(conf_isakmp)
		psk = ( { peer = "192.0.2.1"; key = "key of box 1"; }, { peer = "192.0.2.5"; key = "key of box 2"; } );
		coop: { id = $1; priority = $((110 - 10 * $1)); key_file = "coop.key"; peers = ( { address = "10.9.0.$2"; } ); };
		acls = ( { name = "LANS"; lines = (
			{ action = "permit"; protocol = "ip"; source = "10.1.0.0/24"; destination = "10.2.0.0/24"; },
			{ action = "permit"; protocol = "ip"; source = "10.2.0.0/24"; destination = "10.1.0.0/24"; } ); } );
		groups = ( { name = "G1"; identity = 1234;
			rekey: { key_bits = 256; retransmit_s = 1; atd_s = 2; };
			sa = ( { number = 10; transform = "esp-gcm 128"; lifetime = 3600; acl = "LANS"; } ); } );
	END
}
gmd_conf() { # N OTHER ADDRESS
	cat <<-END
		gmd: { address = "$3"; control = "$LAB_DIR/box$1/gmd.sock"; espd = "$LAB_DIR/box$1/espd.sock"; user = "nobody"; };
		$(conf_isakmp)
		psk = ( { peer = "10.9.0.1"; key = "key of box $1"; }, { peer = "10.9.0.2"; key = "key of box $1"; } );
		groups = ( { name = "G1"; identity = 1234; servers = [ "10.9.0.$1", "10.9.0.$2" ]; } );
	END
}
box() { # N OTHER ADDRESS: its files, and the key server's own address
	ksd_conf "$1" "$2" >"$LAB_DIR/box$1/ksd.conf"
	gmd_conf "$1" "$2" "$3" >"$LAB_DIR/box$1/gmd.conf"
	cp "$LAB_DIR/coop.key" "$LAB_DIR/box$1/coop.key"
	ip -n "$(lab_ns "box$1")" addr add "10.9.0.$1/32" dev lo
}
role() { lab_wait_show "$1" 'show crypto gdoi ks coop' ".groups[0].role == \"$2\"" "${3:-15}"; }
is_role() { lab_json_holds "$1" 'show crypto gdoi ks coop' ".groups[0].role == \"$2\""; }
members() { lab_show "$1" 'show crypto gdoi ks members' -j | jq -r '[.groups[].members[] | "\(.id)@\(.key_server)"] | sort | join(" ")'; }
both_at_home() { [ "$(members "$1")" = '192.0.2.1@10.9.0.1 192.0.2.5@10.9.0.2' ]; }
# A key server that has just started lends itself sender ids first; who asks then goes to the other.
at_home() { # BOX that is asked
	both_at_home "$1" && return
	for n in 1 2; do lab_show box$n 'clear crypto gdoi' >/dev/null; done
	lab_until 8 both_at_home "$1"
}
spis() { lab_show "$1" "show crypto gdoi $2" -j | jq -c '[.groups[].teks[].spi] | sort'; }
same() { [ "$(spis box1 gm)" = "$(spis box2 gm)" ] && [ "$(spis box1 gm)" = "$(spis "$1" 'ks policy')" ]; }
now_ms() { awk '{printf "%d\n", $1 * 1000}' /proc/uptime; } # as daemons stamp their lines
led_at() { grep 'COOP_KS_TRANS_TO_PRI' "$LAB_DIR/$1/ksd.log" | tail -n 1 | awk '{printf "%d\n", $1 * 1000}'; } # NODE
ping_through() { lab_in h1 ping -q -c 3 -i 0.1 -W 1 10.2.0.10 >/dev/null; }

lab_up_network 2box
"$(lab_program ksd)" --coop-key "$LAB_DIR/coop.key" >/dev/null || fail "no key"
box 1 2 192.0.2.1
box 2 1 192.0.2.5
for n in 1 2; do check "espd of box $n" lab_start_espd box$n; done
for n in 1 2; do check "ksd of box $n" lab_start box$n ksd; done
for n in 1 2; do check "gmd of box $n" lab_start box$n gmd; done
check "one leads, though both ports are closed to all but what boxes need" role box1 Primary
check "the other one follows" role box2 Secondary
for n in 1 2; do check "box $n is registered" lab_wait_registered box$n 30; done
for n in box1 box2; do check "$n knows both, each at home" lab_until 40 at_home $n; done
check "hosts talk" lab_until 20 ping_through
check "both boxes have the keys of the set" lab_until 5 same box2

check "2,000 packets per second flow" lab_flow_start 2000
t0=$(now_ms)
lab_kill box1 ksd KILL
check "the other box leads" lab_until 10 is_role box2 Primary
took=$(($(led_at box2) - t0))
check "within 4 s: $took ms" [ $took -le 4000 ]
check "its rekey" lab_show box2 'crypto gdoi ks rekey'
check "reaches both" lab_until 20 same box2
check "the killed one starts again" lab_start box1 ksd
check "and follows" role box1 Secondary
lab_show box1 'clear crypto gdoi' >/dev/null
check "box 1 registers again, at itself" lab_until 40 at_home box2
result=$(lab_flow_stop)
check "lost $(jq .lost <<<"$result") of $(jq .sent <<<"$result") packets" [ "$(jq .lost <<<"$result")" = 0 ]
echo "two boxes are an installation: takeover in $took ms, lost 0 of $(jq .sent <<<"$result") packets"
