# shellcheck shell=bash
# lab/drills/drill.sh - what drills are written in; sourced by lab/drill after lab/lib.sh.
#
# A drill is a function in lab/drills/*.drills.sh under a line "#: NAME VARIANTS SENTENCE". It says what
# must be proved, raises a lab, breaks things, waits until all is well again. The judge
# (judge.py, whose head lists the facts) does the rest:
#
#	#: D1-idle both The primary is killed while nothing else happens.
#	D1-idle() {
#		must I1 I3 I6
#		expect takeover_ms=4000
#		raise 3ks-4gm
#		…
#	}
#
# Where VARIANTS is "both", it runs with unicast and with multicast rekeys ($rekey, empty or -multicast).

DRILL_RATE=${DRILL_RATE:-1200} # numbered packets per second among all hosts
drill_events=                  # file of facts
drill_teller=                  # process that shows what the watcher says
rekey=

drill_now() { # milliseconds since the machine started
	local up
	read -r up _ </proc/uptime
	echo $((${up/./} * 10))
}

drill_at= # when set: the time that a fact is told to be of
fact() { # KIND NODE|'' [JSON members]
	local node=null
	[ -z "$2" ] || node="\"$2\""
	printf '{"t":%s,"node":%s,"kind":"%s"%s}\n' "${drill_at:-$(drill_now)}" "$node" "$1" "${3:+,$3}" >>"$drill_events"
}

drill_say() { # WHO TEXT: a line of the table that people see
	awk -v t=$(($(drill_now) - drill_began)) -v who="$1" -v text="$2" \
		'BEGIN {printf "%7.2f s  %-5s %s\n", t / 1000, who, text}' >>"$LAB_DIR/core/watch.log"
}

# ---- what is to be proved ----

must() { fact must '' "\"names\":[$(drill_list "$*")]"; }                 # NAME…
expect() {                                                                 # WORD=NUMBER…
	local pair
	for pair in "$@"; do fact expect '' "\"${pair%%=*}\":${pair#*=}"; done
}
settle_within() { fact settle '' "\"ms\":$1"; } # how long it may take to get over a cut
allow_loss() { fact allow_loss '' "\"on\":true,\"pairs\":$(drill_pairs "$@")"; } # all | HOST>HOST…
no_more_loss() { fact allow_loss '' "\"on\":false,\"pairs\":$(drill_pairs "$@")"; }
drill_pairs() { if [ "$1" = all ]; then echo '"all"'; else echo "[$(drill_list "$*")]"; fi; }
check() { # TEXT COMMAND…
	local text=$1 good=true
	shift
	"$@" >/dev/null 2>&1 || good=false
	fact check '' "\"what\":\"$text\",\"ok\":$good"
	drill_say drill "$([ $good = true ] && echo ok || echo NOT): $text"
	[ $good = true ]
}
not() { ! "$@"; }

# ---- a lab with eyes and traffic ----

# With "-multicast" where the drill runs so.
raise() { # TOPO
	lab_up "$1$rekey"
	lab_in core nft 'add table inet drill; add chain inet drill cut { type filter hook forward priority 0; }'
	drill_about="Topology $1$rekey, $DRILL_RATE packets a second among the hosts."
	drill_watch
}

# From here on hosts send and watch.py watches, until drill_finish.
drill_watch() {
	drill_began=$(drill_now)
	drill_nodes >"$LAB_DIR/drill.json"
	fact begin '' "\"drill\":\"$drill_name\",\"title\":\"$drill_title\",\"about\":\"$drill_about\",$(sed 's/^{//; s/}$//' "$LAB_DIR/drill.json")"
	: >"$LAB_DIR/core/watch.log"
	lab_spawn core watch python3 -B "$lab_top/lab/drills/watch.py" "$LAB_DIR" "$drill_events"
	lab_wait_log core watch watching 5 || lab_die "the watcher did not start"
	tail -n +2 -F "$LAB_DIR/core/watch.log" 2>/dev/null & # the first line is for us
	drill_teller=$!
	lab_flow_start "$DRILL_RATE" -b 100 || lab_die "the flows did not start"
	! conf_has_set ks1 || check "key servers agree who leads" lab_until 15 has_primary
	sleep 2 # of untroubled traffic, to compare with
}

# For drills that run in a place of their own: nothing to watch, only checks.
drill_without_lab() { # ABOUT
	mkdir -p "$LAB_DIR/core"
	drill_began=$(drill_now)
	echo '{"nodes":[]}' >"$LAB_DIR/drill.json"
	fact begin '' "\"drill\":\"$drill_name\",\"title\":\"$drill_title\",\"about\":\"$1\",\"nodes\":[]"
	tail -n +1 -F "$LAB_DIR/core/watch.log" 2>/dev/null &
	drill_teller=$!
}

drill_nodes() { # {"began":MS,"sid_bits":N,"nodes":[{name,kind,addr}…]}
	local n
	for n in $(topo_nodes ks) $(topo_nodes gm) $(topo_nodes host); do
		printf '{"name":"%s","kind":"%s","addr":"%s"}\n' "$n" "${node_kind[$n]}" "$(topo_addr "$n")"
	done | jq -cs --argjson began "$drill_began" --argjson bits "$LAB_SID_BITS" \
		'{began: $began, sid_bits: $bits, nodes: .}'
}

# The end of every drill: two seconds more of traffic, then the books are closed.
drill_finish() {
	if lab_pid core watch >/dev/null; then
		sleep 2
		lab_flow_end
		lab_kill core watch
	fi
	sleep 0.2 # until the teller has told it all
	kill "$drill_teller"
	wait "$drill_teller" 2>/dev/null
	drill_teller=
}

# ---- breaking and mending; each is told on the terminal and drawn in the picture ----

inject() { # TEXT
	fact inject '' "\"what\":\"${1//\"/\\\"}\""
	drill_say drill "== $1"
}

kill_ks() { # KS: kill -9
	inject "kill -9 of ksd on $1"
	kill -KILL "$(lab_pid "$1" ksd)"
	fact primary_lost "$1"
	lab_kill "$1" ksd KILL
}
crash() { # KS…: kill -9, whoever leads
	local ks
	inject "kill -9 of ksd on $*"
	for ks in "$@"; do kill -KILL "$(lab_pid "$ks" ksd)"; done
	for ks in "$@"; do lab_kill "$ks" ksd KILL; done
}
start_ks() { # KS
	inject "ksd starts on $1"
	lab_start "$1" ksd || lab_die "ksd does not start on $1"
}
lose_state() { # KS: its disk is empty
	inject "the state of $1 is lost"
	rm -rf "${LAB_DIR:?}/$1/state"
}

# "a b": "a", "b"
drill_list() { sed 's/ *\([^ ][^ ]*\) */"\1", /g; s/, $//' <<<"$1"; }
# Links of the core are called as who is behind them.
drill_drop() { lab_in core nft "add rule inet drill cut iifname { $(drill_list "$1") } oifname { $(drill_list "$2") } drop"; }

cut() { # "NODES" "NODES": no packet between them
	inject "cut: $1 | $2"
	fact cut '' "\"sides\":[[$(drill_list "$1")],[$(drill_list "$2")]]"
	drill_drop "$1" "$2"
	drill_drop "$2" "$1"
}
cut_one_way() { # "NODES" "NODES": what the first ones send does not arrive at the others
	inject "cut one way: $1 > $2"
	fact cut '' "\"sides\":[[$(drill_list "$1")],[$(drill_list "$2")]]"
	drill_drop "$1" "$2"
}
heal() {
	inject "all cuts are mended"
	lab_in core nft flush chain inet drill cut
	fact heal ''
}
# What key servers send to each other, and nothing else, is impaired from here on.
lose() { # PERCENT
	inject "$1 % of what key servers send each other is lost"
	fact rough '' '"ms":3000' # three hellos in a row may be lost: that looks like death
	drill_impair "numgen random mod 100 < $1 drop"
}
double() { # PERCENT
	local ks
	inject "$1 % of what key servers send each other comes twice"
	for ks in $(topo_nodes ks); do
		drill_impair "ip daddr $(topo_addr "$ks") numgen random mod 100 < $1 dup to $(topo_addr "$ks") device \"$ks\""
	done
}
drill_impair() { # RULE
	local ks addrs=''
	for ks in $(topo_nodes ks); do addrs+="${addrs:+, }$(topo_addr "$ks")"; done
	lab_in core nft 'add table ip impair; add chain ip impair out { type filter hook forward priority 1; }'
	lab_in core nft "add rule ip impair out iifname != \"relay\" ip saddr { $addrs } ip daddr { $addrs } $1"
}
# Through relay.py: each packet is kept for another time, so that they overtake each other.
delay() { # MS JITTER_MS [MTU of that way]
	local ks to mark
	inject "what key servers send each other takes $1 to $(($1 + $2)) ms${3:+, in packets of at most $3 octets}"
	touch "$LAB_DIR/core/relay.log"
	mark=$(lab_mark core relay)
	lab_spawn core relay python3 -B "$lab_top/lab/drills/relay.py" relay "$1" "$2"
	lab_wait_log core relay relaying 5 "$mark" || lab_die "the relay did not start"
	ip -n "$(lab_ns core)" link set relay mtu "${3:-1500}" up
	lab_in core sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.relay.rp_filter=0
	ip -n "$(lab_ns core)" route replace default dev relay table 99
	for ks in $(topo_nodes ks); do
		for to in $(topo_nodes ks); do
			[ "$ks" = "$to" ] || ip -n "$(lab_ns core)" rule add iif "$ks" to "$(topo_addr "$to")" lookup 99
		done
	done
}
unimpair() {
	inject "nothing is lost, doubled or delayed any more"
	fact rough '' '"ms":0'
	lab_in core nft 'add table ip impair; delete table ip impair'
	while ip -n "$(lab_ns core)" rule del lookup 99 2>/dev/null; do :; done
	lab_kill core relay
}

clock() { # KS AHEAD_MS [PPM too fast]: in a lab with LAB_CLOCKS
	inject "the clock of $1 is $(($2 / 1000)) s ahead${3:+, and $3 ppm too fast}"
	conf_clock "$1" "$2" "${3:-0}" "$(drill_now)"
}

# The hosts behind members of two sides: "h1>h3 h3>h1 …".
pairs_between() { # "GMS" "GMS"
	local a b
	for a in $1; do
		for b in $2; do printf 'h%s>h%s h%s>h%s ' "${a#gm}" "${b#gm}" "${b#gm}" "${a#gm}"; done
	done
}

# ---- looking ----

log_time() { # NODE DAEMON MNEMONIC: of the last such line, in milliseconds
	sed -n "s/^\([0-9]*\)\.\([0-9]*\) .*$3.*/\1\2/p" "$LAB_DIR/$1/$2.log" | tail -n 1
}

role_is() { lab_json_holds "$1" 'show crypto gdoi ks coop' ".groups[0].role | ascii_downcase == \"$2\""; } # KS ROLE
primary() { # the key server that leads
	local ks
	for ks in $(topo_nodes ks); do
		! role_is "$ks" primary || { echo "$ks" && return; }
	done
	return 1
}
has_primary() { primary >/dev/null; }
secondaries() {
	local ks
	for ks in $(topo_nodes ks); do role_is "$ks" primary || printf '%s ' "$ks"; done
}

keys_of() { # GM: what it sends under
	lab_show "$1" 'show crypto gdoi gm' -j | jq -c '[.groups[0].teks[] | select(.state == "current") | .spi] | sort'
}
# All members have the same keys and KEK, other ones than those given.
all_moved_on() { # [KEYS]
	local gm kinds
	kinds=$(for gm in $(topo_nodes gm); do
		lab_show "$gm" 'show crypto gdoi gm' -j | jq -c '.groups[0] | select(.state == "registered")
			| [.kek.spi] + ([.teks[] | select(.state == "current") | .spi] | sort)'
	done | sort | uniq -c)
	[ "$(wc -l <<<"$kinds")" = 1 ] && [ "$(awk '{print $1}' <<<"$kinds")" = "$(topo_nodes gm | wc -w)" ] &&
		[ "$(keys_of gm1)" != '[]' ] && [ "$(keys_of gm1)" != "${1:-}" ]
}
rekey_at() { # KS: the rekey before may still be under way
	inject "crypto gdoi ks rekey on $1"
	lab_until 15 lab_show "$1" 'crypto gdoi ks rekey'
}
ping_all() { # every host from every other one
	local a b
	for a in $(topo_nodes host); do
		for b in $(topo_nodes host); do
			[ "$a" = "$b" ] || lab_in "$a" ping -q -c 1 -W 1 "$(topo_addr "$b")" >/dev/null || return 1
		done
	done
}
registered_at() { # GM KS MARK
	lab_log_has "$1" gmd "GM_REGS_COMPL: ks=$(topo_gdoi_addr "$2") " "$3"
}
register_again() { # GM
	inject "$1 registers again"
	lab_show "$1" 'clear crypto gdoi' >/dev/null
}
