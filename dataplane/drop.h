// dataplane/drop.h - every reason for which espd drops a packet, and every path it counts.
// One row: symbol, name that operators see (at most 31 characters), what it means.
// Always: a packet that goes nowhere else is counted under exactly one of these.
#pragma once

#define DROPS(X)                                                                                   \
	X(RX_SEGMENTED, "rx_segmented", "longer than one buffer")                                  \
	X(L2_SHORT, "l2_short", "shorter than an Ethernet header")                                 \
	X(L2_OTHER_HOST, "l2_other_host", "Ethernet destination is not ours")                      \
	X(L2_GROUP, "l2_group", "unicast in a link-layer broadcast, RFC 1812 5.3.4")               \
	X(L2_VLAN, "l2_vlan", "VLAN tag")                                                          \
	X(L2_UNKNOWN, "l2_unknown", "EtherType that is neither forwarded nor for the kernel")      \
	X(IP6_UNSUPPORTED, "ip6_unsupported", "IPv6 other than link-local control")                \
	X(IP4_SHORT, "ip4_short", "IPv4 packet shorter than it says")                              \
	X(IP4_HEADER, "ip4_header", "not a well-formed IPv4 header")                               \
	X(IP4_CHECKSUM, "ip4_checksum", "IPv4 header checksum is wrong")                           \
	X(IP4_MARTIAN, "ip4_martian", "source address that cannot be one")                         \
	X(IP4_TTL, "ip4_ttl_exceeded", "time to live is used up")                                  \
	X(IP4_TOO_BIG, "ip4_too_big", "longer than the MTU allows and must not be fragmented")     \
	X(IP4_FRAGMENT, "ip4_fragment_failed", "could not be fragmented")                          \
	X(FWD_NO_ROUTE, "fwd_no_route", "no route")                                                \
	X(FWD_OTHER_DEV, "fwd_unusable_route", "route is blackhole or leaves through no port")     \
	X(NEIGH_WAIT_FULL, "neigh_wait_full", "too many packets wait for this neighbour")          \
	X(NEIGH_UNRESOLVED, "neigh_unresolved", "neighbour did not answer")                        \
	X(POLICY_DROP, "policy_drop", "rule says drop")                                            \
	X(FAIL_CLOSED, "policy_fail_closed", "the group has no policy yet and fails closed")       \
	X(OUT_NO_SA, "esp_out_no_sa", "must be protected, but there is no SA to send under")       \
	X(OUT_EXPIRED, "esp_out_sa_expired", "SA to send under is past its life")                  \
	X(OUT_IV_GONE, "esp_out_iv_exhausted", "IV space of this sender id is used up")            \
	X(OUT_NO_ROOM, "esp_out_no_room", "no room in the buffer for ESP")                         \
	X(IN_CLEAR, "esp_in_cleartext", "cleartext of a flow that must arrive protected")          \
	X(IN_UNKNOWN_SPI, "esp_in_unknown_spi", "protected flow under an SPI we lack")             \
	X(IN_FRAGMENT, "esp_in_fragment", "fragment of an ESP packet")                             \
	X(IN_LENGTH, "esp_in_length", "ESP packet of a length the suite cannot have")              \
	X(IN_EXPIRED, "esp_in_sa_expired", "SA is past its life")                                  \
	X(IN_AUTH, "esp_in_auth_fail", "integrity check failed")                                   \
	X(IN_REPLAY, "esp_in_replay", "its sender's window has seen it")                           \
	X(IN_REPLAY_OLD, "esp_in_replay_old", "older than its sender's window")                    \
	X(IN_PADDING, "esp_in_padding", "padding is not as RFC 4303 2.4 wants it")                 \
	X(IN_NEXT, "esp_in_next_header", "payload is not IPv4")                                    \
	X(IN_INNER, "esp_in_inner_header", "inner packet is not well-formed IPv4")                 \
	X(IN_ADDRESS, "esp_in_address_differs", "inner and outer addresses differ")                \
	X(IN_ECN, "esp_in_ecn", "congestion mark on a flow that knows none, RFC 6040")             \
	X(IN_POLICY, "esp_in_policy", "flow may not arrive under this SA")                         \
	X(ICMP_LEAK, "icmp_would_leak", "ICMP error would carry protected octets in clear")        \
	X(PUNT_FULL, "punt_full", "kernel does not take its packets fast enough")                  \
	X(PUNT_WRITE, "punt_write", "kernel refused a packet")                                     \
	X(TAP_FULL, "tap_full", "worker does not take the kernel's packets fast enough")           \
	X(TAP_ETHERTYPE, "tap_ethertype", "kernel sent what may not leave a protected port")       \
	X(TX_FULL, "tx_full", "port does not take packets fast enough")                            \
	X(NO_BUFFER, "no_buffer", "out of packet buffers")

#define PATHS(X)                                                                                   \
	X(RX, "rx_packets", "received on ports")                                                   \
	X(TX, "tx_packets", "handed to ports")                                                     \
	X(PUNTED, "punt_packets", "handed to the kernel")                                          \
	X(FROM_KERNEL, "kernel_packets", "sent by the kernel")                                     \
	X(OUT_PROTECTED, "out_protected", "sent under an SA")                                      \
	X(OUT_CLEAR, "out_clear", "sent in clear through a protected port")                        \
	X(OUT_EXEMPT, "out_exempt", "of these, control traffic of this box")                       \
	X(OUT_CLEAR_OK, "out_clear_receive_only", "of these, flows of a receive-only group")       \
	X(IN_PROTECTED, "in_protected", "opened and accepted")                                     \
	X(IN_UNCHECKED, "in_replay_unchecked", "of these, no room for their senders' windows")     \
	X(IN_CLEAR_OK, "in_clear", "accepted in clear on a protected port")                        \
	X(IN_CLEAR_MIGRATES, "in_clear_migration", "of these, flows that will be protected")       \
	X(OWN_CAUGHT, "own_caught", "traffic of this box that policy dropped or encrypted")        \
	X(FRAGMENTED, "ip4_fragmented", "packets cut into fragments")                              \
	X(ICMP_SENT, "icmp_sent", "ICMP errors made here")

enum drop_reason {
#define X(sym, name, help) DROP_##sym,
	DROPS(X)
#undef X
		DROP_COUNT
};

enum path_count {
#define X(sym, name, help) PATH_##sym,
	PATHS(X)
#undef X
		PATH_COUNT
};
