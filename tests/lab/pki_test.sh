#!/bin/bash
# tests/lab/pki_test.sh BUILDDIR - phase 1 by certificates, with processes we did not write: charon
# in both roles, a CA, an OCSP responder and an HTTP server for CRLs by openssl and python.
#
#	namespace ..-a                          namespace ..-b
#	ksd          10.98.0.1 --------------- 10.98.0.2  gmd, or charon
#	             10.98.0.1 --------------- 10.98.0.2  http :8080 (CRL), ocsp :8081
#
# Exit status 77: skipped (not root, or a tool is missing).
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-${BUILD:-$here/../../build}}
# shellcheck source-path=SCRIPTDIR source=charon.sh
. "$here/charon.sh"
# shellcheck source-path=SCRIPTDIR source=pki_make.sh
. "$here/pki_make.sh"

[ "$(id -u)" = 0 ] || { echo "skipped: not root"; exit 77; }
pki_have || { echo "skipped: needs openssl and python3"; exit 77; }
for p in ks/ksd gm/gmd cli/gvsh; do
	[ -x "$build/$p" ] || { echo "skipped: no $build/$p"; exit 77; }
done

tag=cnv-pki$$
a=$tag-a b=$tag-b
dir=$(mktemp -d)
pki=$dir/pki
CHARON_DIR=$dir
passed=0 failed=0 ksd_pid='' gmd_pid=''

cleanup() {
	charon_stop
	daemons_stop
	pki_stop
	ip netns del "$a" 2>/dev/null
	ip netns del "$b" 2>/dev/null
	[ -n "${KEEP:-}" ] || rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

check() {
	local what=$1
	shift
	if "$@"; then
		echo "ok   $what"
		passed=$((passed + 1))
	else
		echo "FAIL $what"
		tail -n 8 "$dir/ksd.log" "$dir/gmd.log" "$dir/charon.log" 2>/dev/null | sed 's/^/     /'
		failed=$((failed + 1))
	fi
}

# ---- daemons ----

ksd_conf() { # PORT AUTHENTICATION AUTHORIZATION TRUSTPOINT_WORDS [ISAKMP_WORDS]
	cat >"$dir/ksd.conf" <<-END
	ksd: { address = "10.98.0.1"; port = $1; control = "$dir/ksd.sock"; accept_doi1 = true; };
	trustpoints = ( { name = "CORP"; ca = "pki/root.pem"; certificate = "pki/ks.pem"; key = "pki/ks.key"; $4 } );
	isakmp = ( { encryption = "aes"; key_bits = 256; hash = "sha256"; group = 19; authentication = "$2"; ${5:-} } );
	keys = ( { label = "REKEY"; file = "rekey.pem"; } );
	acls = ( { name = "LANS"; lines = ( { action = "permit"; protocol = "ip"; source = "10.1.0.0/16"; destination = "10.2.0.0/16"; } ); } );
	groups = ( { name = "G1"; identity = 1234; rekey: { signing_key = "REKEY"; }; authorization = [ $3 ];
	             sa = ( { number = 10; transform = "esp-gcm 128"; acl = "LANS"; } ); } );
	END
}

gmd_conf() { # PORT AUTHENTICATION GROUP_WORDS [ISAKMP_WORDS]
	cat >"$dir/gmd.conf" <<-END
	gmd: { address = "10.98.0.2"; port = $1; control = "$dir/gmd.sock"; espd = "$dir/espd.sock"; };
	trustpoints = ( { name = "CORP"; ca = "pki/root.pem"; chain = "pki/mid.pem"; certificate = "pki/gm.pem"; key = "pki/gm.key";
	                  revocation = [ "none" ]; } );
	isakmp = ( { encryption = "aes"; key_bits = 256; hash = "sha256"; group = 19; authentication = "$2"; ${4:-} } );
	groups = ( { name = "G1"; identity = 1234; servers = [ "10.98.0.1" ]; $3 } );
	END
}

ksd_start() {
	: >"$dir/ksd.log"
	ip netns exec "$a" "$build/ks/ksd" -n -f "$dir/ksd.conf" >"$dir/ksd.log" 2>&1 &
	ksd_pid=$!
	said ksd SYS-5-RESTART 10 || { cat "$dir/ksd.log"; exit 1; }
}

gmd_start() {
	: >"$dir/gmd.log"
	ip netns exec "$b" "$build/gm/gmd" -n -f "$dir/gmd.conf" >"$dir/gmd.log" 2>&1 &
	gmd_pid=$!
}

# They end when told to, and with nothing to complain about (a sanitizer build would).
daemons_stop() {
	local pid
	for pid in $gmd_pid $ksd_pid; do
		kill "$pid" 2>/dev/null
		wait "$pid" && continue
		echo "FAIL a daemon ended with status $?"
		tail -n 30 "$dir/ksd.log" "$dir/gmd.log"
		failed=$((failed + 1))
	done
	ksd_pid='' gmd_pid=''
}

said() { # DAEMON REGEX SECONDS
	local i
	for ((i = 0; i < $3 * 10; i++)); do
		grep -qE "$2" "$dir/$1.log" && return 0
		sleep 0.1
	done
	return 1
}

registers() { # WHAT
	ksd_start
	gmd_start
	check "$1: registered" said gmd GDOI-5-GM_REGS_COMPL 10
	check "$1: the key server shows the member" bash -c \
		"'$build/cli/gvsh' -s '$dir/ksd.sock' -j -c 'show crypto gdoi ks members' | grep -q 10.98.0.2"
	daemons_stop
}

refuses() { # WHAT KSD_REGEX [GMD_REGEX]
	ksd_start
	gmd_start
	check "$1: ksd refuses by name" said ksd "$2" 10
	[ -z "${3:-}" ] || check "$1: gmd hears why" said gmd "$3" 30
	check "$1: nothing registered" bash -c "! grep -q GM_REGS_COMPL '$dir/gmd.log'"
	daemons_stop
}

# ---- our two daemons ----

read -ra kinds <<<"${KINDS:-rsa-sig:rsa:2048 ecdsa-sig:P-256 ecdsa-sig:P-384 ecdsa-sig:P-521}"

pair() { # KIND: certificates of both sides
	local key=${1#*:}
	pki_issue "$pki" root ks "$key" "subjectAltName=DNS:ks1.example.net,IP:10.98.0.1" &&
		pki_issue "$pki" mid gm "$key" "subjectAltName=DNS:gm1.example.net,IP:10.98.0.2" \
			"crlDistributionPoints=URI:http://10.98.0.2:8080/mid.crl" \
			"authorityInfoAccess=OCSP;URI:http://10.98.0.2:8081/" || exit 1
}

own_daemons() {
	local kind
	for kind in "${kinds[@]}"; do
		pair "$kind"
		ksd_conf 848 "${kind%%:*}" '"*.example.net"' 'revocation = [ "none" ];'
		gmd_conf 848 "${kind%%:*}" 'server_names = [ "ks1.example.net" ];'
		registers "$kind"
	done
	pair rsa-sig:rsa:4096
	ksd_conf 848 rsa-sig '"ou=branch, o=Example"' 'revocation = [ "none" ];'
	gmd_conf 848 rsa-sig 'server_names = [ "ks1.example.net" ];'
	registers "large certificates, in fragments"
	pair ecdsa-sig:P-256
	ksd_conf 848 ecdsa-sig '"*.example.org"' 'revocation = [ "none" ];'
	gmd_conf 848 ecdsa-sig 'server_names = [ "ks1.example.net" ];'
	refuses "another name than the group wants" \
		'UNAUTHORIZED_IDENTITY.*pull-unauthorized-identity.*gm1.example.net' INVALID-ID-INFORMATION
	ksd_conf 848 ecdsa-sig '"*.example.net"' 'revocation = [ "none" ];'
	gmd_conf 848 ecdsa-sig 'server_names = [ "ks2.example.net" ];'
	ksd_start
	gmd_start
	check "a key server by another name is left" said gmd 'not a configured key server' 10
	daemons_stop
	DAYS=0 pki_issue "$pki" mid gm P-256 "subjectAltName=DNS:gm1.example.net"
	gmd_conf 848 ecdsa-sig 'server_names = [ "ks1.example.net" ];'
	refuses "expired" 'IKMP_AUTH_FAIL.*bad-certificate .certificate-expired' bad-certificate
}

# ---- revocation ----

revocation() {
	pki_serve "$pki" 8080 "$b"
	pair ecdsa-sig:P-256
	pki_crl "$pki" mid
	pki_crl "$pki" root
	gmd_conf 848 ecdsa-sig 'server_names = [ "ks1.example.net" ];'
	# the list of the root lies in a file, that of mid is fetched where the certificate says
	ksd_conf 848 ecdsa-sig '' 'revocation = [ "crl" ]; crl = "pki/root.crl";'
	registers "CRL by HTTP"
	check "CRL by HTTP: it was fetched" grep -q 'fetched url=http://10.98.0.2:8080/mid.crl' "$dir/ksd.log"
	pki_revoke "$pki" mid gm
	pki_crl "$pki" mid
	refuses "CRL by HTTP, revoked" 'IKMP_AUTH_FAIL.*certificate-revoked' bad-certificate
	mv "$pki/mid.crl" "$pki/mid.gone"
	refuses "no CRL to be had" 'revocation-status-unavailable|crl-' bad-certificate
	ksd_conf 848 ecdsa-sig '' 'revocation = [ "crl", "none" ]; crl = "pki/root.crl";'
	registers "no CRL to be had, none will do"
	mv "$pki/mid.gone" "$pki/mid.crl"

	pair ecdsa-sig:P-256
	pki_ocsp "$pki" mid 8081 "$b"
	# mid itself names no responder: its own status is what the root's list says
	ksd_conf 848 ecdsa-sig '' 'revocation = [ "ocsp", "crl" ]; crl = "pki/root.crl";'
	registers "OCSP"
	check "OCSP: it was asked" grep -q 'fetched url=http://10.98.0.2:8081/' "$dir/ksd.log"
	pki_stop
	pki_revoke "$pki" mid gm
	pki_ocsp "$pki" mid 8081 "$b"
	refuses "OCSP, revoked" 'IKMP_AUTH_FAIL.*certificate-revoked' bad-certificate
	pki_stop
}

# ---- charon ----

charon_files() { # NAME: its certificate, key and CAs for charon
	mkdir -p "$dir/x509" "$dir/x509ca" "$dir/private"
	rm -f "$dir"/x509/* "$dir"/x509ca/* "$dir"/private/*
	cp "$pki/$1.pem" "$dir/x509/own.pem"
	cp "$pki/$1.key" "$dir/private/own.pem"
	cp "$pki/root.pem" "$pki/mid.pem" "$dir/x509ca/"
}

charon_asks() { # KIND
	pair "$1"
	charon_files gm
	ksd_conf 500 "${1%%:*}" '"*.example.net"' 'revocation = [ "none" ];'
	ksd_start
	CHARON_THEM=$b
	charon_start || exit 1
	charon_cert_peer 10.98.0.2 10.98.0.1 gm1.example.net ks1.example.net aes256-sha256-ecp256 || exit 1
	charon_initiate
	check "charon asks, $1: it says established" charon_established 10
	check "charon asks, $1: ksd says established" said ksd 'IKMP_SA_ESTABLISHED.*gm1.example.net' 5
	charon_stop
	daemons_stop
}

charon_answers() { # KIND
	pair "$1"
	charon_files ks
	# charon plays the key server's phase 1: its address is the one gmd asks
	gmd_conf 500 "${1%%:*}" 'server_names = [ "ks1.example.net" ]; send_doi1 = true;' 'ecdsa_hash = "once";'
	CHARON_THEM=$a
	charon_start || exit 1
	charon_cert_peer 10.98.0.1 10.98.0.2 ks1.example.net gm1.example.net aes256-sha256-ecp256 || exit 1
	gmd_start
	check "charon answers, $1: it says established" charon_established 10
	check "charon answers, $1: gmd says established" said gmd 'IKMP_SA_ESTABLISHED.*ks1.example.net' 5
	charon_stop
	daemons_stop
}

# The same in three messages. Where only main mode is configured charon hears nothing.
charon_aggressive() { # KIND
	local CHARON_CONNECTION='aggressive = yes'
	pair "$1"
	charon_files gm
	CHARON_THEM=$b
	ksd_conf 500 "${1%%:*}" '"*.example.net"' 'revocation = [ "none" ];'
	ksd_start
	charon_start || exit 1
	charon_cert_peer 10.98.0.2 10.98.0.1 gm1.example.net ks1.example.net aes256-sha256-ecp256 || exit 1
	charon_initiate
	check "charon asks in aggressive mode, $1: not configured, not answered" said ksd 'aggressive-not-configured' 5
	charon_stop
	daemons_stop
	ksd_conf 500 "${1%%:*}" '"*.example.net"' 'revocation = [ "none" ];' 'aggressive = true; ecdsa_hash = "once";'
	ksd_start
	charon_start || exit 1
	charon_cert_peer 10.98.0.2 10.98.0.1 gm1.example.net ks1.example.net aes256-sha256-ecp256 || exit 1
	charon_initiate
	check "charon asks in aggressive mode, $1: it says established" charon_established 10
	check "it was aggressive mode" charon_wait 1 'initiating Aggressive Mode IKE_SA'
	check "charon asks in aggressive mode, $1: ksd says established" said ksd 'IKMP_SA_ESTABLISHED.*gm1.example.net' 5
	charon_stop
	daemons_stop

	charon_files ks
	gmd_conf 500 "${1%%:*}" 'server_names = [ "ks1.example.net" ]; send_doi1 = true;' 'ecdsa_hash = "once"; aggressive = true;'
	CHARON_THEM=$a
	charon_start || exit 1
	charon_cert_peer 10.98.0.1 10.98.0.2 ks1.example.net gm1.example.net aes256-sha256-ecp256 || exit 1
	gmd_start
	check "charon answers in aggressive mode, $1: it says established" charon_established 10
	check "it was aggressive mode" charon_wait 1 'is initiating a Aggressive Mode IKE_SA'
	check "charon answers in aggressive mode, $1: gmd says established" said gmd 'IKMP_SA_ESTABLISHED.*ks1.example.net' 5
	charon_stop
	daemons_stop
}

# ---- exclusion ----

gmd_restart() {
	kill "$gmd_pid"
	wait "$gmd_pid"
	gmd_start
}

# The subject that the certificate proved stays out, from wherever it comes; another at that address
# is another.
exclusion() {
	local another='10.98.0.3'
	pair ecdsa-sig:P-256
	cp "$pki/gm.pem" "$dir/gm1.pem"
	cp "$pki/gm.key" "$dir/gm1.key"
	ip -n "$b" addr add "$another/24" dev p0
	ksd_conf 848 ecdsa-sig '"*.example.net"' 'revocation = [ "none" ];'
	gmd_conf 848 ecdsa-sig 'server_names = [ "ks1.example.net" ];'
	ksd_start
	gmd_start
	check "exclusion: gm1 is a member" said gmd GDOI-5-GM_REGS_COMPL 10
	check "exclusion: gm1 is excluded" bash -c "'$build/cli/gvsh' -s '$dir/ksd.sock' -c 'crypto gdoi ks group G1 exclude 10.98.0.2' | grep -q 'is excluded'"
	sed -i "s/address = \"10.98.0.2\"/address = \"$another\"/" "$dir/gmd.conf"
	gmd_restart
	check "exclusion: from another address its name is refused" said ksd "pull-excluded-member.*$another" 10
	check "exclusion: gmd hears of it" said gmd GDOI-4-GM_REGS_FAIL 10
	check "exclusion: it has no keys" bash -c "! grep -q GM_REGS_COMPL '$dir/gmd.log'"
	pki_issue "$pki" mid gm P-256 "subjectAltName=DNS:gm1.example.net,IP:10.98.0.2"
	gmd_restart
	check "exclusion: a new certificate of the same name does not help" said gmd GDOI-4-GM_REGS_FAIL 20
	check "exclusion: it has no keys either" bash -c "! grep -q GM_REGS_COMPL '$dir/gmd.log'"
	pki_issue "$pki" mid gm2 P-256 "subjectAltName=DNS:gm2.example.net,IP:$another"
	cp "$pki/gm2.pem" "$pki/gm.pem"
	cp "$pki/gm2.key" "$pki/gm.key"
	gmd_restart
	check "exclusion: another name at that address may register" said gmd GDOI-5-GM_REGS_COMPL 20
	cp "$dir/gm1.pem" "$pki/gm.pem"
	cp "$dir/gm1.key" "$pki/gm.key"
	check "exclusion: gm1 is readmitted" bash -c "'$build/cli/gvsh' -s '$dir/ksd.sock' -c 'crypto gdoi ks group G1 readmit 10.98.0.2' | grep -q 'may register again'"
	gmd_restart
	check "exclusion: and registers, from the other address" said gmd GDOI-5-GM_REGS_COMPL 20
	daemons_stop
	ip -n "$b" addr del "$another/24" dev p0
}

pki_boxes "$a" "$b"
mkdir -p "$pki"
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$dir/rekey.pem" 2>/dev/null
pki_ca "$pki" || { echo "no CA: openssl failed"; exit 1; }
for step in ${STEPS:-own_daemons revocation exclusion charon}; do
	if [ "$step" != charon ]; then
		$step
	elif charon_have; then
		for kind in "${kinds[@]}" rsa-sig:rsa:4096; do
			charon_asks "$kind"
			charon_answers "$kind"
		done
		for kind in rsa-sig:rsa:2048 ecdsa-sig:P-256; do charon_aggressive "$kind"; done
	else
		echo "no charon: its part is left out"
	fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
