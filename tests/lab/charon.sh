#!/bin/bash
# tests/lab/charon.sh - strongSwan's charon as an IKEv1 peer, for tests: source it.
#
# charon runs inside a network namespace of the test, with a private /run, its own configuration
# and log. It listens on port 500: on every other port
# it puts a non-ESP marker before ISAKMP. It sends and answers DOI 1, so its peer is told to accept
# that. It will try quick mode after phase 1 and be refused, which does not hurt its IKE_SA.
#
#   charon_start                       start it, in namespace $CHARON_THEM
#   charon_peer PSK SUITE              one connection, "peer"; SUITE as aes128-sha256-modp2048.
#                                      CHARON_CONNECTION: more lines of the connection;
#                                      CHARON_ID: what it calls itself, else its address
#   charon_cert_peer LOCAL REMOTE LOCAL_ID REMOTE_ID SUITE
#                                      the same by certificates: own.pem in $CHARON_DIR/x509 and
#                                      private, CAs in x509ca
#   charon_initiate                    bring its phase 1 up (does not wait for it)
#   charon_wait SECONDS REGEX          wait for a line of its log
#   charon_established SECONDS         wait for "IKE_SA peer[..] established"
#   charon_terminate                   it deletes the IKE_SA
#   charon_stop                        end it, by pid
#
# What it talks to is raised beside it: charon_lab_up, ours_start, ours_says, check.

CHARON_PID=
CHARON_BIN=${CHARON_BIN:-}
for bin in /usr/lib/ipsec/charon /usr/sbin/charon-systemd; do
	[ -n "$CHARON_BIN" ] || [ ! -x $bin ] || CHARON_BIN=$bin
done

charon_have()
{
	[ -n "$CHARON_BIN" ] && command -v swanctl >/dev/null &&
		[ -e /usr/lib/ipsec/plugins/libstrongswan-vici.so ]
}

# ---- the little lab of these tests ----
#
#	namespace $CHARON_US                namespace $CHARON_THEM
#	ours 10.99.0.1:500 ---------------- 10.99.0.2:500 charon
#
# charon_nat puts a NAT before one of them: the other sees it at 10.99.0.3, at other ports.

# Skips the test (77) where it cannot run. Cleans up at the end whatever happens.
charon_lab_up()
{
	[ "$(id -u)" = 0 ] || { echo "skipped: not root"; exit 77; }
	charon_have || {
		echo "skipped: no charon (packages charon-systemd, strongswan-swanctl)"
		exit 77
	}
	CHARON_US=cnv-$$-us CHARON_THEM=cnv-$$-them
	CHARON_DIR=$(mktemp -d)
	CHARON_OURS_PID=
	CHARON_PASSED=0
	trap charon_lab_down EXIT
	trap 'exit 130' INT TERM
	ip netns add "$CHARON_US" && ip netns add "$CHARON_THEM" || exit 1
	ip -n "$CHARON_US" link add name p0 type veth peer name p0 netns "$CHARON_THEM" || exit 1
	ip -n "$CHARON_US" addr add 10.99.0.1/24 dev p0
	ip -n "$CHARON_THEM" addr add 10.99.0.2/24 dev p0
	local ns
	for ns in "$CHARON_US" "$CHARON_THEM"; do
		ip -n "$ns" link set lo up
		ip -n "$ns" link set p0 up
	done
}

charon_lab_down()
{
	charon_stop
	ours_stop
	ip netns del "$CHARON_US" 2>/dev/null
	ip netns del "$CHARON_THEM" 2>/dev/null
	[ -n "${KEEP:-}" ] || rm -rf "$CHARON_DIR"
}

charon_nat() # NAMESPACE ADDRESS
{
	ip -n "$1" addr add 10.99.0.3/24 dev p0
	ip netns exec "$1" nft "add table ip nat
		add chain ip nat out { type nat hook postrouting priority srcnat; }
		add rule ip nat out ip saddr $2 udp dport { 500, 4500 } snat to 10.99.0.3:20000-29999"
}

charon_nat_end() # NAMESPACE
{
	ip netns exec "$1" nft delete table ip nat
	ip -n "$1" addr del 10.99.0.3/24 dev p0
}

# Our program, in its namespace, into ours.log.
ours_start()
{
	: >"$CHARON_DIR/ours.log"
	ip netns exec "$CHARON_US" "$@" >"$CHARON_DIR/ours.log" 2>&1 &
	CHARON_OURS_PID=$!
}

# Waits until it ends by itself.
ours_done()
{
	wait "$CHARON_OURS_PID"
	local status=$?

	CHARON_OURS_PID=
	return $status
}

ours_stop()
{
	[ -n "$CHARON_OURS_PID" ] || return 0
	kill "$CHARON_OURS_PID" 2>/dev/null
	wait "$CHARON_OURS_PID" 2>/dev/null
	CHARON_OURS_PID=
	return 0
}

ours_says()
{
	local i

	for ((i = 0; i < 100; i++)); do
		grep -qE "$1" "$CHARON_DIR/ours.log" && return 0
		sleep 0.1
	done
	return 1
}

# TEXT COMMAND…: the first thing that does not hold ends the test with both sides' words.
check()
{
	local text=$1
	shift

	if "$@"; then
		echo "ok: $text"
		CHARON_PASSED=$((CHARON_PASSED + 1))
		return 0
	fi
	echo "FAILED: $text"
	sed 's/^/     ours: /' "$CHARON_DIR/ours.log"
	tail -40 "$CHARON_DIR/charon.log" | sed 's/^/     charon: /'
	exit 1
}

# ---- charon itself ----

charon_conf()
{
	local dir=$CHARON_DIR

	cat >"$dir/settings" <<-EOF
		load = random nonce x509 constraints pkcs1 pkcs8 openssl aes sha1 sha2 hmac kdf pem pubkey kernel-netlink socket-default vici
		install_routes = no
		retransmit_tries = 3
		keep_alive = 2s
		i_dont_care_about_security_and_use_aggressive_mode_psk = yes
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
	EOF
	# The two programs look for their settings under their own names.
	cat >"$dir/strongswan.conf" <<-EOF
	charon {
		include $dir/settings
	}
	charon-systemd {
		include $dir/settings
	}
	EOF
}

charon_start()
{
	local dir=$CHARON_DIR i

	charon_conf
	: >"$dir/charon.log"
	rm -f "$dir/charon.vici" # of a charon before this one
	# shellcheck disable=SC2016 # $0 is for the inner shell
	STRONGSWAN_CONF=$dir/strongswan.conf ip netns exec "$CHARON_THEM" \
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
	STRONGSWAN_CONF=$CHARON_DIR/strongswan.conf SWANCTL_DIR=$CHARON_DIR \
		ip netns exec "$CHARON_THEM" swanctl "$@" --uri "unix://$CHARON_DIR/charon.vici"
}

charon_peer()
{
	local psk=$1 suite=$2 dir=$CHARON_DIR

	cat >"$dir/swanctl.conf" <<-EOF
	connections {
		peer {
			version = 1
			local_addrs = 10.99.0.2
			remote_addrs = ${CHARON_REMOTE:-10.99.0.1}
			proposals = $suite
			${CHARON_CONNECTION:-}
			local {
				auth = psk
				id = ${CHARON_ID:-10.99.0.2}
			}
			remote {
				auth = psk
				id = 10.99.0.1
			}
			children {
				none {
					local_ts = 10.99.0.2/32
					remote_ts = 10.99.0.1/32
				}
			}
		}
	}
	secrets {
		ike-peer {
			id-1 = 10.99.0.1
			id-2 = ${CHARON_REMOTE:-10.99.0.1}
			secret = "$psk"
		}
	}
	EOF
	charon_swanctl --load-all --file "$dir/swanctl.conf" >"$dir/swanctl.out" 2>&1 ||
		{ cat "$dir/swanctl.out" >&2; return 1; }
}

charon_cert_peer()
{
	local local_addr=$1 remote=$2 local_id=$3 remote_id=$4 suite=$5 dir=$CHARON_DIR

	cat >"$dir/swanctl.conf" <<-EOF
	connections {
		peer {
			version = 1
			local_addrs = $local_addr
			remote_addrs = $remote
			proposals = $suite
			${CHARON_CONNECTION:-}
			local {
				auth = pubkey
				certs = own.pem
				id = $local_id
			}
			remote {
				auth = pubkey
				id = $remote_id
			}
			children {
				none {
					local_ts = $local_addr/32
					remote_ts = $remote/32
				}
			}
		}
	}
	EOF
	charon_swanctl --load-all --file "$dir/swanctl.conf" >"$dir/swanctl.out" 2>&1 ||
		{ cat "$dir/swanctl.out" >&2; return 1; }
}

charon_initiate()
{
	charon_swanctl --initiate --ike peer --timeout 1 >>"$CHARON_DIR/swanctl.out" 2>&1
	return 0
}

charon_terminate()
{
	charon_swanctl --terminate --ike peer --timeout 2 >>"$CHARON_DIR/swanctl.out" 2>&1
	return 0
}

charon_wait()
{
	local seconds=$1 regex=$2 i

	for ((i = 0; i < seconds * 10; i++)); do
		grep -qE "$regex" "$CHARON_DIR/charon.log" && return 0
		sleep 0.1
	done
	return 1
}

charon_established()
{
	charon_wait "$1" 'IKE_SA peer\[[0-9]+\] established'
}

charon_stop()
{
	[ -n "$CHARON_PID" ] || return 0
	kill "$CHARON_PID" 2>/dev/null
	wait "$CHARON_PID" 2>/dev/null
	CHARON_PID=
	return 0
}

charon_version()
{
	grep -om1 'strongSwan [0-9.]*' "$CHARON_DIR/charon.log"
}
