#!/bin/bash
# tests/lab/cmp_test.sh BUILDDIR - certificates as operators get them: ksd and gmd enroll by CMP,
# register with what they got, renew while registered; files go in and out. The CMP servers are
# openssl cmp -port, the CA openssl ca, the CRL comes from python's HTTP server.
#
#	namespace ..-a                          namespace ..-b
#	ksd          10.98.0.1 --------------- 10.98.0.2  gmd
#	http :8080 (CA, CRL), cmp :8829, :8830 in both, each for its own daemon
#
# Exit status 77: skipped (not root, or a tool is missing).
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-${BUILD:-$here/../../build}}
# shellcheck source-path=SCRIPTDIR source=pki_make.sh
. "$here/pki_make.sh"

[ "$(id -u)" = 0 ] || { echo "skipped: not root"; exit 77; }
if ! pki_have || ! command -v jq >/dev/null; then
	echo "skipped: needs openssl, python3 and jq"
	exit 77
fi
openssl cmp -help 2>&1 | grep -q -- -port || { echo "skipped: openssl has no cmp -port"; exit 77; }
for p in ks/ksd gm/gmd cli/gvsh; do
	[ -x "$build/$p" ] || { echo "skipped: no $build/$p"; exit 77; }
done

tag=cnv-cmp$$
a=$tag-a b=$tag-b
dir=$(mktemp -d)
pki=$dir/pki
passed=0 failed=0 ksd_pid='' gmd_pid='' cmp_pid='' bad_pid=''

end() { # PID
	[ -z "$1" ] || { kill "$1" 2>/dev/null; wait "$1" 2>/dev/null; }
}

cleanup() {
	end "$ksd_pid"
	end "$gmd_pid"
	end "$cmp_pid"
	end "$bad_pid"
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
		tail -n 8 "$dir"/{ksd,gmd,cmp}.log 2>/dev/null | sed 's/^/     /'
		failed=$((failed + 1))
	fi
}

said() { # DAEMON REGEX SECONDS
	local i
	for ((i = 0; i < $3 * 10; i++)); do
		grep -qE "$2" "$dir/$1.log" && return 0
		sleep 0.1
	done
	return 1
}

gvsh() { # ksd|gmd COMMAND
	"$build/cli/gvsh" -s "$dir/$1.sock" -c "$2" >"$dir/said" 2>&1
}
says() { # ksd|gmd COMMAND REGEX
	gvsh "$1" "$2"
	grep -qE "$3" "$dir/said" || { sed 's/^/     /' "$dir/said"; return 1; }
}
json() { # ksd|gmd COMMAND FILTER
	"$build/cli/gvsh" -s "$dir/$1.sock" -j -c "$2" | jq -e "$3" >/dev/null
}

# ---- the network, the CA ----

stamp() { date -u -d "@$1" +%Y%m%d%H%M%SZ; }

# A certificate by mid for the key in KEYFILE, named NAME, good for SECONDS from a minute ago on.
issue() { # KEYFILE NAME ADDRESS SECONDS
	local now
	now=$(date +%s)
	printf '%s\n' '[ext]' "subjectAltName=DNS:$2.example.net,IP:$3" 'keyUsage=critical,digitalSignature' \
		'crlDistributionPoints=URI:http://10.98.0.1:8080/mid.crl' >"$pki/$2.ext"
	openssl req -new -config "$pki/db-mid/ca.cnf" -key "$1" -subj "/O=Example/CN=$2" -out "$pki/$2.csr" 2>/dev/null &&
		openssl ca -batch -notext -config "$pki/db-mid/ca.cnf" -extfile "$pki/$2.ext" -extensions ext \
			-startdate "$(stamp $((now - 60)))" -enddate "$(stamp $((now - 60 + $4)))" \
			-in "$pki/$2.csr" -out "$pki/$2.pem" 2>/dev/null
}

# More words for it, like how often it has to be asked before it decides.
cmp_more=()

# Serves one certificate to who proves itself by the secret, or by a certificate of ours: then the
# answers are signed too.
cmp_serve() { # NS CERTIFICATE [SECRET|-]
	local prove=(-srv_ref cmp-server -srv_secret "pass:${3:-insta}")
	[ "${3:-}" != - ] || prove=(-srv_cert "$pki/cmp.pem" -srv_key "$pki/cmp.key" -srv_trusted "$pki/root.pem" -srv_untrusted "$pki/mid.pem")
	end "$cmp_pid"
	: >"$dir/cmp.log"
	ip netns exec "$1" openssl cmp -port 8829 "${prove[@]}" "${cmp_more[@]}" -rsp_cert "$2" -rsp_extracerts "$pki/mid.pem" >"$dir/cmp.log" 2>&1 &
	cmp_pid=$!
	said cmp 'ACCEPT' 5
}

# ---- daemons ----

enrollment() { # NAME ADDRESS WORDS
	echo "enrollment = { url = \"http://127.0.0.1:8829/pkix/\"; file = \"$dir/$1-own.pem\"; subject = \"CN=$1, O=Example\";
	  names = [ \"$1.example.net\", \"$2\" ]; reference = \"$1\"; secret = \"insta\"; $3 };"
}

ksd_conf() { # WORDS_OF_ENROLLMENT
	cat >"$dir/ksd.conf" <<-END
	ksd: { address = "10.98.0.1"; control = "$dir/ksd.sock"; };
	trustpoints = ( { name = "CORP"; ca = "ca.pem"; chain = "pki/mid.pem"; revocation = [ "crl" ]; crl = "pki/root.crl"; $(enrollment ks1 10.98.0.1 "$1") } );
	isakmp = ( { encryption = "aes"; key_bits = 256; hash = "sha256"; group = 19; authentication = "ecdsa-sig"; } );
	keys = ( { label = "REKEY"; file = "rekey.pem"; } );
	acls = ( { name = "LANS"; lines = ( { action = "permit"; protocol = "ip"; source = "10.1.0.0/16"; destination = "10.2.0.0/16"; } ); } );
	groups = ( { name = "G1"; identity = 1234; rekey: { signing_key = "REKEY"; }; authorization = [ "*.example.net" ];
	             sa = ( { number = 10; transform = "esp-gcm 128"; acl = "LANS"; } ); } );
	END
}

gmd_conf() { # WORDS_OF_ENROLLMENT
	cat >"$dir/gmd.conf" <<-END
	gmd: { address = "10.98.0.2"; control = "$dir/gmd.sock"; espd = "$dir/espd.sock"; };
	trustpoints = ( { name = "CORP"; ca = "pki/root.pem"; chain = "pki/mid.pem"; revocation = [ "none" ]; $(enrollment gm1 10.98.0.2 "$1") } );
	isakmp = ( { encryption = "aes"; key_bits = 256; hash = "sha256"; group = 19; authentication = "ecdsa-sig"; } );
	groups = ( { name = "G1"; identity = 1234; servers = [ "10.98.0.1" ]; server_names = [ "ks1.example.net" ]; } );
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
	said gmd SYS-5-RESTART 10 || { cat "$dir/gmd.log"; exit 1; }
}

# They end when told to, and with nothing to complain about (a sanitizer build would).
stop() { # ksd|gmd
	local var=$1_pid
	kill "${!var}"
	wait "${!var}" || {
		echo "FAIL $1 ended with status $?"
		tail -n 30 "$dir/$1.log"
		failed=$((failed + 1))
	}
	printf -v "$var" ''
}

is_mode() { [ "$(stat -c %a "$1")" = "$2" ]; }

# ---- steps ----

# The CA's own certificate, by its fingerprint; the first certificate, by the secret.
first_of_ksd() {
	local print
	ksd_conf 'ca_url = "http://10.98.0.1:8080/root.pem"; key = "ec-256";'
	ksd_start
	check "ksd starts without CA and certificate, and says so" said ksd 'no CA yet: crypto pki authenticate CORP' 2
	check "enroll before the CA is known is refused" says ksd 'crypto pki enroll CORP' 'crypto pki authenticate first'
	print=$(openssl x509 -in "$pki/root.pem" -noout -fingerprint -sha256 | cut -d= -f2)
	check "authenticate shows the CA's fingerprint" says ksd 'crypto pki authenticate CORP' "Fingerprint SHA256: $print"
	check "and accepts nothing by that" test ! -e "$dir/ca.pem"
	check "another fingerprint is refused" says ksd "crypto pki authenticate CORP fingerprint ${print//[0-9]/A}" 'the fingerprint is another one'
	check "the right one is accepted" says ksd "crypto pki authenticate CORP fingerprint $print" 'CA certificate accepted'
	check "the CA's certificate is on disk" cmp -s "$dir/ca.pem" "$pki/root.pem"

	check "no server: the error says so" says ksd 'crypto pki enroll CORP' 'no answer from http://127.0.0.1:8829'
	check "the new key is on disk, for nobody else" is_mode "$dir/ks1-own.pem.new" 600
	issue "$dir/ks1-own.pem.new" ks1 10.98.0.1 86400
	cmp_serve "$a" "$pki/ks1.pem" || exit 1
	check "ksd enrolls (ir)" says ksd 'crypto pki enroll CORP' 'certificate [0-9A-F:]+ received'
	check "key and certificate in one file, for nobody else" is_mode "$dir/ks1-own.pem" 600
	check "the pending key is gone" test ! -e "$dir/ks1-own.pem.new"
	check "show has the certificate" json ksd 'show crypto pki certificates CORP' \
		'.certificates[0] | .kind == "own" and .subject == "CN=ks1,O=Example" and .crl_url == "http://10.98.0.1:8080/mid.crl"'
	check "and the intermediate, and the CA" json ksd 'show crypto pki certificates' '[.certificates[].kind] == ["own", "intermediate", "ca"]'
}

# Without being told to: auto_enroll. It is to be renewed soon.
first_of_gmd() {
	gmd_conf 'auto_enroll = 25;'
	gmd_start
	check "gmd asks by itself" said gmd 'PKI-6-CERTRENEWAUTO.*first certificate' 5
	check "and tries again later" said gmd 'PKI-4-CERTFAIL.*again in [0-9]+ s' 5
	issue "$dir/gm1-own.pem.new" gm1 10.98.0.2 300
	cp "$pki/gm1.pem" "$pki/gm1-first.pem"
	cmp_serve "$b" "$pki/gm1.pem" || exit 1
	check "the next attempt succeeds" said gmd 'PKI-6-CERTRET.*request=ir' 30
	check "gmd registers with it, without a restart" said gmd GDOI-5-GM_REGS_COMPL 90
	check "ksd knows it by its name" said ksd 'IKMP_SA_ESTABLISHED.*gm1.example.net' 2
}

# While registered: kur, by itself (the server of openssl answers a kur with the certificate that is
# renewed), then cr with a new key, on the operator's word.
renewal() {
	cp "$dir/gm1-own.pem" "$dir/gm1-old.pem"
	cmp_serve "$b" "$pki/gm1-first.pem" - || exit 1
	check "gmd renews by itself (kur)" said gmd 'PKI-6-CERTRET.*request=kur' 60
	check "a new key: the server has a certificate for the old one" says gmd 'crypto pki enroll CORP rekey' 'another key than ours'
	issue "$dir/gm1-own.pem.new" gm1 10.98.0.2 86400
	cmp_serve "$b" "$pki/gm1.pem" - || exit 1
	check "a new key and certificate (cr)" says gmd 'crypto pki enroll CORP rekey' 'certificate [0-9A-F:]+ received'
	check "the log says so" said gmd 'PKI-6-CERTRET.*request=cr' 1
	check "it did not register again for that" test "$(grep -c GM_REGS_COMPL "$dir/gmd.log")" = 1
	check "the member is still known" says ksd 'show crypto gdoi ks members' '10.98.0.2'
	openssl ca -batch -config "$pki/db-mid/ca.cnf" -revoke "$pki/gm1-first.pem" 2>/dev/null
	pki_crl "$pki" mid
	stop ksd # its CRL is as old as it may be; a new one is fetched
	ksd_start
	gvsh gmd 'clear crypto gdoi'
	check "the next phase 1 uses the new one, while the old one is revoked" bash -c \
		"for i in {1..300}; do [ \$(grep -c GM_REGS_COMPL '$dir/gmd.log') = 2 ] && exit; sleep 0.1; done; exit 1"
	check "ksd shows the CRL it asked" says ksd 'show crypto pki crls' 'CN=mid,O=Example'
}

received_by_cr() { # N: so often by now
	local i
	for ((i = 0; i < 200; i++)); do
		[ "$(grep -c 'PKI-6-CERTRET.*request=cr' "$dir/gmd.log")" != "$1" ] || return 0
		sleep 0.1
	done
	return 1
}

# A CA whose people look at every request: it says "later" for a while, and then gives, or the
# operator has enough of it.
waits() {
	end "$cmp_pid"
	cmp_pid=''
	gvsh gmd 'crypto pki enroll CORP rekey'
	issue "$dir/gm1-own.pem.new" gm1 10.98.0.2 86400
	cmp_more=(-poll_count 3 -check_after 1)
	cmp_serve "$b" "$pki/gm1.pem" - || exit 1
	check "the CA has not decided: the operator is told so at once" says gmd 'crypto pki enroll CORP rekey' 'has not decided yet'
	check "it is asked until it has" received_by_cr 2

	cmp_more=(-poll_count 1000 -check_after 1)
	cmp_serve "$b" "$pki/gm1.pem" - || exit 1
	check "a CA that does not decide" says gmd 'crypto pki enroll CORP rekey' 'has not decided yet'
	check "a second request has to wait" says gmd 'crypto pki enroll CORP' 'an enrolment is under way'
	check "the operator gives it up" says gmd 'no crypto pki enroll CORP' 'given up'
	check "and it ends" said gmd 'PKI-4-CERTFAIL.*request=cr.*interrupted' 15
	check "there is nothing left to give up" says gmd 'no crypto pki enroll CORP' 'no enrolment is under way'

	cmp_serve "$b" "$pki/gm1.pem" - || exit 1 # the mock mixes the next request up with the one given up
	check "again a request that waits" says gmd 'crypto pki enroll CORP rekey' 'has not decided yet'
	issue "$dir/gm1-own.pem.new" gm1 10.98.0.2 86400
	kill -9 "$gmd_pid"
	wait "$gmd_pid" 2>/dev/null
	cmp_more=()
	cmp_serve "$b" "$pki/gm1.pem" - || exit 1
	gmd_start
	check "after kill -9 it goes on with the key it had asked for" says gmd 'crypto pki enroll CORP rekey' 'certificate [0-9A-F:]+ received'
	check "the pending key is gone" test ! -e "$dir/gm1-own.pem.new"
}

old_is_refused() {
	stop gmd
	cp "$dir/gm1-own.pem" "$dir/gm1-new.pem"
	cp "$dir/gm1-old.pem" "$dir/gm1-own.pem"
	gmd_conf ''
	gmd_start
	check "the old certificate is refused by name" said ksd 'IKMP_AUTH_FAIL.*certificate-revoked' 10
	check "gmd hears of it" said gmd 'bad-certificate' 30
	stop gmd
	cp "$dir/gm1-new.pem" "$dir/gm1-own.pem"
}

# What servers answer that are broken, lie, or are somebody else.
cat >"$dir/bad.py" <<'END'
import http.server, sys
kind = sys.argv[1]
class H(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = {"garbage": b"\x30\x82\xff\xff" + b"A" * 1000, "huge": b"\x30" * (8 << 20), "404": b"no", "empty": b""}[kind]
        self.send_response(404 if kind == "404" else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass
    def log_message(self, *a): pass
http.server.HTTPServer(("127.0.0.1", 8829), H).serve_forever()
END

hostile() {
	local kind
	end "$cmp_pid"
	cmp_pid=''
	gmd_conf ''
	gmd_start
	said gmd GM_REGS_COMPL 20
	for kind in 'garbage:is no CMP message' 'huge:no answer|status' '404:HTTP status 404' 'empty:HTTP status 200|no answer'; do
		ip netns exec "$b" python3 "$dir/bad.py" "${kind%%:*}" &
		bad_pid=$!
		pki_listens "$b" 8829
		check "a server that answers ${kind%%:*}" says gmd 'crypto pki enroll CORP' "${kind#*:}"
		end "$bad_pid"
		bad_pid=''
	done
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$dir/other.key" 2>/dev/null
	issue "$dir/other.key" gm1 10.98.0.2 86400
	cmp_serve "$b" "$pki/gm1.pem" -
	check "a certificate for another key is refused" says gmd 'crypto pki enroll CORP rekey' 'another key'
	# another CA's certificate for the right key
	openssl req -x509 -key "$dir/gm1-own.pem.new" -subj /O=Example/CN=gm1 -days 2 -addext subjectAltName=DNS:gm1.example.net -out "$pki/self.pem" 2>/dev/null
	cmp_serve "$b" "$pki/self.pem" -
	check "a certificate of another CA is refused" says gmd 'crypto pki enroll CORP rekey' 'of no use: issuer-unknown'
	mv "$dir/gm1-own.pem" "$dir/aside.pem"
	stop gmd
	gmd_start
	cmp_serve "$b" "$pki/gm1.pem" another-secret
	check "a server with another secret is not believed" bash -c \
		"'$build/cli/gvsh' -s '$dir/gmd.sock' -c 'crypto pki enroll CORP' >'$dir/said' 2>&1; grep -q 'protected by another secret' '$dir/said'"
	check "gmd is alive, and has no certificate" json gmd 'show crypto pki trustpoints status' '.trustpoints[0].certificate == false'
	stop gmd
	mv "$dir/aside.pem" "$dir/gm1-own.pem"
	rm -f "$dir/gm1-own.pem.new"
}

# Out to files of the operator and in again; gvsh carries them.
files() {
	local pass=correct-horse
	gmd_conf 'exportable = true;'
	gmd_start
	gvsh gmd "crypto pki export CORP pkcs12 $dir/out.p12 password $pass"
	check "export to PKCS#12: openssl reads the key" bash -c \
		"openssl pkcs12 -in '$dir/out.p12' -passin pass:$pass -nocerts -nodes 2>/dev/null | openssl pkey -pubout 2>/dev/null | cmp -s - <(openssl pkey -in '$dir/gm1-own.pem' -pubout)"
	check "and certificate and intermediate" bash -c \
		"[ \$(openssl pkcs12 -in '$dir/out.p12' -passin pass:$pass -nokeys 2>/dev/null | grep -c BEGIN) = 2 ]"
	check "the file is the operator's alone" is_mode "$dir/out.p12" 600
	check "no file is overwritten" says gmd "crypto pki export CORP pkcs12 $dir/out.p12 password $pass" 'File exists'
	gvsh gmd "crypto pki export CORP pem $dir/out.pem password $pass"
	check "export to PEM: openssl reads the key" openssl pkey -in "$dir/out.pem" -passin "pass:$pass" -noout
	check "a short password is refused" says gmd "crypto pki export CORP pem $dir/no.pem password short" '8 characters'
	stop gmd
	gmd_conf ''
	mv "$dir/gm1-own.pem" "$dir/aside.pem"
	gmd_start
	check "without exportable nothing leaves" says gmd "crypto pki export CORP pem $dir/no.pem password $pass" 'exportable is not set'
	check "a wrong password is told" says gmd "crypto pki import CORP pkcs12 $dir/out.p12 password other" 'wants another password'
	check "garbage is told" says gmd "crypto pki import CORP pkcs12 $dir/gmd.conf password other" 'does not decode'
	check "a missing file is told" says gmd "crypto pki import CORP pem $dir/none.pem" 'No such file'
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$dir/self.key" -subj /CN=gm1 -days 2 \
		-addext subjectAltName=DNS:gm1.example.net -out "$dir/self.pem" 2>/dev/null
	cat "$dir/self.key" >>"$dir/self.pem"
	check "another CA's certificate is refused" says gmd "crypto pki import CORP pem $dir/self.pem" 'issuer-unknown'
	openssl pkcs12 -export -inkey "$dir/aside.pem" -in "$pki/gm1.pem" -certfile "$pki/mid.pem" -passout pass:$pass -out "$dir/in.p12"
	check "a PKCS#12 file of openssl is taken" says gmd "crypto pki import CORP pkcs12 $dir/in.p12 password $pass" 'in use from the next phase 1'
	check "gmd registers with it" said gmd GDOI-5-GM_REGS_COMPL 60
	check "the key is for nobody else" is_mode "$dir/gm1-own.pem" 600
	check "no log has the password" bash -c "! grep -q $pass '$dir/gmd.log'"
	gvsh gmd "crypto pki import CORP pem $dir/out.pem password $pass"
	check "what was exported is taken again" grep -q 'in use' "$dir/said"
	stop gmd
}

pki_boxes "$a" "$b"
mkdir -p "$pki"
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$dir/rekey.pem" 2>/dev/null
if ! { pki_ca "$pki" && pki_crl "$pki" root && pki_crl "$pki" mid; }; then
	echo "no CA: openssl failed"
	exit 1
fi
pki_issue "$pki" mid cmp P-256 keyUsage=critical,digitalSignature || exit 1
pki_serve "$pki" 8080 "$a"
first_of_ksd
first_of_gmd
renewal
waits
old_is_refused
files
hostile
stop ksd
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
