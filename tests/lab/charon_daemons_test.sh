#!/bin/bash
# tests/lab/charon_daemons_test.sh [BUILDDIR] - strongSwan's charon asks ksd, and is asked by gmd:
# phase 1 of our daemons against an IKEv1 stack we did not write. The lab is drawn in charon.sh.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-${BUILD:-$here/../../build}}
# shellcheck source-path=SCRIPTDIR source=charon.sh
. "$here/charon.sh"
for program in ks/ksd gm/gmd; do
	[ -x "$build/$program" ] || {
		echo "no $build/$program: build first"
		exit 1
	}
done

isakmp_of() # SUITE as strongSwan spells it
{
	case $1 in
	aes128-sha256-modp2048) echo '{ encryption = "aes"; key_bits = 128; hash = "sha256"; group = 14; }' ;;
	aes256-sha384-ecp384) echo '{ encryption = "aes"; key_bits = 256; hash = "sha384"; group = 20; }' ;;
	esac
}

ksd_conf()
{
	cat <<-EOF
	ksd: { address = "10.99.0.1"; port = 500; control = "$CHARON_DIR/ksd.sock"; accept_doi1 = true; };
	isakmp = ( $(isakmp_of "$1") );
	psk = ( { peer = "${2:-10.99.0.2}"; key = "secret of two"; } );
	keys = ( { label = "REKEY"; file = "rekey.pem"; } );
	acls = ( { name = "LANS"; lines = (
		{ action = "permit"; protocol = "ip"; source = "10.1.0.0/16"; destination = "10.1.0.0/16"; }
	); } );
	groups = ( { name = "G1"; identity = 1;
		rekey: { signing_key = "REKEY"; };
		authorization = [ "10.99.0.2/32" ];
		sa = ( { number = 10; transform = "esp-gcm 128"; acl = "LANS"; } );
	} );
	EOF
}

gmd_conf()
{
	cat <<-EOF
	gmd: { address = "10.99.0.1"; port = 500; control = "$CHARON_DIR/gmd.sock"; espd = "$CHARON_DIR/espd.sock"; };
	isakmp = ( $(isakmp_of "$1") );
	psk = ( { peer = "10.99.0.2"; key = "secret of two"; } );
	groups = ( { name = "G1"; identity = 1; servers = [ "10.99.0.2" ]; send_doi1 = true; } );
	EOF
}

# charon starts, ksd answers. The quick mode that follows is no business of a key server.
asks_ksd()
{
	local suite=$1

	ksd_conf "$suite" >"$CHARON_DIR/ksd.conf"
	charon_start && charon_peer 'secret of two' "$suite" || exit 1
	ours_start "$build/ks/ksd" -n -f "$CHARON_DIR/ksd.conf"
	check "$suite: ksd is ready" ours_says '%SYS-5-RESTART'
	charon_initiate
	check "$suite: charon asks ksd: it says established" charon_established 10
	check "$suite: charon asks ksd: ksd says established" ours_says '%CRYPTO-6-IKMP_SA_ESTABLISHED.*10\.99\.0\.2'
	ours_stop
	charon_stop
}

# gmd starts, charon answers. It will know nothing of GROUPKEY-PULL.
answers_gmd()
{
	local suite=$1

	gmd_conf "$suite" >"$CHARON_DIR/gmd.conf"
	charon_start && charon_peer 'secret of two' "$suite" || exit 1
	ours_start "$build/gm/gmd" -n -f "$CHARON_DIR/gmd.conf"
	check "$suite: charon answers gmd: it says established" charon_established 20
	check "$suite: charon answers gmd: gmd says established" ours_says '%CRYPTO-6-IKMP_SA_ESTABLISHED.*10\.99\.0\.2'
	ours_stop
	charon_stop
}

# Both ask whether the other is there (RFC 3706), both are answered.
dead_peer_detection()
{
	ksd_conf aes128-sha256-modp2048 >"$CHARON_DIR/ksd.conf"
	echo 'dpd: { interval_s = 10; mode = "periodic"; };' >>"$CHARON_DIR/ksd.conf"
	charon_start && CHARON_CONNECTION='dpd_delay = 14s' \
		charon_peer 'secret of two' aes128-sha256-modp2048 || exit 1
	ours_start "$build/ks/ksd" -n -f "$CHARON_DIR/ksd.conf"
	check "dpd: ksd is ready" ours_says '%SYS-5-RESTART'
	charon_initiate
	check "dpd: charon asks ksd for an SA: it says established" charon_established 10
	check "dpd: ksd asks charon, which answers" charon_wait 14 'generating INFORMATIONAL_V1 .*N\(DPD_ACK\)'
	kill -STOP "$CHARON_OURS_PID" # silent for a while: now charon asks
	check "dpd: charon asks ksd" charon_wait 20 'generating INFORMATIONAL_V1 .*N\(DPD\)'
	kill -CONT "$CHARON_OURS_PID"
	check "dpd: ksd answers charon" charon_wait 10 'parsed INFORMATIONAL_V1 .*N\(DPD_ACK\)'
	check "dpd: ksd counted what it asked, heard, answered" \
		bash -c "'$build/cli/gvsh' -s '$CHARON_DIR/ksd.sock' -j -c 'show crypto gdoi ks counters' |
			jq -e '.dpd | .[\"dpd-answers-heard\"] >= 1 and .[\"dpd-answered\"] >= 1 and .[\"dpd-peers-dead\"] == 0'"
	ours_stop
	charon_stop
}

counters_hold() # JQ_EXPRESSION
{
	"$build/cli/gvsh" -s "$CHARON_DIR/ksd.sock" -j -c 'show crypto gdoi ks counters' | jq -e "$1" >/dev/null
}

keepalives_come()
{
	local i

	for ((i = 0; i < 50; i++)); do
		counters_hold '.nat_keepalives >= 2' && return 0
		sleep 0.1
	done
	return 1
}

# A NAT between the two, before either of them (RFC 3947).
nat_before_charon()
{
	charon_nat "$CHARON_THEM" 10.99.0.2
	ksd_conf aes128-sha256-modp2048 10.99.0.3 >"$CHARON_DIR/ksd.conf"
	charon_start && charon_peer 'secret of two' aes128-sha256-modp2048 || exit 1
	ours_start "$build/ks/ksd" -n -f "$CHARON_DIR/ksd.conf"
	check "nat: ksd is ready" ours_says '%SYS-5-RESTART'
	charon_initiate
	check "nat: charon sees that it is behind one" charon_wait 10 'local host is behind NAT'
	check "nat: charon asks ksd from port 4500: it says established" charon_established 10
	check "nat: ksd says established, with the port of the NAT" \
		ours_says '%CRYPTO-6-IKMP_SA_ESTABLISHED.*10\.99\.0\.3:2[0-9]{4}'
	check "nat: charon's keepalives are heard" keepalives_come
	ours_stop
	charon_stop
	charon_nat_end "$CHARON_THEM"
}

# The member without a fixed address: aggressive mode, known by its name, behind a NAT.
nat_before_aggressive_charon()
{
	charon_nat "$CHARON_THEM" 10.99.0.2
	ksd_conf aes128-sha256-modp2048 10.99.0.3 |
		sed 's/peer = "10.99.0.3";/id = "gm7.example.net";/' >"$CHARON_DIR/ksd.conf"
	charon_start && CHARON_CONNECTION='aggressive = yes' CHARON_ID=gm7.example.net \
		charon_peer 'secret of two' aes128-sha256-modp2048 || exit 1
	ours_start "$build/ks/ksd" -n -f "$CHARON_DIR/ksd.conf"
	check "nat, aggressive: ksd is ready" ours_says '%SYS-5-RESTART'
	charon_initiate
	check "nat, aggressive: charon sees that it is behind one" charon_wait 10 'local host is behind NAT'
	check "nat, aggressive: it says established" charon_established 10
	check "nat, aggressive: ksd says established, with name and port of the NAT" ours_says \
		'%CRYPTO-6-IKMP_SA_ESTABLISHED.*identity=gm7.example.net.*10\.99\.0\.3:2[0-9]{4}'
	ours_stop
	charon_stop
	charon_nat_end "$CHARON_THEM"
}

nat_before_gmd()
{
	charon_nat "$CHARON_US" 10.99.0.1
	gmd_conf aes256-sha384-ecp384 >"$CHARON_DIR/gmd.conf"
	charon_start && CHARON_REMOTE=10.99.0.3 charon_peer 'secret of two' aes256-sha384-ecp384 ||
		exit 1
	ours_start "$build/gm/gmd" -n -f "$CHARON_DIR/gmd.conf"
	check "nat: charon sees gmd behind one" charon_wait 20 'remote host is behind NAT'
	check "nat: charon answers gmd: it says established" charon_established 10
	check "nat: gmd says established, on the NAT port" \
		ours_says '%CRYPTO-6-IKMP_SA_ESTABLISHED.*10\.99\.0\.2:4500'
	ours_stop
	charon_stop
	charon_nat_end "$CHARON_US"
}

# Aggressive mode: charon asks by its address and by a name, and is asked.
aggressive_mode()
{
	local suite=$1 id
	local how='aggressive = yes'

	for id in 10.99.0.2 gm7.example.net; do
		ksd_conf "$suite" >"$CHARON_DIR/ksd.conf"
		case $id in
		10.99.0.2) sed -i 's/key = "secret of two";/& aggressive = true;/' "$CHARON_DIR/ksd.conf" ;;
		*) sed -i "s/peer = \"10.99.0.2\";/id = \"$id\";/" "$CHARON_DIR/ksd.conf" ;;
		esac
		charon_start && CHARON_CONNECTION=$how CHARON_ID=$id charon_peer 'secret of two' "$suite" || exit 1
		ours_start "$build/ks/ksd" -n -f "$CHARON_DIR/ksd.conf"
		check "aggressive, $suite, $id: ksd is ready" ours_says '%SYS-5-RESTART'
		charon_initiate
		check "aggressive, $suite, $id: charon asks ksd: it says established" charon_established 10
		check "aggressive, $suite, $id: ksd says established" \
			ours_says "%CRYPTO-6-IKMP_SA_ESTABLISHED.*identity=$id"
		check "it was aggressive mode" charon_wait 1 'initiating Aggressive Mode IKE_SA'
		ours_stop
		charon_stop
	done
	gmd_conf "$suite" >"$CHARON_DIR/gmd.conf"
	sed -i 's/key = "secret of two";/& aggressive = true;/' "$CHARON_DIR/gmd.conf"
	charon_start && CHARON_CONNECTION=$how charon_peer 'secret of two' "$suite" || exit 1
	ours_start "$build/gm/gmd" -n -f "$CHARON_DIR/gmd.conf"
	check "aggressive, $suite: charon answers gmd: it says established" charon_established 20
	check "aggressive, $suite: gmd says established" ours_says '%CRYPTO-6-IKMP_SA_ESTABLISHED.*10\.99\.0\.2'
	check "it was aggressive mode" charon_wait 1 'is initiating a Aggressive Mode IKE_SA'
	ours_stop
	charon_stop
}

charon_lab_up
openssl genrsa -out "$CHARON_DIR/rekey.pem" 2048 2>/dev/null || exit 1
for suite in aes128-sha256-modp2048 aes256-sha384-ecp384; do
	asks_ksd "$suite"
	answers_gmd "$suite"
done
for suite in aes128-sha256-modp2048 aes256-sha384-ecp384; do aggressive_mode "$suite"; done
dead_peer_detection
nat_before_charon
nat_before_aggressive_charon
nat_before_gmd
echo "$CHARON_PASSED checks of ksd and gmd against $(charon_version)"
