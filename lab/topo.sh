# shellcheck shell=bash disable=SC2034,SC2154 # its arrays and lib.sh's variables are shared
# lab/topo.sh - read a topology file and make its network.
#
#   node NAME KIND                          router, host, ks (key server) or gm (group member)
#   link A:IF ADDR/LEN  B:IF ADDR/LEN [mtu N]
#   ipv6 NODE:IF ADDR/LEN                   one address more; a node that has one speaks GDOI over IPv6
#   nat NODE:IF GM…                         a router that changes the source of what leaves there; key
#                                           servers see these members by its address
#   route NODE PREFIX via GATEWAY           PREFIX may be default
#   group NAME IDENTITY KS[,KS…] GM…        the group's members and its key server; several are a set
#   rekey NAME multicast ADDRESS [unicast GM…]   rekeys by multicast, to the GMs named by unicast
#   mroute NODE GROUP from ADDRESS via IF to IF…   a router that copies what ADDRESS sends to GROUP
#   protect NAME PREFIX PREFIX…             every pair of them travels encrypted
#   include TOPO                            all lines of another one
#
# A group member's ends are not given to its kernel: they become p-IF for espd, which makes a TAP
# named IF that carries the address. The end named wan faces the network that may not read us.

declare -A node_kind node_ports node_groups end_addr end_addr6 end_mtu group_identity group_ks group_gms
declare -A group_protect group_mcast group_unicast node_mroutes gm_nat
topo_order=()
topo_links=()
topo_routes=()

topo_path() { [ -e "$1" ] && echo "$1" || echo "$lab_top/lab/topo/$1"; }

topo_load() { # TOPO: a name in lab/topo or a path
	node_kind=() node_ports=() node_groups=() end_addr=() end_addr6=() end_mtu=() topo_order=() topo_links=()
	topo_routes=() group_identity=() group_ks=() group_gms=() group_protect=()
	group_mcast=() group_unicast=() node_mroutes=()
	topo_include "$1"
}

topo_include() { # TOPO
	local path word rest line=0
	path=$(topo_path "$1")
	[ -r "$path" ] || lab_die "no topology named $1; there are: $(cd "$lab_top/lab/topo" && echo *)"
	while read -r word rest; do
		line=$((line + 1))
		case $word in
		'' | '#'*) continue ;;
		node | link | ipv6 | nat | route | group | rekey | mroute | protect | include)
			# shellcheck disable=SC2086 # words of a line
			topo_$word $rest || lab_die "$path:$line: $word: cannot read \"$rest\""
			;;
		*) lab_die "$path:$line: $word is not known; known are: node link ipv6 nat route group rekey mroute protect include" ;;
		esac
	done <"$path"
}

topo_node() {
	[[ $# = 2 && $2 =~ ^(router|host|ks|gm)$ ]] || return 1
	node_kind[$1]=$2
	topo_order+=("$1")
}

topo_end() { # NODE:IF ADDR/LEN
	local node=${1%:*}
	[[ -n ${node_kind[$node]:-} && $2 == */* ]] || return 1
	end_addr[$1]=$2
	node_ports[$node]="${node_ports[$node]:-} ${1#*:}"
}

topo_link() {
	[[ $# = 4 || ( $# = 6 && $5 == mtu ) ]] || return 1
	topo_end "$1" "$2" && topo_end "$3" "$4" || return 1
	end_mtu[$1]=${6:-1500}
	end_mtu[$3]=${6:-1500}
	topo_links+=("$1 $3")
}

topo_ipv6() {
	[[ $# = 2 && -n ${end_addr[$1]:-} && $2 == *:*/* ]] || return 1
	end_addr6[$1]=$2
}

topo_nat() {
	[[ $# -ge 2 && ${node_kind[${1%:*}]:-} == router && -n ${end_addr[$1]:-} ]] || return 1
	local end=$1 gm
	shift
	for gm in "$@"; do gm_nat[$gm]=$end; done
}

topo_route() {
	[[ $# = 4 && $3 == via && -n ${node_kind[$1]:-} ]] || return 1
	topo_routes+=("$1 $2 $4")
}

topo_group() {
	[[ $# -ge 4 && $2 =~ ^[0-9]+$ ]] || return 1
	local name=$1 gm
	group_identity[$name]=$2
	group_ks[$name]=${3//,/ }
	shift 3
	group_gms[$name]="$*"
	for gm in "$@"; do node_groups[$gm]="${node_groups[$gm]:-} $name"; done
}

topo_rekey() {
	[[ $# -ge 3 && -n ${group_identity[$1]:-} && $2 == multicast ]] || return 1
	[[ $# = 3 || ($# -ge 5 && $4 == unicast) ]] || return 1
	group_mcast[$1]=$3
	group_unicast[$1]=${*:5}
}

topo_mroute() {
	[[ $# -ge 8 && ${node_kind[$1]:-} == router && "$3 $5 $7" == "from via to" ]] || return 1
	node_mroutes[$1]+="mroute from $6 source $4 group $2 to ${*:8}"$'\n'
}

topo_protect() {
	[[ $# -ge 3 && -n ${group_identity[$1]:-} ]] || return 1
	local name=$1
	shift
	group_protect[$name]="$*"
}

topo_nodes() { # KIND
	local n
	for n in "${topo_order[@]}"; do [ "${node_kind[$n]}" != "$1" ] || printf '%s ' "$n"; done
}

topo_daemons() {
	[ -z "$(topo_nodes ks)" ] || echo ksd
	[ -z "$(topo_nodes gm)" ] || echo gmd espd
}

topo_addr() { # NODE [IF]: its address; without IF that of the first
	local port=${2:-}
	# shellcheck disable=SC2086 # the first word
	[ -n "$port" ] || { set -- $1 ${node_ports[$1]} && port=$2; }
	local a=${end_addr[$1:$port]}
	echo "${a%/*}"
}

topo_gdoi_addr() { # NODE [IF]: the address that key server and members know it by
	local port=${2:-}
	# shellcheck disable=SC2086 # the first word
	[ -n "$port" ] || { set -- $1 ${node_ports[$1]} && port=$2; }
	local a=${end_addr6[$1:$port]:-${end_addr[$1:$port]}}
	echo "${a%/*}"
}

topo_seen_addr() { # GM: what its key server sees it by
	[ -z "${gm_nat[$1]:-}" ] && topo_gdoi_addr "$1" wan && return
	local a=${end_addr[${gm_nat[$1]}]}
	echo "${a%/*}"
}

# The interface's name in the kernel before espd comes: p-wan for a member's wan.
topo_dev() { # NODE IF
	[ "${node_kind[$1]}" = gm ] && echo "p-$2" || echo "$2"
}

topo_make_nodes() {
	local n ns
	for n in "${topo_order[@]}"; do
		ns=$(lab_ns "$n")
		mkdir -p "$LAB_DIR/$n"
		ip netns add "$ns" && ip -n "$ns" link set lo up || return 1
		topo_make_ipv6 "$n" || return 1
		[ "${node_kind[$n]}" != router ] || lab_in "$n" sysctl -qw net.ipv4.ip_forward=1 ||
			return 1
	done
}

# Where no node has an IPv6 address, none makes IPv6 noise.
topo_make_ipv6() { # NODE
	local off=1
	[ ${#end_addr6[@]} = 0 ] || off=0
	lab_in "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=$off \
		net.ipv6.conf.default.disable_ipv6=$off net.ipv6.conf.default.accept_dad=0 || return 1
	[[ $off = 1 || ${node_kind[$1]} != router ]] || lab_in "$1" sysctl -qw net.ipv6.conf.all.forwarding=1
}

topo_make_links() {
	local link a b dev_a dev_b
	for link in "${topo_links[@]}"; do
		read -r a b <<<"$link"
		dev_a=$(topo_dev "${a%:*}" "${a#*:}")
		dev_b=$(topo_dev "${b%:*}" "${b#*:}")
		ip link add dev "$dev_a" netns "$(lab_ns "${a%:*}")" type veth \
			peer name "$dev_b" netns "$(lab_ns "${b%:*}")" || return 1
		topo_tame "${a%:*}" "$dev_a" "${end_mtu[$a]}" || return 1
		topo_tame "${b%:*}" "$dev_b" "${end_mtu[$b]}" || return 1
	done
}

# No offload: packets look on the wire as they were sent. espd's ports are closed to the kernel,
# which would otherwise answer ARP and forward beside espd.
topo_tame() { # NODE DEV MTU
	local node=$1 dev=$2
	ip -n "$(lab_ns "$node")" link set dev "$dev" mtu "$3" up || return 1
	lab_in "$node" ethtool -K "$dev" tx off tso off gso off gro off rx off >/dev/null || return 1
	[[ $dev == p-* ]] || return 0
	ip -n "$(lab_ns "$node")" link set dev "$dev" arp off || return 1
	lab_in "$node" nft "add table netdev ports
		add chain netdev ports $dev { type filter hook ingress device $dev priority 0; policy drop; }"
}

topo_dress() { # NODE IF: address, MTU, up
	local ns
	ns=$(lab_ns "$1")
	ip -n "$ns" addr replace "${end_addr[$1:$2]}" dev "$2" &&
		{ [ -z "${end_addr6[$1:$2]:-}" ] ||
			ip -n "$ns" addr replace "${end_addr6[$1:$2]}" dev "$2" nodad; } &&
		ip -n "$ns" link set dev "$2" mtu "${end_mtu[$1:$2]}" up
}

topo_add_routes() { # NODE
	local route node prefix gateway family
	for route in "${topo_routes[@]}"; do
		read -r node prefix gateway <<<"$route"
		[ "$node" = "$1" ] || continue
		[[ $gateway == *:* ]] && family=-6 || family=-4
		ip $family -n "$(lab_ns "$node")" route replace "$prefix" via "$gateway" || return 1
	done
}

# Ports change too, as they do where many share an address.
topo_make_nats() {
	local end
	for end in $(printf '%s\n' "${gm_nat[@]}" | sort -u); do
		lab_in "${end%:*}" nft "add table ip lab
			add chain ip lab nat { type nat hook postrouting priority srcnat; }
			add rule ip lab nat oifname ${end#*:} udp sport 1-65535 masquerade to :20000-29999
			add rule ip lab nat oifname ${end#*:} masquerade" || return 1
	done
}

# All but members: those get theirs when espd has made the TAPs.
topo_dress_all() {
	local n port
	for n in "${topo_order[@]}"; do
		[ "${node_kind[$n]}" != gm ] || continue
		for port in ${node_ports[$n]}; do topo_dress "$n" "$port" || return 1; done
		topo_add_routes "$n" || return 1
	done
}
