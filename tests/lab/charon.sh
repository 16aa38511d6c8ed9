#!/bin/bash
# tests/lab/charon.sh - strongSwan's charon as an IKEv1 peer, for tests: source it.
#
# charon runs inside a network namespace the caller made, with a private /run, its own
# configuration and log in a directory of the caller's. It listens on port 500: on every other port
# it puts a non-ESP marker before ISAKMP. It sends and answers DOI 1, so its peer is told to accept
# that. It will try quick mode after phase 1 and be refused, which does not hurt its IKE_SA.
#
#   charon_have                        is it installed, with the plugins needed? (0 yes)
#   charon_start NS DIR                start it; pid in CHARON_PID
#   charon_peer NS DIR LOCAL REMOTE PSK SUITE   one connection "peer"; SUITE aes128-sha256-modp2048
#   charon_initiate NS DIR             bring its phase 1 up (returns at once)
#   charon_wait DIR SECONDS REGEX      wait for a line of its log
#   charon_established DIR SECONDS     wait for "IKE_SA peer[..] established"
#   charon_terminate NS DIR            it deletes the IKE_SA
#   charon_stop                        end it, by pid

CHARON_BIN=${CHARON_BIN:-/usr/lib/ipsec/charon}
CHARON_PID=

charon_have()
{
	[ -x "$CHARON_BIN" ] && command -v swanctl >/dev/null &&
		[ -e /usr/lib/ipsec/plugins/libstrongswan-vici.so ]
}

charon_conf()
{
	local dir=$1

	cat >"$dir/strongswan.conf" <<-EOF
	charon {
		load = random nonce openssl aes sha1 sha2 hmac kdf pem pubkey kernel-netlink socket-default vici
		install_routes = no
		retransmit_tries = 3
		filelog {
			log {
				path = $dir/charon.log
				flush_line = yes
				default = 1
				ike = 2
			}
		}
		plugins {
			vici {
				socket = unix://$dir/charon.vici
			}
		}
	}
	EOF
}

charon_start()
{
	local ns=$1 dir=$2 i

	charon_conf "$dir"
	: >"$dir/charon.log"
	rm -f "$dir/charon.vici" # of a charon before this one
	# shellcheck disable=SC2016 # the inner shell expands it
	STRONGSWAN_CONF=$dir/strongswan.conf ip netns exec "$ns" \
		unshare --mount bash -c 'mount -t tmpfs none /run && exec "$0"' "$CHARON_BIN" \
		>"$dir/charon.out" 2>&1 &
	CHARON_PID=$!
	for ((i = 0; i < 100; i++)); do
		[ -S "$dir/charon.vici" ] && return 0
		kill -0 "$CHARON_PID" 2>/dev/null || break
		sleep 0.1
	done
	echo "charon did not start:" >&2
	cat "$dir/charon.out" "$dir/charon.log" >&2
	return 1
}

charon_swanctl()
{
	local ns=$1 dir=$2
	shift 2

	# shellcheck disable=SC2016 # the inner shell expands it
	STRONGSWAN_CONF=$dir/strongswan.conf ip netns exec "$ns" \
		swanctl "$@" --uri "unix://$dir/charon.vici"
}

charon_peer()
{
	local ns=$1 dir=$2 local=$3 remote=$4 psk=$5 suite=$6

	cat >"$dir/swanctl.conf" <<-EOF
	connections {
		peer {
			version = 1
			local_addrs = $local
			remote_addrs = $remote
			proposals = $suite
			local {
				auth = psk
				id = $local
			}
			remote {
				auth = psk
				id = $remote
			}
			children {
				none {
					local_ts = $local/32
					remote_ts = $remote/32
				}
			}
		}
	}
	secrets {
		ike-peer {
			id-1 = $remote
			secret = "$psk"
		}
	}
	EOF
	charon_swanctl "$ns" "$dir" --load-all --file "$dir/swanctl.conf" >"$dir/swanctl.out" 2>&1 ||
		{ cat "$dir/swanctl.out" >&2; return 1; }
}

charon_initiate()
{
	charon_swanctl "$1" "$2" --initiate --ike peer --timeout 1 >>"$2/swanctl.out" 2>&1
	return 0
}

charon_terminate()
{
	charon_swanctl "$1" "$2" --terminate --ike peer --timeout 2 >>"$2/swanctl.out" 2>&1
	return 0
}

charon_wait()
{
	local dir=$1 seconds=$2 regex=$3 i

	for ((i = 0; i < seconds * 10; i++)); do
		grep -qE "$regex" "$dir/charon.log" && return 0
		sleep 0.1
	done
	return 1
}

charon_established()
{
	charon_wait "$1" "$2" 'IKE_SA peer\[[0-9]+\] established'
}

charon_stop()
{
	[ -n "$CHARON_PID" ] || return 0
	kill "$CHARON_PID" 2>/dev/null
	wait "$CHARON_PID" 2>/dev/null
	CHARON_PID=
	return 0
}
