#!/bin/bash
# tools/deps.sh - install what Debian 12 has for us, by name, and only what is missing.
#   tools/deps.sh [--check] [build|lab|test|lint]…     (default: all of them)
# --check installs nothing: it lists what is missing and exits 1 if anything is.
# Asks nothing, shows progress, starts no service of what it installs.
set -euo pipefail

declare -A packages=(
	# To build the daemons and their unit tests.
	[build]="gcc libc6-dev meson ninja-build pkgconf
		libssl-dev libconfig-dev libjansson-dev libevent-dev libedit-dev libcmocka-dev libsqlite3-dev
		libdpdk-dev libipsec-mb-dev libnuma-dev libnl-route-3-dev"
	# To raise the lab and look at what it sends.
	[lab]="iproute2 iputils-ping ethtool procps util-linux jq openssl iperf3 tcpdump tshark nftables smcroute ike-scan python3"
	# To run every test: fuzzers, sanitizers, peers that we did not write.
	[test]="clang libclang-rt-14-dev python3-scapy python3-cryptography charon-systemd strongswan-swanctl
		libstrongswan-standard-plugins spin"
	# To judge the source.
	[lint]="clang-format clang-tidy cppcheck shellcheck codespell git"
)

usage() {
	sed -n '2,6s/^# \{0,1\}//p' "$0"
	exit "${1:-2}"
}

check=
groups=()
for arg in "$@"; do
	case $arg in
	--check) check=1 ;;
	--help | -h) usage 0 ;;
	build | lab | test | lint) groups+=("$arg") ;;
	*) usage >&2 ;;
	esac
done
[ ${#groups[@]} -gt 0 ] || groups=(build lab test lint)

wanted=()
for g in "${groups[@]}"; do
	read -r -d '' -a list <<<"${packages[$g]}" || true
	wanted+=("${list[@]}")
done

missing=()
have=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')
for p in "${wanted[@]}"; do
	grep -qxF "$p" <<<"$have" || missing+=("$p")
done

if [ ${#missing[@]} -eq 0 ]; then
	echo "deps: all ${#wanted[@]} packages are installed"
	exit 0
fi
echo "deps: missing: ${missing[*]}"
[ -z "$check" ] || exit 1
[ "$(id -u)" = 0 ] || {
	echo "deps: installing needs root: sudo $0 ${groups[*]}" >&2
	exit 1
}

# Debian starts what it installs; a key server's box must not run a charon nobody asked for.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap 'rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
fi

log=$(mktemp /tmp/conclave-deps.XXXXXX)
export DEBIAN_FRONTEND=noninteractive

# apt's own status lines (pmstatus:WHAT:PERCENT:TEXT), one moving line on a terminal, else one
# line in ten percent.
progress() {
	local kind percent text last=-10
	while IFS=: read -r kind _ percent text; do
		[[ $kind == pmstatus || $kind == dlstatus ]] || continue
		percent=${percent%%.*}
		if [ -t 1 ]; then
			printf '\r\033[Kdeps: %-8s %3d%% %.60s' "${kind/pmstatus/install}" "$percent" "$text"
		elif [ "$percent" -ge $((last + 10)) ] || [ "$percent" -lt "$last" ]; then
			printf 'deps: %-8s %3d%% %s\n' "${kind/pmstatus/install}" "$percent" "$text"
			last=$percent
		fi
	done
	[ ! -t 1 ] || printf '\r\033[K'
}

apt() {
	{ apt-get -q -y -o APT::Status-Fd=3 -o Dpkg::Use-Pty=0 "$@" 3>&1 >>"$log" 2>&1; } | progress
	return "${PIPESTATUS[0]}"
}

failed() {
	echo "deps: $1 failed; the end of $log:" >&2
	tail -n 15 "$log" >&2
	exit 1
}

echo "deps: installing ${#missing[@]} packages"
if ! apt --no-install-recommends install "${missing[@]}"; then
	apt update || failed "apt-get update"
	apt --no-install-recommends install "${missing[@]}" || failed "apt-get install"
fi
rm -f "$log"
echo "deps: done"
