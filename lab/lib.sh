# shellcheck shell=bash
# lab/lib.sh - one way to raise, use and take down a lab; sourced by lab/* and tests/lab/*.
#
# A lab is a set of network namespaces (cl-$LAB-NODE) and a folder (/run/conclave-lab/$LAB) with one
# sub-folder per node: configurations, sockets, logs, and per process a file NAME.pid with its pid
# and start time, so that nothing but our own processes is ever ended.
#
#   LAB=name      another lab beside the usual one         BUILD=folder  programs (default build/)
#   LAB_VERBOSE=1 every step's commands are shown

lab_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
LAB=${LAB:-lab}
BUILD=${BUILD:-$lab_top/build}
LAB_DIR=/run/conclave-lab/$LAB

# shellcheck source=SCRIPTDIR/topo.sh
. "$lab_top/lab/topo.sh"
# shellcheck source=SCRIPTDIR/conf.sh
. "$lab_top/lab/conf.sh"

lab_say() { printf 'lab: %s\n' "$*"; }
lab_die() {
	printf 'lab: %s\n' "$*" >&2
	exit 1
}

lab_ns() { echo "cl-$LAB-$1"; }
lab_in() {
	local node=$1
	shift
	ip netns exec "$(lab_ns "$node")" "$@"
}

lab_program() {
	local path
	case $1 in
	ksd) path=ks/ksd ;;
	gmd) path=gm/gmd ;;
	espd) path=dataplane/espd ;;
	gvsh) path=cli/gvsh ;;
	flow) path=lab/flow ;;
	clock) path=lab/liblabclock.so ;;
	*) lab_die "no program is called $1" ;;
	esac
	echo "$BUILD/$path"
}

# ---- processes ----

# Start time of a process that runs (a zombie does not), empty otherwise.
lab_start_time() {
	local stat
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
	# The name in parentheses may hold anything; fields count behind it.
	read -r -a stat <<<"${stat##*) }"
	[ "${stat[0]}" = Z ] || echo "${stat[19]}"
}

lab_spawn() { # NODE NAME COMMAND…
	local node=$1 name=$2 pid
	shift 2
	(exec setsid ip netns exec "$(lab_ns "$node")" "$@") \
		</dev/null >>"$LAB_DIR/$node/$name.log" 2>&1 &
	pid=$!
	disown
	echo "$pid $(lab_start_time "$pid")" >"$LAB_DIR/$node/$name.pid"
}

lab_pid() { # NODE NAME: its pid while it runs
	local pid start
	read -r pid start 2>/dev/null <"$LAB_DIR/$1/$2.pid" || return 1
	[ -n "$start" ] && [ "$(lab_start_time "$pid")" = "$start" ] && echo "$pid"
}

lab_kill() { # NODE NAME [SIGNAL]: and wait until it is gone
	local pid i
	pid=$(lab_pid "$1" "$2") || return 0
	kill -"${3:-TERM}" "$pid" 2>/dev/null
	for ((i = 0; i < 100; i++)); do
		lab_pid "$1" "$2" >/dev/null || break
		sleep 0.05
	done
	if lab_pid "$1" "$2" >/dev/null; then
		lab_say "$1: $2 did not end within 5 s: killed" >&2
		kill -KILL "$pid" 2>/dev/null
	fi
	rm -f "$LAB_DIR/$1/$2.pid"
}

# ---- waiting: on what a daemon says of itself, never on time alone ----

lab_until() { # SECONDS COMMAND…: poll until it succeeds
	local end=$(($(date +%s%3N) + $1 * 1000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s%3N)" -lt "$end" ] || return 1
		sleep 0.1
	done
}

lab_socket() { # NODE COMMAND: the control socket of the daemon that owns the answer
	local node=$1
	case " $2 " in
	*" ks "*) echo "$LAB_DIR/$node/ksd.sock" ;;
	*" gm "*) echo "$LAB_DIR/$node/gmd.sock" ;;
	*) [ "${node_kind[$node]:-}" = ks ] && echo "$LAB_DIR/$node/ksd.sock" ||
		echo "$LAB_DIR/$node/gmd.sock" ;;
	esac
}

lab_show() { # NODE COMMAND [-j]
	local node=$1 command=$2
	shift 2
	"$(lab_program gvsh)" -s "$(lab_socket "$node" "$command")" -c "$command" "$@"
}

lab_json_holds() { # NODE COMMAND JQ_EXPRESSION
	# By "input", because nothing at all would be right to jq 1.6.
	lab_show "$1" "$2" -j 2>/dev/null | jq -e -n "input | $3" >/dev/null 2>&1
}

lab_wait_show() { # NODE COMMAND JQ_EXPRESSION [SECONDS]
	lab_until "${4:-10}" lab_json_holds "$1" "$2" "$3" && return
	echo "lab: $1: \"$2\" did not come to $3 within ${4:-10} s; it says:" >&2
	lab_show "$1" "$2" -j >&2
	return 1
}

lab_mark() { # NODE NAME: a place in its log, for lab_wait_log
	wc -l <"$LAB_DIR/$1/$2.log"
}

lab_log_has() { # NODE NAME REGEX [MARK]
	tail -n +$((${4:-0} + 1)) "$LAB_DIR/$1/$2.log" | grep -Eq -- "$3"
}

lab_wait_log() { # NODE NAME REGEX [SECONDS] [MARK]
	lab_until "${4:-10}" lab_log_has "$1" "$2" "$3" "${5:-0}" && return
	echo "lab: $1: $2 did not log /$3/ within ${4:-10} s; the end of its log:" >&2
	tail -n 15 "$LAB_DIR/$1/$2.log" >&2
	return 1
}

# ---- daemons ----

lab_start() { # NODE DAEMON: and wait until it says it is ready
	local node=$1 daemon=$2 dir=$LAB_DIR/$1 mark args=() clock=()
	touch "$dir/$daemon.log"
	mark=$(lab_mark "$node" "$daemon")
	[ -z "${LAB_KEYLOG:-}" ] || [ "$daemon" = espd ] || args+=(--keylog "$dir/$daemon.keylog")
	[ -z "${LAB_DEBUG:-}" ] || args+=(-d "$LAB_DEBUG")
	# Where a clock was set for it (lab/clock.c), it runs by that one.
	[ ! -e "$dir/$daemon.clock" ] || clock=(env "LD_PRELOAD=$(lab_program clock)" "LAB_CLOCK=$dir/$daemon.clock")
	lab_spawn "$node" "$daemon" "${clock[@]}" "$(lab_program "$daemon")" -n -f "$dir/$daemon.conf" "${args[@]}"
	lab_until 10 lab_ready_or_dead "$node" "$daemon" "$mark"
	lab_log_has "$node" "$daemon" '%SYS-5-RESTART' "$mark" && return
	echo "lab: $node: $daemon did not start; its log:" >&2
	tail -n +"$((mark + 1))" "$dir/$daemon.log" | tail -n 15 >&2
	return 1
}

lab_ready_or_dead() {
	lab_log_has "$1" "$2" '%SYS-5-RESTART' "$3" || ! lab_pid "$1" "$2" >/dev/null
}

lab_start_espd() { # NODE: then dress the TAP twins it made
	local node=$1 port
	lab_start "$node" espd || return 1
	for port in ${node_ports[$node]}; do
		lab_until 5 ip -n "$(lab_ns "$node")" link show dev "$port" || {
			echo "lab: $node: espd made no TAP named $port" >&2
			return 1
		}
		topo_dress "$node" "$port" || return 1
	done
	topo_add_routes "$node"
}

# A static multicast router: the kernel copies the packets, smcroute tells it where to.
lab_start_mrouter() { # NODE
	lab_spawn "$1" smcroute smcrouted -n -l info -f "$LAB_DIR/$1/smcroute.conf" \
		-P "$LAB_DIR/$1/smcrouted.pid.own" -u "$LAB_DIR/$1/smcroute.sock" || return 1
	lab_until 5 lab_forwards_multicast "$1"
}

lab_forwards_multicast() {
	{ lab_in "$1" ip mroute show && lab_in "$1" ip -6 mroute show; } | grep -q .
}

lab_start_node() { # NODE: its daemons, in order
	case ${node_kind[$1]} in
	ks) lab_start "$1" ksd ;;
	gm) lab_start_espd "$1" && lab_start "$1" gmd ;;
	esac
}

lab_wait_registered() { # NODE [SECONDS]
	lab_wait_show "$1" "show crypto gdoi gm" \
		'[.groups[] | .state == "registered" and .dataplane == "up"] | length > 0 and all' \
		"${2:-15}"
}

# ---- up and down ----

lab_step() { # TEXT COMMAND…: on failure say so, clean up, end
	local text=$1
	shift
	[ -z "${LAB_VERBOSE:-}" ] || lab_say "$text: $*"
	"$@" && return
	lab_say "FAILED: $text" >&2
	[ -n "${LAB_KEEP:-}" ] || lab_down >&2
	exit 1
}

lab_check_machine() {
	local tool
	[ "$(id -u)" = 0 ] || lab_die "needs root (network namespaces): sudo $0 …"
	for tool in ip ethtool nft jq openssl setsid; do
		command -v $tool >/dev/null || lab_die "$tool is missing: run tools/deps.sh lab"
	done
	[ ! -e "$LAB_DIR" ] || lab_die "LAB=$LAB is up already: lab/down takes it down"
}

lab_check_programs() {
	local p
	for p in "$@"; do
		[ -x "$(lab_program "$p")" ] || lab_die "$(lab_program "$p") is not built: run make"
	done
}

# The network and all configurations, no daemon yet.
lab_up_network() { # TOPO
	topo_load "$1"
	lab_check_machine
	mkdir -p "$LAB_DIR"
	cp "$(topo_path "$1")" "$LAB_DIR/topo"
	lab_step "namespaces" topo_make_nodes
	lab_step "links" topo_make_links
	lab_step "addresses and routes" topo_dress_all
	lab_step "NATs" topo_make_nats
	lab_step "keys and configurations" conf_write_all
}

lab_up() { # TOPO
	local node
	topo_load "$1"
	# shellcheck disable=SC2046 # a list of words
	lab_check_programs gvsh $(topo_daemons)
	lab_up_network "$1"
	for node in "${!node_mroutes[@]}"; do
		lab_step "multicast routes of $node" lab_start_mrouter "$node"
	done
	for node in $(topo_nodes ks) $(topo_nodes gm); do
		lab_step "start $node" lab_start_node "$node"
	done
	for node in $(topo_nodes gm); do
		lab_step "$node registers" lab_wait_registered "$node"
	done
}

# For everything that uses a lab which lab_up raised in another process.
lab_attach() {
	[ -e "$LAB_DIR/topo" ] || lab_die "no lab named $LAB is up: lab/up TOPO raises one"
	topo_load "$LAB_DIR/topo"
}

# Takes down whatever is there, also what a broken lab_up left. Never fails half way.
lab_down() {
	local file node name ns pid
	for file in "$LAB_DIR"/*/*.pid; do
		[ -e "$file" ] || continue
		node=$(basename "$(dirname "$file")")
		name=$(basename "$file" .pid)
		lab_kill "$node" "$name"
	done
	for ns in $(ip netns list | awk -v p="cl-$LAB-" 'index($1, p) == 1 {print $1}'); do
		# What somebody started in there by hand ends with it.
		for pid in $(ip netns pids "$ns" 2>/dev/null); do
			[ "$pid" = $$ ] || kill -KILL "$pid" 2>/dev/null
		done
		ip netns del "$ns"
	done
	rm -rf "$LAB_DIR"
	rmdir /run/conclave-lab 2>/dev/null
	return 0
}

# ---- looking ----

# CPU of all processes of the lab in percent of one core, over 5 s (or SECONDS).
lab_load() {
	local seconds=${1:-5} before after hz
	hz=$(getconf CLK_TCK)
	before=$(lab_ticks)
	sleep "$seconds" # the measurement itself
	after=$(lab_ticks)
	awk -v t=$((after - before)) -v hz="$hz" -v s="$seconds" 'BEGIN {printf "%.1f\n", 100 * t / hz / s}'
}

lab_ticks() {
	local file pid fields sum=0
	for file in "$LAB_DIR"/*/*.pid; do
		pid=$(lab_pid "$(basename "$(dirname "$file")")" "$(basename "$file" .pid)") || continue
		fields=$(cat "/proc/$pid/stat" 2>/dev/null) || continue
		read -r -a fields <<<"${fields##*) }"
		sum=$((sum + fields[11] + fields[12]))
	done
	echo "$sum"
}

lab_capture_start() { # NODE INTERFACE FILE [FILTER…]: returns once packets are being taken, each at once
	local node=$1 dev=$2 file=$3 mark
	shift 3
	touch "$LAB_DIR/$node/capture-$dev.log"
	mark=$(lab_mark "$node" "capture-$dev")
	lab_spawn "$node" "capture-$dev" tcpdump --immediate-mode -i "$dev" -U -n -Z root -w "$file" "$@"
	lab_wait_log "$node" "capture-$dev" 'listening on' 5 "$mark"
}

lab_capture_stop() { # NODE INTERFACE
	lab_kill "$1" "capture-$2" INT
}

# ---- traffic ----

# Numbered UDP among all hosts, RATE packets per second in total.
lab_flow_start() { # RATE [OPTIONS of lab/flow.c]
	local hosts host others rate
	read -r -a hosts <<<"$(topo_nodes host)"
	rate=$(($1 / (${#hosts[@]} * (${#hosts[@]} - 1))))
	shift
	for host in "${hosts[@]}"; do
		others=$(for o in "${hosts[@]}"; do [ "$o" = "$host" ] || topo_addr "$o"; done)
		rm -f "$LAB_DIR/$host/flow.log"
		# shellcheck disable=SC2086 # a list of addresses
		lab_spawn "$host" flow "$(lab_program flow)" -r "$rate" "$@" "$(topo_addr "$host")" $others
	done
	for host in "${hosts[@]}"; do
		lab_wait_log "$host" flow ready 5 || return 1
		# ARP first: a router keeps only a few packets for a neighbour it is still asking for.
		lab_in "$host" ping -q -c 1 -W 2 "$(topo_addr "${hosts[0]}")" >/dev/null
		lab_in "${hosts[0]}" ping -q -c 1 -W 2 "$(topo_addr "$host")" >/dev/null
	done
	for host in "${hosts[@]}"; do kill -USR1 "$(lab_pid "$host" flow)" || return 1; done
}

# Ends it; the last line of each host's flow.log is what it counted.
lab_flow_end() {
	local hosts host
	read -r -a hosts <<<"$(topo_nodes host)"
	for host in "${hosts[@]}"; do kill -TERM "$(lab_pid "$host" flow)"; done
	for host in "${hosts[@]}"; do
		lab_until 8 lab_gone "$host" flow || lab_kill "$host" flow KILL
		rm -f "$LAB_DIR/$host/flow.pid"
	done
}

# Ends it and prints one JSON object: totals, and one entry per directed pair.
lab_flow_stop() {
	local host
	lab_flow_end
	for host in $(topo_nodes host); do tail -n 1 "$LAB_DIR/$host/flow.log"; done | jq -s '
		(map({key: .host, value: .peers}) | from_entries) as $books
		| [$books | to_entries[] | .key as $from | .value | to_entries[]
		   | {from: $from, to: .key, sent: .value.sent} + ($books[.key][$from]
		      | {heard: .unique, dup, reordered, max_gap_ms, max_delay_ms, holes})
		   | .lost = .sent - .heard] as $pairs
		| {sent: ($pairs | map(.sent) | add), heard: ($pairs | map(.heard) | add),
		   lost: ($pairs | map(.lost) | add), dup: ($pairs | map(.dup) | add),
		   reordered: ($pairs | map(.reordered) | add),
		   max_gap_ms: ($pairs | map(.max_gap_ms) | max),
		   max_delay_ms: ($pairs | map(.max_delay_ms) | max),
		   socket_overflow: ([.[].socket_overflow] | add), pairs: $pairs}'
}

lab_gone() { ! lab_pid "$1" "$2" >/dev/null; }
