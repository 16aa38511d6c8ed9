# shellcheck shell=bash
# tests/lab/pki_make.sh - a certification authority of the test's own, by openssl; source it.
# Everything is made in the directory given and lives as long as the test.
#
#   pki_ca DIR                       root and an intermediate below it: DIR/{root,mid}.{pem,key}
#   pki_issue DIR CA NAME KEY EXT..  DIR/NAME.{pem,key}; KEY rsa:2048, rsa:4096 or a curve (P-256);
#                                    EXT lines of an extension section. CN is NAME, OU is branch.
#                                    DAYS=0 makes one that has expired
#   pki_revoke DIR CA NAME           in the CA's list from now on
#   pki_crl DIR CA                   DIR/CA.crl (DER)
#   pki_serve DIR PORT NS            serves DIR by HTTP in namespace NS; pid in PKI_HTTP_PID
#   pki_ocsp DIR CA PORT NS          answers OCSP for CA; pid in PKI_OCSP_PID
#   pki_boxes A B                    two namespaces with a link: 10.98.0.1 and 10.98.0.2 on p0

PKI_HTTP_PID='' PKI_OCSP_PID=''

pki_have() { command -v openssl >/dev/null && command -v python3 >/dev/null; }

pki_boxes() {
	local ns
	ip netns add "$1" && ip netns add "$2" || exit 1
	ip -n "$1" link add name p0 type veth peer name p0 netns "$2" || exit 1
	ip -n "$1" addr add 10.98.0.1/24 dev p0
	ip -n "$2" addr add 10.98.0.2/24 dev p0
	for ns in "$1" "$2"; do
		ip -n "$ns" link set lo up
		ip -n "$ns" link set p0 up
	done
}

# A file of database for each CA, as openssl ca wants it.
pki_db() {
	local dir=$1 ca=$2
	mkdir -p "$dir/db-$ca"
	: >"$dir/db-$ca/index.txt"
	echo 1000 >"$dir/db-$ca/serial"
	echo 01 >"$dir/db-$ca/crlnumber"
	cat >"$dir/db-$ca/ca.cnf" <<-CNF
	[ca]
	default_ca = d
	[d]
	database = $dir/db-$ca/index.txt
	serial = $dir/db-$ca/serial
	crlnumber = $dir/db-$ca/crlnumber
	new_certs_dir = $dir/db-$ca
	certificate = $dir/$ca.pem
	private_key = $dir/$ca.key
	default_md = sha256
	policy = any
	unique_subject = no
	[any]
	organizationName = optional
	organizationalUnitName = optional
	commonName = supplied
	[caext]
	basicConstraints = critical,CA:TRUE
	keyUsage = critical,keyCertSign,cRLSign
	[req]
	distinguished_name = dn
	[dn]
	CNF
}

pki_key() {
	local out=$1 kind=$2
	case $kind in
	rsa:*) openssl genpkey -quiet -algorithm RSA -pkeyopt "rsa_keygen_bits:${kind#rsa:}" -out "$out" ;;
	*) openssl genpkey -quiet -algorithm EC -pkeyopt "ec_paramgen_curve:$kind" -out "$out" ;;
	esac 2>/dev/null || openssl genpkey -algorithm "$([ "${kind#rsa:}" = "$kind" ] && echo EC || echo RSA)" \
		-pkeyopt "$([ "${kind#rsa:}" = "$kind" ] && echo "ec_paramgen_curve:$kind" || echo "rsa_keygen_bits:${kind#rsa:}")" \
		-out "$out" 2>/dev/null
}

pki_ca() {
	local dir=$1
	pki_db "$dir" root
	pki_db "$dir" mid
	pki_key "$dir/root.key" P-256
	openssl req -x509 -config "$dir/db-root/ca.cnf" -extensions caext -key "$dir/root.key" \
		-subj /O=Example/CN=root -days 30 -out "$dir/root.pem" 2>/dev/null || return 1
	pki_key "$dir/mid.key" P-256
	openssl req -new -config "$dir/db-mid/ca.cnf" -key "$dir/mid.key" -subj /O=Example/CN=mid \
		-out "$dir/mid.csr" 2>/dev/null
	openssl ca -batch -notext -config "$dir/db-root/ca.cnf" -extensions caext -days 30 \
		-in "$dir/mid.csr" -out "$dir/mid.pem" 2>/dev/null
}

pki_issue() {
	local dir=$1 ca=$2 name=$3 key=$4 dates=(-days 20)
	shift 4
	printf '[ext]\n' >"$dir/$name.ext"
	printf '%s\n' "$@" >>"$dir/$name.ext"
	[ "${DAYS:-20}" != 0 ] || dates=(-startdate 20200101000000Z -enddate 20200201000000Z)
	pki_key "$dir/$name.key" "$key" || return 1
	openssl req -new -config "$dir/db-$ca/ca.cnf" -key "$dir/$name.key" \
		-subj "/O=Example/OU=branch/CN=$name" -out "$dir/$name.csr" 2>/dev/null || return 1
	openssl ca -batch -notext -config "$dir/db-$ca/ca.cnf" -extfile "$dir/$name.ext" \
		-extensions ext "${dates[@]}" -in "$dir/$name.csr" -out "$dir/$name.pem" 2>/dev/null
}

pki_revoke() {
	openssl ca -batch -config "$1/db-$2/ca.cnf" -revoke "$1/$3.pem" 2>/dev/null
}

pki_crl() {
	openssl ca -batch -config "$1/db-$2/ca.cnf" -gencrl -crldays 5 -out "$1/$2.crl.pem" 2>/dev/null &&
		openssl crl -in "$1/$2.crl.pem" -outform der -out "$1/$2.crl"
}

pki_serve() {
	local dir=$1 port=$2 ns=$3
	ip netns exec "$ns" python3 -m http.server --directory "$dir" "$port" >"$dir/http.log" 2>&1 &
	PKI_HTTP_PID=$!
	pki_listens "$ns" "$port"
}

pki_ocsp() {
	local dir=$1 ca=$2 port=$3 ns=$4
	ip netns exec "$ns" openssl ocsp -index "$dir/db-$ca/index.txt" -rsigner "$dir/$ca.pem" \
		-rkey "$dir/$ca.key" -CA "$dir/$ca.pem" -port "$port" >"$dir/ocsp.log" 2>&1 &
	PKI_OCSP_PID=$!
	local i # a probe would be its first client, and it serves one at a time
	for ((i = 0; i < 50; i++)); do
		grep -q 'waiting for OCSP client' "$dir/ocsp.log" && return 0
		sleep 0.1
	done
	return 1
}

pki_stop() {
	local pid
	for pid in $PKI_HTTP_PID $PKI_OCSP_PID; do
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	PKI_HTTP_PID='' PKI_OCSP_PID=''
	return 0
}

# Both servers say nothing when they are ready.
pki_listens() { # NS PORT
	local i
	for ((i = 0; i < 50; i++)); do
		ip netns exec "$1" bash -c "exec 3<>/dev/tcp/127.0.0.1/$2" 2>/dev/null && return 0
		sleep 0.1
	done
	return 1
}
