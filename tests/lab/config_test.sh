#!/bin/bash
# A wrong configuration file is refused before anything starts: file, line, word, what is right.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd

lab_up_network 1ks-3gm

# The daemon reads FILE changed by SED and must name its line and WORD.
refuses() { # NODE DAEMON SED LINE_PATTERN WORD
	local good=$LAB_DIR/$1/$2.conf bad=$LAB_DIR/$1/bad.conf line said
	sed "$3" "$good" >"$bad"
	cmp -s "$good" "$bad" && fail "$3 changes nothing in $good"
	line=$(grep -nE "$4" "$bad" | head -n 1 | cut -d: -f1)
	said=$(timeout 10 "$(lab_program "$2")" --check -n -f "$bad" 2>&1) &&
		fail "$2 takes a file changed by $3"
	grep -qE "$bad:$line: .*$5" <<<"$said" || fail "$2, $3: wants $bad:$line: $5; says: $said"
	ok "$2: $(grep -oE "bad.conf:$line: .*" <<<"$said" | head -n 1)"
}

for node in ks1:ksd gm1:gmd gm1:espd; do
	d=${node#*:}
	check "$d takes the good file" timeout 10 "$(lab_program "$d")" --check -n -f "$LAB_DIR/${node%:*}/$d.conf"
done
refuses ks1 ksd 's/port = 848;/prot = 848;/' 'prot' 'prot'
refuses ks1 ksd 's/port = 848;/port = 70000;/' '70000' 'port'
refuses ks1 ksd 's/sig_hash = "sha256"/sig_hash = "md5"/' 'md5' 'sig_hash'
refuses ks1 ksd 's/acl = "G1-LANS"/acl = "NONE"/' '"NONE"' 'NONE'
refuses ks1 ksd 's/file = "rekey.pem"/file = "none.pem"/' 'none.pem' 'none.pem'
refuses ks1 ksd 's/10.1.0.0\/24"; destination = "10.2/10.1.0.1\/24"; destination = "10.2/' '10.1.0.1/24' 'source'
refuses gm1 gmd 's/identity = 1234/identity = "x"/' 'identity = "x"' 'identity'
refuses gm1 gmd 's/servers = \[ "10.0.0.1" \]/servers = [ "10.0.0" ]/' '"10.0.0"' 'servers|10.0.0'
refuses gm1 gmd 's/hash = "sha256"/hash = "sha257"/' 'sha257' 'hash'
refuses gm1 espd 's/role = "clear"/role = "open"/' '"open"' 'role'
refuses gm1 espd 's/memory_mb = /memory_md = /' 'memory_md' 'memory_md'
echo "$(grep -c '^refuses' "$0") wrong files, each refused with its line and word"
