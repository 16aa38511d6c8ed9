#!/bin/bash
# espd against scapy and python's cryptography, neither of which we wrote: they open what espd sends
# and build what it must accept or drop under the right name. Runs in a network namespace of its own:
#
#   x-lan ~~~ p-lan [espd] p-wan ~~~ x-wan        scapy plays both sides
set -u
here=$(cd "$(dirname "$0")" && pwd)
export BUILD=${BUILD:-$here/../../build}

[ "$(id -u)" = 0 ] || {
	echo "needs root"
	exit 77
}
for program in dataplane/espd tests/tools/dp_ctl; do
	[ -x "$BUILD/$program" ] || {
		echo "$program is not in this build"
		exit 77
	}
done
# Debian's scapy belongs to Debian's python.
/usr/bin/python3 -c 'import scapy, cryptography' 2>/dev/null || {
	echo "needs python3-scapy and python3-cryptography"
	exit 77
}
exec unshare -n timeout 120 /usr/bin/python3 "$here/espd_scapy.py"
