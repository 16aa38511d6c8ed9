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
LAB_GMD=${LAB_GMD:-}                  # more settings of every gmd, as "nat_keepalive = 5;"

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
		openssl genrsa -out "$LAB_DIR/$ks/rekey.pem" 2048 2>/dev/null || return 1
	done
	for gm in $(topo_nodes gm); do
		ln -sf "../psk-$(topo_seen_addr "$gm")" "$LAB_DIR/$gm/psk"
		[ -e "$LAB_DIR/$gm/psk" ] || openssl rand -hex 16 >"$LAB_DIR/$gm/psk" || return 1
	done
	umask 022
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

conf_group() { # GROUP, as its key server has it
	cat <<-END
		{ name = "$1"; identity = ${group_identity[$1]};
			rekey: { $(conf_transport "$1") encryption = "aes"; key_bits = 256; sig_hash = "sha256";
				signing_key = "REKEY"; lifetime = $LAB_KEK_LIFE; retransmit_s = $LAB_RETRANSMIT;
				retransmit_number = 2; acknowledgement = "$LAB_ACK"; management = "$LAB_MANAGEMENT";
				atd_s = $LAB_ATD; };
			sid_bits = 24;
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
	for g in "${!group_ks[@]}"; do [ "${group_ks[$g]}" != "$1" ] || echo "$g"; done
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
		keys = ( { label = "REKEY"; file = "rekey.pem"; } );
		acls = ($(conf_list conf_acl $(conf_groups_of_ks "$1"))
		);
		groups = ($(conf_list conf_group $(conf_groups_of_ks "$1"))
		);
	END
}

conf_member_group() { # GROUP, as a member has it
	printf '{ name = "%s"; identity = %s; servers = [ "%s" ]; }' "$1" "${group_identity[$1]}" \
		"$(topo_gdoi_addr "${group_ks[$1]}")"
}

conf_server_psk() { # "GM KS"
	local gm ks
	read -r gm ks <<<"$1"
	printf '{ peer = "%s"; key = "%s"; }' "$(topo_gdoi_addr "$ks")" "$(cat "$LAB_DIR/$gm/psk")"
}

# shellcheck disable=SC2046,SC2086 # lists of words
conf_gmd() { # GM
	local g servers=()
	for g in ${node_groups[$1]}; do servers+=("$1 ${group_ks[$g]}"); done
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

conf_write_all() {
	local n
	conf_make_keys || return 1
	for n in $(topo_nodes ks); do (umask 077 && conf_ksd "$n" >"$LAB_DIR/$n/ksd.conf") || return 1; done
	for n in "${!node_mroutes[@]}"; do printf '%s' "${node_mroutes[$n]}" >"$LAB_DIR/$n/smcroute.conf"; done
	for n in $(topo_nodes gm); do
		(umask 077 && conf_gmd "$n" >"$LAB_DIR/$n/gmd.conf") || return 1
		conf_espd "$n" >"$LAB_DIR/$n/espd.conf" || return 1
	done
}
