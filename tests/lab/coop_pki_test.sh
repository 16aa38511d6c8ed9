#!/bin/bash
# Key servers that prove themselves by certificates: those that name their addresses meet; a member's
# certificate of the same CA, a certificate of another CA and a revoked one are refused, told and
# counted, and the one that leads goes on.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
# shellcheck source-path=SCRIPTDIR source=pki_make.sh
. "$(dirname "$0")/pki_make.sh"
need_daemons ksd gvsh
pki_have || skip "needs openssl and python3"

trustpoint() { # KS NAME DIRECTORY: shows NAME.pem, trusts the root there
	printf 'trustpoints = ( { name = "CORP"; ca = "%s/root.pem"; certificate = "%s/%s.pem"; key = "%s/%s.key"; revocation = [ "crl" ]; crl = "%s/root.crl"; } );\n' \
		"$3" "$3" "$2" "$3" "$2" "$3" | cat - "$LAB_DIR/$1/plain.conf" >"$LAB_DIR/$1/ksd.conf"
}
peer() { lab_wait_show ks1 'show crypto gdoi ks coop' ".groups[0].peers[0].status == \"$1\"" 15; }
counter() { lab_show ks1 'show crypto gdoi ks coop counters' -j | jq ".peers[0][\"$1\"]"; }
is_counted() { [ "$(counter "$1")" -gt "$2" ]; }

refuses() { # WHAT NAME DIRECTORY COUNTER
	local before
	lab_kill ks2 ksd TERM
	check "with $1: the peer is dead first" peer Dead
	before=$(counter "$4")
	trustpoint ks2 "$2" "$3"
	check "with $1 ksd starts" lab_start ks2 ksd
	check "with $1 it is refused ($4)" lab_until 15 is_counted "$4" "$before"
	check "with $1 it stays dead" lab_json_holds ks1 'show crypto gdoi ks coop' '.groups[0].peers[0].status == "Dead"'
	check "ks1 leads on" lab_json_holds ks1 'show crypto gdoi ks coop' '.groups[0].role == "Primary"'
}

lab_up_network 2ks-3gm
pki=$LAB_DIR/pki other=$LAB_DIR/other
mkdir "$pki" "$other"
pki_ca "$pki" || fail "no CA"
pki_ca "$other" || fail "no CA"
pki_issue "$pki" root ks1 P-256 'subjectAltName = IP:10.0.0.1' || fail "no certificate"
pki_issue "$pki" root ks2 P-256 'subjectAltName = IP:10.0.1.1' || fail "no certificate"
pki_issue "$pki" root gone P-256 'subjectAltName = IP:10.0.1.1' || fail "no certificate"
pki_issue "$pki" root gm1 P-256 'subjectAltName = IP:192.0.2.1' || fail "no certificate"
pki_issue "$other" root ks2 P-256 'subjectAltName = IP:10.0.1.1' || fail "no certificate"
pki_revoke "$pki" root gone
pki_crl "$pki" root || fail "no CRL"
pki_crl "$other" root || fail "no CRL"
for ks in ks1 ks2; do
	sed 's/key_file = "coop.key";/trustpoint = "CORP";/' "$LAB_DIR/$ks/ksd.conf" >"$LAB_DIR/$ks/plain.conf"
	trustpoint $ks $ks "$pki"
	check "$ks starts" lab_start $ks ksd
done
check "they prove themselves to each other" peer Alive
check "one leads" lab_wait_show ks1 'show crypto gdoi ks coop' '.groups[0].role == "Primary"' 15
refuses "a member's certificate" gm1 "$pki" names-refused
refuses "a certificate of another CA" ks2 "$other" handshakes-refused
refuses "a revoked certificate" gone "$pki" certificates-refused
check "it is told" lab_log_has ks1 ksd '%GDOI-3-COOP_KS_UNAUTH'
lab_kill ks2 ksd TERM
trustpoint ks2 ks2 "$pki"
check "with its own certificate it starts" lab_start ks2 ksd
check "and is heard" peer Alive
echo "certificates: the right one meets, three wrong ones are refused"
