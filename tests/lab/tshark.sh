# shellcheck shell=bash
# tests/lab/tshark.sh - sourced after helpers.sh: our messages in the words of tshark, opened by
# gdoi_open.py with the keys in $LAB_DIR/keylog.

gdoi_open() { /usr/bin/python3 "$lab_top/tests/lab/gdoi_open.py" "$1" "$LAB_DIR/keylog" "$LAB_DIR/clear.pcap"; }

# What tshark says of the Nth message of an exchange type, without spaces at the ends.
said() { # EXCHANGE N
	tshark -r "$LAB_DIR/clear.pcap" -d udp.port==848,isakmp -V -Y "isakmp.exchangetype == $1" 2>/dev/null |
		awk -v n="$2" '/^Internet Security Association/ {i++} i == n {sub(/^ +/, ""); print}'
}
tshark_finds() { # TEXT EXCHANGE N LINE…
	local what=$1 message line
	message=$(said "$2" "$3")
	shift 3
	for line in "$@"; do
		grep -qF -- "$line" <<<"$message" || {
			echo "$message"
			fail "$what: tshark does not find \"$line\""
		}
	done
	ok "$what: $*"
}
