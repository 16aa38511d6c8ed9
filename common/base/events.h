// common/base/events.h - what an operator acts on, spelled as IOS spells it.
// One row: symbol, facility, severity, mnemonic, meaning (shown by docs, not logged).
// Logged as "%GDOI-5-GM_REGS_COMPL: text". Tests and alerting rules wait for the mnemonic.
#pragma once
#include "common/base/log.h"

#define EVENTS(X)                                                                                  \
	X(GM_REGSTER, "CRYPTO", 5, "GM_REGSTER", "member starts to register")                      \
	X(GM_REGS_COMPL, "GDOI", 5, "GM_REGS_COMPL", "member finished registration")               \
	X(GM_RE_REGISTER, "GDOI", 5, "GM_RE_REGISTER", "member registers again before expiry")     \
	X(GM_RECV_REKEY, "GDOI", 5, "GM_RECV_REKEY", "member accepted a rekey")                    \
	X(GM_INSTALL_POLICIES_SUCCESS, "GDOI", 5, "GM_INSTALL_POLICIES_SUCCESS",                   \
	  "member programmed its dataplane")                                                       \
	X(GM_DELETE, "GDOI", 4, "GM_DELETE", "member was told to delete its keys")                 \
	X(GM_REJECTED, "GDOI", 4, "GM_REJECTED", "member refused what its key server offered")     \
	X(GM_REGS_FAIL, "GDOI", 4, "GM_REGS_FAIL", "registration with one key server failed")      \
	X(GM_RECOVERY_REGISTRATION, "GDOI", 5, "GM_RECOVERY_REGISTRATION",                         \
	  "member registers again because its keys do not open what it hears")                     \
	X(NAT_DETECTED, "GDOI", 4, "NAT_DETECTED",                                                 \
	  "a NAT stands between member and key server: data traffic cannot pass it")               \
	X(GM_OWN_CAUGHT, "GDOI", 4, "GM_OWN_TRAFFIC_CAUGHT",                                       \
	  "policy dropped or encrypted what the box itself says; a deny line would free it")       \
	X(GM_OVERLAP, "GDOI", 4, "GM_GROUPS_OVERLAP",                                              \
	  "two groups of one port name the same traffic; the one listed first has it")             \
	X(GM_DIRECTION, "GDOI", 5, "GM_SA_DIRECTION", "what may travel in clear has changed")      \
	X(GM_DP_UP, "GDOI", 5, "GM_DATAPLANE_UP", "espd answered and was given all SAs")           \
	X(GM_DP_DOWN, "GDOI", 4, "GM_DATAPLANE_DOWN", "espd is gone; member waits for it")         \
	X(GDOI_REKEY_SEQ_FAILURE, "GDOI", 4, "GDOI_REKEY_SEQ_FAILURE",                             \
	  "a rekey was older than one already accepted")                                           \
	X(GDOI_REKEY_FAILURE, "GDOI", 4, "GDOI_REKEY_FAILURE", "a rekey could not be accepted")    \
	X(KS_GM_REGISTERED, "GDOI", 5, "KS_GM_REGISTERED", "key server registered a member")       \
	X(KS_GM_DELETED, "GDOI", 4, "KS_GM_DELETED", "member aged out or was removed")             \
	X(KS_SEND_UNICAST_REKEY, "GDOI", 5, "KS_SEND_UNICAST_REKEY", "rekey sent to each member")  \
	X(KS_SEND_MCAST_REKEY, "GDOI", 5, "KS_SEND_MCAST_REKEY", "rekey sent to a group address")  \
	X(KS_REKEY_ACK_MISSING, "GDOI", 4, "KS_REKEY_ACK_MISSING",                                 \
	  "members have not acknowledged a rekey after all retransmissions")                       \
	X(KS_NO_SIG_KEY, "GDOI", 3, "KS_NO_RSA_KEYS", "no key to sign rekeys with")                \
	X(KS_SID_EXHAUSTED, "GDOI", 4, "KS_SID_EXHAUSTED", "sender ids ran out; group renewed")    \
	X(KS_RESTORED, "GDOI", 5, "KS_RESTORED", "group goes on as it was before the restart")     \
	X(KS_NOT_RESTORED, "GDOI", 4, "KS_NOT_RESTORED", "what was kept of a group is of no use")  \
	X(KS_MINTED, "GDOI", 4, "KS_MINTED", "operator restored a backup: all keys are new")       \
	X(KS_STATE_FAILED, "GDOI", 2, "KS_STATE_FAILED",                                           \
	  "state cannot be written: no keys are released until it can")                            \
	X(KS_STATE_OK, "GDOI", 5, "KS_STATE_OK", "state is written again")                         \
	X(KS_STATE_NONE, "GDOI", 4, "KS_STATE_NONE", "no state is kept: a restart ends all keys")  \
	X(KS_CLOCK_BACK, "GDOI", 4, "KS_CLOCK_BACK", "the clock went back while ksd was down")     \
	X(COOP_KS_ADD, "GDOI", 5, "COOP_KS_ADD", "a key server was added to the set")              \
	X(COOP_KS_REMOVE, "GDOI", 5, "COOP_KS_REMOVE", "a key server was taken out of the set")    \
	X(COOP_KS_ELECTION, "GDOI", 5, "COOP_KS_ELECTION", "nobody leads: an election begins")     \
	X(COOP_KS_TRANS_TO_PRI, "GDOI", 5, "COOP_KS_TRANS_TO_PRI", "this key server leads now")    \
	X(COOP_KS_TRANS_TO_SEC, "GDOI", 5, "COOP_KS_TRANS_TO_SEC", "this key server follows now")  \
	X(COOP_KS_REACH, "GDOI", 5, "COOP_KS_REACH", "a peer key server is heard, and hears us")   \
	X(COOP_KS_UNREACH, "GDOI", 3, "COOP_KS_UNREACH",                                           \
	  "a peer key server is not heard any more")                                               \
	X(COOP_KS_UNAUTH, "GDOI", 3, "COOP_KS_UNAUTH", "a key server that is none of ours")        \
	X(COOP_CONFIG_MISMATCH, "GDOI", 3, "COOP_CONFIG_MISMATCH",                                 \
	  "configurations of key servers differ: the one that differs may not lead")               \
	X(COOP_ID_OVERLAP, "GDOI", 3, "COOP_ID_OVERLAP", "two key servers have the same id")       \
	X(COOP_VERSION_MISMATCH, "GDOI", 3, "COOP_VERSION_MISMATCH",                               \
	  "a peer key server speaks no version in common with us")                                 \
	X(COOP_TERM_REFUSED, "GDOI", 3, "COOP_TERM_REFUSED", "a peer names a term out of reach")   \
	X(COOP_OLD_STATE, "GDOI", 2, "COOP_OLD_STATE",                                             \
	  "peers know more of this key server than its own disk does")                             \
	X(COOP_NO_QUORUM, "GDOI", 3, "COOP_NO_QUORUM", "less than half of the set: no new keys")   \
	X(COOP_NO_SUCCESSOR, "GDOI", 4, "COOP_NO_SUCCESSOR", "nobody can take the role over")      \
	X(COOP_PEER_SLOW, "GDOI", 4, "COOP_PEER_SLOW", "a peer does not confirm what it is told")  \
	X(COOP_PACKET_DROPPED, "GDOI", 4, "COOP_PACKET_DROPPED", "a message of a peer is refused") \
	X(POLICY_CHANGE, "GDOI", 5, "POLICY_CHANGE", "policy differs; run crypto gdoi ks rekey")   \
	X(UNAUTHORIZED_IPADDR, "GDOI", 4, "UNAUTHORIZED_IPADDR", "address may not join the group") \
	X(UNAUTHORIZED_IDENTITY, "GDOI", 4, "UNAUTHORIZED_IDENTITY", "identity may not join")      \
	X(KS_GM_TOO_OFTEN, "GDOI", 4, "KS_GM_TOO_OFTEN",                                           \
	  "a member registers again and again; it is refused for a while")                         \
	X(UNKNOWN_GROUP, "GDOI", 4, "UNKNOWN_GROUP", "a member asked for a group we do not serve") \
	X(IKE_ESTABLISHED, "CRYPTO", 6, "IKMP_SA_ESTABLISHED", "phase 1 stands")                   \
	X(IKE_AUTH_FAIL, "CRYPTO", 4, "IKMP_AUTH_FAIL", "phase 1 peer could not prove itself")     \
	X(IKE_NO_PROPOSAL, "CRYPTO", 4, "IKMP_NO_PROPOSAL", "no phase 1 proposal in common")       \
	X(IKE_PEER_DEAD, "CRYPTO", 4, "IKMP_PEER_DEAD",                                            \
	  "peer does not answer dead peer detection")                                              \
	X(IKE_PEER_ALIVE, "CRYPTO", 5, "IKMP_PEER_ALIVE", "a dead peer answers again")             \
	X(IKE_BAD_MESSAGE, "CRYPTO", 4, "IKMP_BAD_MESSAGE", "datagram refused; see its reason")    \
	X(PKI_RENEW, "PKI", 6, "CERTRENEWAUTO", "a certificate is asked for by itself")            \
	X(PKI_RECEIVED, "PKI", 6, "CERTRET", "a certificate came and is in use")                   \
	X(PKI_FAILED, "PKI", 4, "CERTFAIL", "a certificate could not be had")                      \
	X(PKI_EXPIRES, "PKI", 4, "CERT_EXPIRES", "a certificate of ours ends, or has ended")       \
	X(PKI_CA, "PKI", 6, "CA_ACCEPTED", "a CA certificate was accepted")                        \
	X(KEYLOG_ON, "CRYPTO", 3, "KEYLOG_ON", "lab build writes keys to a file")                  \
	X(CONFIG_OK, "SYS", 5, "CONFIG_I", "configuration loaded")                                 \
	X(STARTED, "SYS", 5, "RESTART", "process is ready")                                        \
	X(STOPPED, "SYS", 5, "STOP", "process stops on request")

enum event_id {
#define X(sym, fac, sev, mnem, meaning) EV_##sym,
	EVENTS(X)
#undef X
		EV_COUNT
};

void event_log(enum event_id id, const struct logctx *c, const char *fmt, ...) PRINTF(3, 4);
const char *event_mnemonic(enum event_id id); // "%GDOI-5-GM_REGS_COMPL"
const char *event_meaning(enum event_id id);
