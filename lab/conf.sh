# shellcheck shell=bash
# lab/conf.sh - the daemons' configuration files for a topology, with keys of this lab alone.
#
# Settings a test may change before lab_up (environment):
LAB_TRANSFORM=${LAB_TRANSFORM:-esp-gcm 128} # of the TEKs
LAB_TEK_LIFE=${LAB_TEK_LIFE:-3600}          # seconds
LAB_KEK_LIFE=${LAB_KEK_LIFE:-86400}
LAB_RETRANSMIT=${LAB_RETRANSMIT:-2}   # seconds between copies of a rekey
LAB_ATD=${LAB_ATD:-0}                 # seconds until members send under new keys; 0: computed
LAB_MANAGEMENT=${LAB_MANAGEMENT:-none} # lkh: the KEK is the root of a key tree
LAB_ACK=${LAB_ACK:-interoperable}     # acknowledgement of rekeys
LAB_MEMORY_MB=${LAB_MEMORY_MB:-128}   # of each espd
LAB_IKE=${LAB_IKE:-aes 256 sha256 19} # encryption, key bits, hash, group of phase 1
LAB_SID_BITS=${LAB_SID_BITS:-24}      # of a sender id: how many members there may be
LAB_GMD=${LAB_GMD:-}                  # more settings of every gmd, as "nat_keepalive = 5;"
LAB_MEMBER_GROUP=${LAB_MEMBER_GROUP:-} # more settings of every group of a member, as "fail_close = true;"
LAB_CLOCKS=${LAB_CLOCKS:-}            # not empty: each ksd has a clock that can be set (lab/clock.c)
LAB_COOP=${LAB_COOP:-}                # more settings of cooperative key servers, as "hello_ms = 100;"

# Comma-separated list of what FUNCTION prints for each of the words.
conf_list() { # FUNCTION WORD…
	local f=$1 sep='' w
	shift
	for w in "$@"; do
		printf '%s\n\t' "$sep"
		"$f" "$w"
		sep=,
	done
}

conf_isakmp() {
	local cipher bits hash group
	read -r cipher bits hash group <<<"$LAB_IKE"
	echo "isakmp = ( { encryption = \"$cipher\"; key_bits = $bits; hash = \"$hash\"; group = $group; lifetime = 86400; } );"
}

# One secret per member, as an operator should have it; behind a NAT, one for all of its address.
conf_make_keys() {
	local gm ks
	umask 077
	for ks in $(topo_nodes ks); do
		conf_has_set "$ks" && { conf_copy_coop_key "$ks" && continue || return 1; }
		openssl genrsa -out "$LAB_DIR/$ks/rekey.pem" 2048 2>/dev/null || return 1
	done
	for gm in $(topo_nodes gm); do
		ln -sf "../psk-$(topo_seen_addr "$gm")" "$LAB_DIR/$gm/psk"
		[ -e "$LAB_DIR/$gm/psk" ] || openssl rand -hex 16 >"$LAB_DIR/$gm/psk" || return 1
	done
	umask 022
}

# Key servers of a set have one key among themselves, and make the one that signs rekeys by themselves.
conf_copy_coop_key() { # KS
	[ -e "$LAB_DIR/coop.key" ] || "$(lab_program ksd)" --coop-key "$LAB_DIR/coop.key" >/dev/null || return 1
	cp "$LAB_DIR/coop.key" "$LAB_DIR/$1/coop.key"
}

conf_psk_of() { # ADDRESS: the key server's entry for it
	printf '{ peer = "%s"; key = "%s"; }' "$1" "$(cat "$LAB_DIR/psk-$1")"
}

conf_permits() { # GROUP: a line for every ordered pair
	local a b sep=''
	for a in ${group_protect[$1]}; do
		for b in ${group_protect[$1]}; do
			[ "$a" != "$b" ] || continue
			printf '%s\n\t\t{ action = "permit"; protocol = "ip"; source = "%s"; destination = "%s"; }' \
				"$sep" "$a" "$b"
			sep=,
		done
	done
}

conf_acl() { # GROUP
	cat <<-END
		{ name = "$1-LANS"; lines = (
			{ action = "deny"; protocol = "udp"; source = "any"; source_port = "848"; destination = "any"; destination_port = "848"; },$(conf_permits "$1")
		); }
	END
}

conf_transport() { # GROUP
	local gm sep='' unicast=''
	[ -n "${group_mcast[$1]:-}" ] || {
		echo 'transport = "unicast";'
		return
	}
	for gm in ${group_unicast[$1]}; do
		unicast+="$sep\"$(topo_gdoi_addr "$gm" wan)\""
		sep=', '
	done
	echo "transport = \"multicast\"; address = \"${group_mcast[$1]}\"; ttl = 16;${unicast:+ unicast_members = [ $unicast ];}"
}

conf_signing() { [[ ${group_ks[$1]} == *' '* ]] || echo 'signing_key = "REKEY";'; } # GROUP

conf_group() { # GROUP, as its key server has it
	cat <<-END
		{ name = "$1"; identity = ${group_identity[$1]};
			rekey: { $(conf_transport "$1") encryption = "aes"; key_bits = 256; sig_hash = "sha256";
				$(conf_signing "$1") lifetime = $LAB_KEK_LIFE; retransmit_s = $LAB_RETRANSMIT;
				retransmit_number = 2; acknowledgement = "$LAB_ACK"; management = "$LAB_MANAGEMENT";
				atd_s = $LAB_ATD; };
			sid_bits = $LAB_SID_BITS;
			authorization = [ $(conf_members "$1") ];
			sa = ( { number = 10; transform = "$LAB_TRANSFORM"; lifetime = $LAB_TEK_LIFE; acl = "$1-LANS"; } ); }
	END
}

# shellcheck disable=SC2046,SC2086 # lists of words
conf_members() { # GROUP
	local addr sep=''
	for addr in $(conf_seen_addrs ${group_gms[$1]}); do
		printf '%s"%s"' "$sep" "$addr"
		sep=', '
	done
}

conf_seen_addrs() { # GM…: each address once
	local gm
	for gm in "$@"; do topo_seen_addr "$gm"; done | sort -u
}

conf_groups_of_ks() { # KS
	local g
	for g in "${!group_ks[@]}"; do [[ " ${group_ks[$g]} " != *" $1 "* ]] || echo "$g"; done
}

conf_set_of() { # KS: its cooperative key servers, itself among them; the first one has the highest priority
	local g
	for g in $(conf_groups_of_ks "$1"); do [[ ${group_ks[$g]} != *' '* ]] || echo "${group_ks[$g]}"; done | head -n 1
}
conf_has_set() { [ -n "$(conf_set_of "$1")" ]; }

conf_peer() { printf '{ address = "%s"; }' "$(topo_gdoi_addr "$1")"; } # KS

conf_coop() { # KS
	local ks set n=0 id=0 peers=()
	read -r -a set <<<"$(conf_set_of "$1")"
	for ks in "${set[@]}"; do
		n=$((n + 1))
		if [ "$ks" = "$1" ]; then id=$n; else peers+=("$ks"); fi
	done
	[ ${#peers[@]} = 0 ] || cat <<-END
		coop: { id = $id; priority = $((110 - 10 * id)); key_file = "coop.key"; $LAB_COOP
			peers = ($(conf_list conf_peer "${peers[@]}")
			); };
	END
}

conf_members_of_ks() { # KS: each once
	local g
	for g in $(conf_groups_of_ks "$1"); do tr ' ' '\n' <<<"${group_gms[$g]}"; done | sort -u
}

# shellcheck disable=SC2046 # lists of words
conf_ksd() { # KS
	cat <<-END
		# Key server $1 of the lab "$LAB".
		ksd: { address = "$(topo_gdoi_addr "$1")"; port = 848; control = "$LAB_DIR/$1/ksd.sock"; state = "$LAB_DIR/$1/state"; user = "nobody"; workers = 1; };
		$(conf_isakmp)
		psk = ($(conf_list conf_psk_of $(conf_seen_addrs $(conf_members_of_ks "$1")))
		);
		$(conf_has_set "$1" || echo 'keys = ( { label = "REKEY"; file = "rekey.pem"; } );')
		$(conf_coop "$1")
		acls = ($(conf_list conf_acl $(conf_groups_of_ks "$1"))
		);
		groups = ($(conf_list conf_group $(conf_groups_of_ks "$1"))
		);
	END
}

conf_member_group() { # GROUP, as a member has it
	printf '{ name = "%s"; identity = %s; servers = [ %s ]; %s }' "$1" "${group_identity[$1]}" \
		"$(conf_servers "$1")" "$LAB_MEMBER_GROUP"
}

# The key servers of a group in the order that member conf_gm asks them: each begins with another.
conf_servers() { # GROUP
	local set gms i at=0 sep=''
	read -r -a set <<<"${group_ks[$1]}"
	read -r -a gms <<<"${group_gms[$1]}"
	for i in "${!gms[@]}"; do [ "${gms[i]}" != "$conf_gm" ] || at=$i; done
	for i in "${!set[@]}"; do
		printf '%s"%s"' "$sep" "$(topo_gdoi_addr "${set[(i + at) % ${#set[@]}]}")"
		sep=', '
	done
}

conf_server_psk() { # "GM KS"
	local gm ks
	read -r gm ks <<<"$1"
	printf '{ peer = "%s"; key = "%s"; }' "$(topo_gdoi_addr "$ks")" "$(cat "$LAB_DIR/$gm/psk")"
}

# shellcheck disable=SC2046,SC2086 # lists of words
conf_gmd() { # GM
	local g ks servers=() conf_gm=$1
	for g in ${node_groups[$1]}; do
		for ks in ${group_ks[$g]}; do servers+=("$1 $ks"); done
	done
	cat <<-END
		# Group member $1 of the lab "$LAB".
		gmd: { address = "$(topo_gdoi_addr "$1" wan)"; port = 848; control = "$LAB_DIR/$1/gmd.sock"; espd = "$LAB_DIR/$1/espd.sock"; user = "nobody"; $LAB_GMD };
		$(conf_isakmp)
		psk = ($(conf_list conf_server_psk "${servers[@]}")
		);
		groups = ($(conf_list conf_member_group ${node_groups[$1]})
		);
	END
}

conf_port() { # "NUMBER GM IF"
	local n gm port role=clear
	read -r n gm port <<<"$1"
	[ "$port" != wan ] || role=protected
	printf '{ name = "%s"; device = "net_af_packet%s,iface=p-%s"; tap = "%s"; role = "%s"; mtu = %s; }' \
		"$port" "$n" "$port" "$port" "$role" "${end_mtu[$gm:$port]}"
}

conf_espd() { # GM
	local port n=0 ports=()
	for port in ${node_ports[$1]}; do
		ports+=("$n $1 $port")
		n=$((n + 1))
	done
	cat <<-END
		# Dataplane of $1 of the lab "$LAB": veth ends instead of NICs, no huge pages.
		espd: { control = "$LAB_DIR/$1/espd.sock"; user = "nobody"; hugepages = false; memory_mb = $LAB_MEMORY_MB; };
		ports = ($(conf_list conf_port "${ports[@]}")
		);
	END
}

conf_clock() { printf '%20d %10d %20d\n%28s' "$2" "${3:-0}" "${4:-0}" '' 1<>"$LAB_DIR/$1/ksd.clock"; } # KS AHEAD_MS [PPM SINCE]

conf_write_all() {
	local n
	conf_make_keys || return 1
	[ -z "$LAB_CLOCKS" ] || for n in $(topo_nodes ks); do conf_clock "$n" 0; done
	for n in $(topo_nodes ks); do (umask 077 && conf_ksd "$n" >"$LAB_DIR/$n/ksd.conf") || return 1; done
	for n in "${!node_mroutes[@]}"; do printf '%s' "${node_mroutes[$n]}" >"$LAB_DIR/$n/smcroute.conf"; done
	for n in $(topo_nodes gm); do
		(umask 077 && conf_gmd "$n" >"$LAB_DIR/$n/gmd.conf") || return 1
		conf_espd "$n" >"$LAB_DIR/$n/espd.conf" || return 1
	done
}
