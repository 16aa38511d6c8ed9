#!/bin/bash
# The lab itself, with plain routers: it carries packets unharmed, and leaves nothing behind.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"

lab_up 3routers
check "hosts reach each other" lab_in h1 ping -q -c 2 -i 0.1 -W 2 10.3.0.10

check "a capture starts" lab_capture_start core gm1 "$LAB_DIR/core.pcap" udp
check "flows start" lab_flow_start 3000
sleep 1 # traffic for a while
lab_flow_stop >"$LAB_DIR/flow.json"
lab_capture_stop core gm1
check "no packet was lost, doubled or reordered" \
	jq -e '.sent > 2000 and .lost == 0 and .dup == 0 and .reordered == 0' "$LAB_DIR/flow.json"
packets=$(tcpdump -r "$LAB_DIR/core.pcap" 2>/dev/null | wc -l)
check "the capture saw them ($packets packets)" [ "$packets" -gt 1000 ]

check "a second lab of that name is refused" bash -c "! $lab_top/lab/up 3routers 2>/dev/null"
check "the first one still stands" lab_in h1 ping -q -c 1 -W 2 10.2.0.10

lab_spawn h2 stray sleep 1000
stray=$(lab_pid h2 stray)
lab_down
check "lab/down leaves no process" [ ! -e "/proc/$stray" ]
check "no namespace" bash -c "! ip netns list | grep -q '^cl-$LAB-'"
check "no folder" [ ! -e "$LAB_DIR" ]

sed 's/^node h3 .*/node h3 spaceship/' "$lab_top/lab/topo/3routers" >"/tmp/$LAB.topo"
message=$("$lab_top/lab/up" "/tmp/$LAB.topo" 2>&1)
check "a wrong topology is refused at its line: $message" grep -Eq ':[0-9]+: node: cannot read' <<<"$message"
sed 's/10.1.0.1\/24/10.1.0.1\/64/' "$lab_top/lab/topo/3routers" >"/tmp/$LAB.topo"
message=$("$lab_top/lab/up" "/tmp/$LAB.topo" 2>&1)
rm -f "/tmp/$LAB.topo"
check "a step that fails is named" grep -q 'FAILED: addresses and routes' <<<"$message"
check "and what it left is cleaned up" bash -c "! ip netns list | grep -q '^cl-$LAB-'"

check "it works nested in another namespace" unshare --net --mount --pid --fork --mount-proc \
	env LAB="$LAB-nested" bash -c ". $lab_top/lab/lib.sh; lab_up 3routers &&
		lab_in h1 ping -q -c 1 -W 2 10.2.0.10 >/dev/null; s=\$?; lab_down; exit \$s"
echo "3 routers, 0 packets lost, nothing left behind"
