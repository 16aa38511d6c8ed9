// common/wire/gdoi.h - every protocol number once, with the name people read.
// One list per registry; its enum, its name function and its membership test come from the same
// rows. A name function returns "unassigned" for what is not in its list, never NULL.
// Spec: RFC 2407, 2408, 2409 (ISAKMP, IPsec DOI, IKEv1), 3526, 5903, 4754, 4868 (groups and
//       algorithms), 3706 (DPD), 3947 (NAT traversal), 6407 (GDOI), 8052 (IEC 62351), 8263 (ACK),
//       IANA registries isakmp-registry, ipsec-registry, gdoi-payloads.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define GDOI_PORT      848
#define GDOI_NATT_PORT 4500 // RFC 3947: where both sides go when a NAT was seen

#define ISAKMP_VERSION 0x10 // major 1, minor 0

enum isakmp_flag {
	ISAKMP_FLAG_E = 0x01, // encryption
	ISAKMP_FLAG_C = 0x02, // commit
	ISAKMP_FLAG_A = 0x04, // authentication only
};

#define ISAKMP_DOIS(X)                                                                             \
	X(ISAKMP_DOI_ISAKMP, 0, "ISAKMP")                                                          \
	X(ISAKMP_DOI_IPSEC, 1, "IPsec")                                                            \
	X(ISAKMP_DOI_GDOI, 2, "GDOI")

enum {
	GDOI_SITUATION = 0,	     // RFC 6407 5.2
	IPSEC_SIT_IDENTITY_ONLY = 1, // RFC 2407 4.2.1
};

#define ISAKMP_EXCHANGES(X)                                                                        \
	X(ISAKMP_XCH_MAIN, 2, "main mode")                                                         \
	X(ISAKMP_XCH_AGGRESSIVE, 4, "aggressive mode")                                             \
	X(ISAKMP_XCH_INFO, 5, "informational")                                                     \
	X(GDOI_XCH_PULL, 32, "GROUPKEY-PULL")                                                      \
	X(GDOI_XCH_PUSH, 33, "GROUPKEY-PUSH")                                                      \
	X(GDOI_XCH_PUSH_ACK, 35, "GROUPKEY-PUSH-ACK")

#define ISAKMP_PAYLOADS(X)                                                                         \
	X(ISAKMP_PL_NONE, 0, "none")                                                               \
	X(ISAKMP_PL_SA, 1, "SA")                                                                   \
	X(ISAKMP_PL_PROPOSAL, 2, "P")                                                              \
	X(ISAKMP_PL_TRANSFORM, 3, "T")                                                             \
	X(ISAKMP_PL_KE, 4, "KE")                                                                   \
	X(ISAKMP_PL_ID, 5, "ID")                                                                   \
	X(ISAKMP_PL_CERT, 6, "CERT")                                                               \
	X(ISAKMP_PL_CERTREQ, 7, "CR")                                                              \
	X(ISAKMP_PL_HASH, 8, "HASH")                                                               \
	X(ISAKMP_PL_SIG, 9, "SIG")                                                                 \
	X(ISAKMP_PL_NONCE, 10, "NONCE")                                                            \
	X(ISAKMP_PL_NOTIFY, 11, "N")                                                               \
	X(ISAKMP_PL_DELETE, 12, "D")                                                               \
	X(ISAKMP_PL_VID, 13, "VID")                                                                \
	X(GDOI_PL_SAK, 15, "SAK")                                                                  \
	X(GDOI_PL_SAT, 16, "SAT")                                                                  \
	X(GDOI_PL_KD, 17, "KD")                                                                    \
	X(GDOI_PL_SEQ, 18, "SEQ")                                                                  \
	X(GDOI_PL_POP, 19, "POP")                                                                  \
	X(ISAKMP_PL_NAT_D, 20, "NAT-D")                                                            \
	X(ISAKMP_PL_NAT_OA, 21, "NAT-OA")                                                          \
	X(GDOI_PL_GAP, 22, "GAP")

// RFC 2408 3.14.1, RFC 2407 4.6.3, RFC 3706.
#define ISAKMP_NOTIFIES(X)                                                                         \
	X(ISAKMP_N_INVALID_PAYLOAD_TYPE, 1, "INVALID-PAYLOAD-TYPE")                                \
	X(ISAKMP_N_DOI_NOT_SUPPORTED, 2, "DOI-NOT-SUPPORTED")                                      \
	X(ISAKMP_N_SITUATION_NOT_SUPPORTED, 3, "SITUATION-NOT-SUPPORTED")                          \
	X(ISAKMP_N_INVALID_COOKIE, 4, "INVALID-COOKIE")                                            \
	X(ISAKMP_N_INVALID_MAJOR_VERSION, 5, "INVALID-MAJOR-VERSION")                              \
	X(ISAKMP_N_INVALID_MINOR_VERSION, 6, "INVALID-MINOR-VERSION")                              \
	X(ISAKMP_N_INVALID_EXCHANGE_TYPE, 7, "INVALID-EXCHANGE-TYPE")                              \
	X(ISAKMP_N_INVALID_FLAGS, 8, "INVALID-FLAGS")                                              \
	X(ISAKMP_N_INVALID_MESSAGE_ID, 9, "INVALID-MESSAGE-ID")                                    \
	X(ISAKMP_N_INVALID_PROTOCOL_ID, 10, "INVALID-PROTOCOL-ID")                                 \
	X(ISAKMP_N_INVALID_SPI, 11, "INVALID-SPI")                                                 \
	X(ISAKMP_N_INVALID_TRANSFORM_ID, 12, "INVALID-TRANSFORM-ID")                               \
	X(ISAKMP_N_ATTRIBUTES_NOT_SUPPORTED, 13, "ATTRIBUTES-NOT-SUPPORTED")                       \
	X(ISAKMP_N_NO_PROPOSAL_CHOSEN, 14, "NO-PROPOSAL-CHOSEN")                                   \
	X(ISAKMP_N_BAD_PROPOSAL_SYNTAX, 15, "BAD-PROPOSAL-SYNTAX")                                 \
	X(ISAKMP_N_PAYLOAD_MALFORMED, 16, "PAYLOAD-MALFORMED")                                     \
	X(ISAKMP_N_INVALID_KEY_INFORMATION, 17, "INVALID-KEY-INFORMATION")                         \
	X(ISAKMP_N_INVALID_ID_INFORMATION, 18, "INVALID-ID-INFORMATION")                           \
	X(ISAKMP_N_INVALID_CERT_ENCODING, 19, "INVALID-CERT-ENCODING")                             \
	X(ISAKMP_N_INVALID_CERTIFICATE, 20, "INVALID-CERTIFICATE")                                 \
	X(ISAKMP_N_CERT_TYPE_UNSUPPORTED, 21, "CERT-TYPE-UNSUPPORTED")                             \
	X(ISAKMP_N_INVALID_CERT_AUTHORITY, 22, "INVALID-CERT-AUTHORITY")                           \
	X(ISAKMP_N_INVALID_HASH_INFORMATION, 23, "INVALID-HASH-INFORMATION")                       \
	X(ISAKMP_N_AUTHENTICATION_FAILED, 24, "AUTHENTICATION-FAILED")                             \
	X(ISAKMP_N_INVALID_SIGNATURE, 25, "INVALID-SIGNATURE")                                     \
	X(ISAKMP_N_ADDRESS_NOTIFICATION, 26, "ADDRESS-NOTIFICATION")                               \
	X(ISAKMP_N_NOTIFY_SA_LIFETIME, 27, "NOTIFY-SA-LIFETIME")                                   \
	X(ISAKMP_N_CERTIFICATE_UNAVAILABLE, 28, "CERTIFICATE-UNAVAILABLE")                         \
	X(ISAKMP_N_UNSUPPORTED_EXCHANGE_TYPE, 29, "UNSUPPORTED-EXCHANGE-TYPE")                     \
	X(ISAKMP_N_UNEQUAL_PAYLOAD_LENGTHS, 30, "UNEQUAL-PAYLOAD-LENGTHS")                         \
	X(ISAKMP_N_CONNECTED, 16384, "CONNECTED")                                                  \
	X(ISAKMP_N_RESPONDER_LIFETIME, 24576, "RESPONDER-LIFETIME")                                \
	X(ISAKMP_N_REPLAY_STATUS, 24577, "REPLAY-STATUS")                                          \
	X(ISAKMP_N_INITIAL_CONTACT, 24578, "INITIAL-CONTACT")                                      \
	X(ISAKMP_N_R_U_THERE, 36136, "R-U-THERE")                                                  \
	X(ISAKMP_N_R_U_THERE_ACK, 36137, "R-U-THERE-ACK")

// Protocol-ID under DOI 1 and in phase 1. Not the numbers of SAT and Delete under DOI 2: see
// GDOI_PROTOS.
#define IPSEC_PROTOS(X)                                                                            \
	X(IPSEC_PROTO_ISAKMP, 1, "ISAKMP")                                                         \
	X(IPSEC_PROTO_AH, 2, "AH")                                                                 \
	X(IPSEC_PROTO_ESP, 3, "ESP")                                                               \
	X(IPSEC_PROTO_IPCOMP, 4, "IPCOMP")

#define ISAKMP_KEY_IKE 1 // the only ISAKMP transform id, RFC 2407 4.4.2

// RFC 2407 4.6.2.1; 13 is RFC 8052.
#define ISAKMP_ID_TYPES(X)                                                                         \
	X(ISAKMP_ID_IPV4_ADDR, 1, "IPV4_ADDR")                                                     \
	X(ISAKMP_ID_FQDN, 2, "FQDN")                                                               \
	X(ISAKMP_ID_USER_FQDN, 3, "USER_FQDN")                                                     \
	X(ISAKMP_ID_IPV4_SUBNET, 4, "IPV4_SUBNET")                                                 \
	X(ISAKMP_ID_IPV6_ADDR, 5, "IPV6_ADDR")                                                     \
	X(ISAKMP_ID_IPV6_SUBNET, 6, "IPV6_SUBNET")                                                 \
	X(ISAKMP_ID_IPV4_RANGE, 7, "IPV4_RANGE")                                                   \
	X(ISAKMP_ID_IPV6_RANGE, 8, "IPV6_RANGE")                                                   \
	X(ISAKMP_ID_DN, 9, "DER_ASN1_DN")                                                          \
	X(ISAKMP_ID_GN, 10, "DER_ASN1_GN")                                                         \
	X(ISAKMP_ID_KEY_ID, 11, "KEY_ID")                                                          \
	X(ISAKMP_ID_OID, 13, "OID")

#define ISAKMP_CERTS(X)                                                                            \
	X(ISAKMP_CERT_PKCS7, 1, "PKCS #7")                                                         \
	X(ISAKMP_CERT_X509_SIG, 4, "X.509 signature")                                              \
	X(ISAKMP_CERT_X509_KE, 5, "X.509 key exchange")                                            \
	X(ISAKMP_CERT_CRL, 7, "CRL")                                                               \
	X(ISAKMP_CERT_ARL, 8, "ARL")

// Phase 1 attributes, RFC 2409 appendix A.
#define IKE1_ATTRS(X)                                                                              \
	X(IKE1_ATTR_ENC, 1, "encryption")                                                          \
	X(IKE1_ATTR_HASH, 2, "hash")                                                               \
	X(IKE1_ATTR_AUTH, 3, "authentication")                                                     \
	X(IKE1_ATTR_GROUP, 4, "group")                                                             \
	X(IKE1_ATTR_GROUP_TYPE, 5, "group type")                                                   \
	X(IKE1_ATTR_LIFE_TYPE, 11, "life type")                                                    \
	X(IKE1_ATTR_LIFE_DURATION, 12, "life duration")                                            \
	X(IKE1_ATTR_PRF, 13, "prf")                                                                \
	X(IKE1_ATTR_KEY_LENGTH, 14, "key length")

#define IKE1_ENCS(X)                                                                               \
	X(IKE1_ENC_DES, 1, "DES")                                                                  \
	X(IKE1_ENC_3DES, 5, "3DES")                                                                \
	X(IKE1_ENC_AES_CBC, 7, "AES")

#define IKE1_HASHES(X)                                                                             \
	X(IKE1_HASH_MD5, 1, "MD5")                                                                 \
	X(IKE1_HASH_SHA1, 2, "SHA")                                                                \
	X(IKE1_HASH_SHA256, 4, "SHA256")                                                           \
	X(IKE1_HASH_SHA384, 5, "SHA384")                                                           \
	X(IKE1_HASH_SHA512, 6, "SHA512")

#define IKE1_AUTHS(X)                                                                              \
	X(IKE1_AUTH_PSK, 1, "psk")                                                                 \
	X(IKE1_AUTH_RSA_SIG, 3, "rsig")                                                            \
	X(IKE1_AUTH_ECDSA_256, 9, "ecdsa-256")                                                     \
	X(IKE1_AUTH_ECDSA_384, 10, "ecdsa-384")                                                    \
	X(IKE1_AUTH_ECDSA_521, 11, "ecdsa-521")

#define IKE1_GROUPS(X)                                                                             \
	X(IKE1_GROUP_MODP_768, 1, "modp768")                                                       \
	X(IKE1_GROUP_MODP_1024, 2, "modp1024")                                                     \
	X(IKE1_GROUP_MODP_1536, 5, "modp1536")                                                     \
	X(IKE1_GROUP_MODP_2048, 14, "modp2048")                                                    \
	X(IKE1_GROUP_MODP_3072, 15, "modp3072")                                                    \
	X(IKE1_GROUP_MODP_4096, 16, "modp4096")                                                    \
	X(IKE1_GROUP_MODP_6144, 17, "modp6144")                                                    \
	X(IKE1_GROUP_MODP_8192, 18, "modp8192")                                                    \
	X(IKE1_GROUP_ECP_256, 19, "ecp256")                                                        \
	X(IKE1_GROUP_ECP_384, 20, "ecp384")                                                        \
	X(IKE1_GROUP_ECP_521, 21, "ecp521")

#define ISAKMP_LIFE_TYPES(X)                                                                       \
	X(ISAKMP_LIFE_SECONDS, 1, "seconds")                                                       \
	X(ISAKMP_LIFE_KILOBYTES, 2, "kilobytes")

// Protocol-ID of SAT, and of Delete under DOI 2. 0 in a Delete is the KEK (RFC 6407 5.9).
// 200 is ours, from the private range: a line of the ordered policy whose packets pass in clear
// (a deny of the group's access list). Its SAT has the protocol and the two identities of the ESP
// form and nothing after them: no transform, no SPI, no attributes. A key server sends it only to
// members that showed our vendor id; for the others it subtracts denies from permits.
#define GDOI_PROTOS(X)                                                                             \
	X(GDOI_PROTO_KEK, 0, "KEK")                                                                \
	X(GDOI_PROTO_ESP, 1, "ESP")                                                                \
	X(GDOI_PROTO_AH, 2, "AH")                                                                  \
	X(GDOI_PROTO_IEC61850, 3, "IEC 61850")                                                     \
	X(GDOI_PROTO_BYPASS, 200, "bypass")

#define IPSEC_ESP_TRANSFORMS(X)                                                                    \
	X(ESP_DES, 2, "DES")                                                                       \
	X(ESP_3DES, 3, "3DES")                                                                     \
	X(ESP_NULL, 11, "NULL")                                                                    \
	X(ESP_AES_CBC, 12, "AES-CBC")                                                              \
	X(ESP_AES_CTR, 13, "AES-CTR")                                                              \
	X(ESP_AES_CCM_8, 14, "AES-CCM-8")                                                          \
	X(ESP_AES_CCM_12, 15, "AES-CCM-12")                                                        \
	X(ESP_AES_CCM_16, 16, "AES-CCM-16")                                                        \
	X(ESP_AES_GCM_8, 18, "AES-GCM-8")                                                          \
	X(ESP_AES_GCM_12, 19, "AES-GCM-12")                                                        \
	X(ESP_AES_GCM_16, 20, "AES-GCM-16")                                                        \
	X(ESP_SEED, 21, "SEED")                                                                    \
	X(ESP_CAMELLIA, 22, "Camellia")                                                            \
	X(ESP_NULL_AES_GMAC, 23, "NULL-AES-GMAC")

#define IPSEC_AH_TRANSFORMS(X)                                                                     \
	X(AH_MD5, 2, "MD5")                                                                        \
	X(AH_SHA1, 3, "SHA")                                                                       \
	X(AH_SHA256, 5, "SHA256")                                                                  \
	X(AH_SHA384, 6, "SHA384")                                                                  \
	X(AH_SHA512, 7, "SHA512")                                                                  \
	X(AH_AES_128_GMAC, 11, "AES-128-GMAC")                                                     \
	X(AH_AES_192_GMAC, 12, "AES-192-GMAC")                                                     \
	X(AH_AES_256_GMAC, 13, "AES-256-GMAC")

// SA attributes of a SAT: RFC 2407 4.5, RFC 4304, RFC 6407 5.5.1.1.
// 32001 is ours, from the private range, variable, 4 octets: mode (1), 1 counter, 2 time; 0 (1);
// window (2), packets or seconds. It goes to the same members as the pseudotime of a GAP.
#define IPSEC_ATTRS(X)                                                                             \
	X(IPSEC_ATTR_LIFE_TYPE, 1, "SA Life Type")                                                 \
	X(IPSEC_ATTR_LIFE_DURATION, 2, "SA Life Duration")                                         \
	X(IPSEC_ATTR_GROUP, 3, "Group Description")                                                \
	X(IPSEC_ATTR_ENCAP, 4, "Encapsulation Mode")                                               \
	X(IPSEC_ATTR_AUTH, 5, "Authentication Algorithm")                                          \
	X(IPSEC_ATTR_KEY_LENGTH, 6, "Key Length")                                                  \
	X(IPSEC_ATTR_ESN, 11, "Extended Sequence Number")                                          \
	X(IPSEC_ATTR_ADDR_PRESERVE, 14, "Address Preservation")                                    \
	X(IPSEC_ATTR_DIRECTION, 15, "SA Direction")                                                \
	X(IPSEC_ATTR_REPLAY, 32001, "Anti-Replay")

#define IPSEC_ENCAPS(X)                                                                            \
	X(IPSEC_ENCAP_TUNNEL, 1, "Tunnel")                                                         \
	X(IPSEC_ENCAP_TRANSPORT, 2, "Transport")                                                   \
	X(IPSEC_ENCAP_UDP_TUNNEL, 3, "UDP-Tunnel")                                                 \
	X(IPSEC_ENCAP_UDP_TRANSPORT, 4, "UDP-Transport")

#define IPSEC_AUTHS(X)                                                                             \
	X(IPSEC_AUTH_HMAC_MD5, 1, "HMAC-MD5")                                                      \
	X(IPSEC_AUTH_HMAC_SHA1, 2, "HMAC-SHA")                                                     \
	X(IPSEC_AUTH_HMAC_SHA256, 5, "HMAC-SHA256")                                                \
	X(IPSEC_AUTH_HMAC_SHA384, 6, "HMAC-SHA384")                                                \
	X(IPSEC_AUTH_HMAC_SHA512, 7, "HMAC-SHA512")                                                \
	X(IPSEC_AUTH_AES_128_GMAC, 11, "AES-128-GMAC")                                             \
	X(IPSEC_AUTH_AES_192_GMAC, 12, "AES-192-GMAC")                                             \
	X(IPSEC_AUTH_AES_256_GMAC, 13, "AES-256-GMAC")

// Absent means both (RFC 6407 5.5.1.1.1).
#define IPSEC_ADDR_PRESERVES(X)                                                                    \
	X(IPSEC_PRESERVE_NONE, 1, "None")                                                          \
	X(IPSEC_PRESERVE_SRC, 2, "Source-Only")                                                    \
	X(IPSEC_PRESERVE_DST, 3, "Destination-Only")                                               \
	X(IPSEC_PRESERVE_BOTH, 4, "Source-And-Destination")

// Absent means symmetric (RFC 6407 5.5.1.1.2).
#define IPSEC_DIRECTIONS(X)                                                                        \
	X(IPSEC_DIR_SENDER_ONLY, 1, "Sender-Only")                                                 \
	X(IPSEC_DIR_RECEIVER_ONLY, 2, "Receiver-Only")                                             \
	X(IPSEC_DIR_SYMMETRIC, 3, "Symmetric")

// RFC 6407 5.3, RFC 8263 4. 8 is reserved (RFC 3547 had an Oakley group there).
#define GDOI_KEK_ATTRS(X)                                                                          \
	X(GDOI_KEK_ATTR_MANAGEMENT, 1, "KEK_MANAGEMENT_ALGORITHM")                                 \
	X(GDOI_KEK_ATTR_ALGORITHM, 2, "KEK_ALGORITHM")                                             \
	X(GDOI_KEK_ATTR_KEY_LENGTH, 3, "KEK_KEY_LENGTH")                                           \
	X(GDOI_KEK_ATTR_KEY_LIFETIME, 4, "KEK_KEY_LIFETIME")                                       \
	X(GDOI_KEK_ATTR_SIG_HASH, 5, "SIG_HASH_ALGORITHM")                                         \
	X(GDOI_KEK_ATTR_SIG_ALGORITHM, 6, "SIG_ALGORITHM")                                         \
	X(GDOI_KEK_ATTR_SIG_KEY_LENGTH, 7, "SIG_KEY_LENGTH")                                       \
	X(GDOI_KEK_ATTR_ACK, 9, "KEK_ACK_REQUESTED")

#define GDOI_KEK_MANAGEMENTS(X) X(GDOI_KEK_MANAGEMENT_LKH, 1, "LKH")

#define GDOI_KEK_ALGS(X)                                                                           \
	X(GDOI_KEK_DES, 1, "DES")                                                                  \
	X(GDOI_KEK_3DES, 2, "3DES")                                                                \
	X(GDOI_KEK_AES, 3, "AES")

#define GDOI_SIG_HASHES(X)                                                                         \
	X(GDOI_SIG_HASH_MD5, 1, "MD5")                                                             \
	X(GDOI_SIG_HASH_SHA1, 2, "SHA")                                                            \
	X(GDOI_SIG_HASH_SHA256, 3, "SHA256")                                                       \
	X(GDOI_SIG_HASH_SHA384, 4, "SHA384")                                                       \
	X(GDOI_SIG_HASH_SHA512, 5, "SHA512")

#define GDOI_SIG_ALGS(X)                                                                           \
	X(GDOI_SIG_RSA, 1, "RSA")                                                                  \
	X(GDOI_SIG_DSS, 2, "DSS")                                                                  \
	X(GDOI_SIG_ECDSS, 3, "ECDSS")                                                              \
	X(GDOI_SIG_ECDSA_256, 4, "ECDSA-256")                                                      \
	X(GDOI_SIG_ECDSA_384, 5, "ECDSA-384")                                                      \
	X(GDOI_SIG_ECDSA_521, 6, "ECDSA-521")

// RFC 8263 4: which key the acknowledgement key comes from, and the prf.
#define GDOI_ACKS(X)                                                                               \
	X(GDOI_ACK_KEK_SHA256, 1, "REKEY_ACK_KEK_SHA256")                                          \
	X(GDOI_ACK_LKH_SHA256, 2, "REKEY_ACK_LKH_SHA256")                                          \
	X(GDOI_ACK_KEK_SHA512, 3, "REKEY_ACK_KEK_SHA512")                                          \
	X(GDOI_ACK_LKH_SHA512, 4, "REKEY_ACK_LKH_SHA512")

// 200 is ours, from the private range, variable, 12 octets: epoch (4), never 0, and milliseconds of
// the group's pseudotime (8) when the message was made. A key server sends it only to members whose
// vendor id says that they understand it (VID_CONCLAVE_REPLAY).
#define GDOI_GAP_ATTRS(X)                                                                          \
	X(GDOI_GAP_ATTR_ATD, 1, "ACTIVATION_TIME_DELAY")                                           \
	X(GDOI_GAP_ATTR_DTD, 2, "DEACTIVATION_TIME_DELAY")                                         \
	X(GDOI_GAP_ATTR_SENDER_ID_REQUEST, 3, "SENDER_ID_REQUEST")                                 \
	X(GDOI_GAP_ATTR_PSEUDOTIME, 200, "pseudotime")

#define GDOI_KD_TYPES(X)                                                                           \
	X(GDOI_KD_TEK, 1, "TEK")                                                                   \
	X(GDOI_KD_KEK, 2, "KEK")                                                                   \
	X(GDOI_KD_LKH, 3, "LKH")                                                                   \
	X(GDOI_KD_SID, 4, "SID")

#define GDOI_TEK_KEYS(X)                                                                           \
	X(GDOI_TEK_ALGORITHM_KEY, 1, "TEK_ALGORITHM_KEY")                                          \
	X(GDOI_TEK_INTEGRITY_KEY, 2, "TEK_INTEGRITY_KEY")                                          \
	X(GDOI_TEK_SOURCE_AUTH_KEY, 3, "TEK_SOURCE_AUTH_KEY")

#define GDOI_KEK_KEYS(X)                                                                           \
	X(GDOI_KEK_ALGORITHM_KEY, 1, "KEK_ALGORITHM_KEY")                                          \
	X(GDOI_SIG_ALGORITHM_KEY, 2, "SIG_ALGORITHM_KEY")

#define GDOI_LKH_KEYS(X)                                                                           \
	X(GDOI_LKH_DOWNLOAD_ARRAY, 1, "LKH_DOWNLOAD_ARRAY")                                        \
	X(GDOI_LKH_UPDATE_ARRAY, 2, "LKH_UPDATE_ARRAY")                                            \
	X(GDOI_LKH_SIG_ALGORITHM_KEY, 3, "SIG_ALGORITHM_KEY")

#define GDOI_SID_ATTRS(X)                                                                          \
	X(GDOI_SID_NUMBER_OF_BITS, 1, "NUMBER_OF_SID_BITS")                                        \
	X(GDOI_SID_VALUE, 2, "SID_VALUE")

// RFC 8052 2.2.
#define GDOI_IEC_AUTHS(X)                                                                          \
	X(GDOI_IEC_AUTH_NONE, 1, "NONE")                                                           \
	X(GDOI_IEC_AUTH_HMAC_SHA256_128, 2, "HMAC-SHA256-128")                                     \
	X(GDOI_IEC_AUTH_HMAC_SHA256, 3, "HMAC-SHA256")                                             \
	X(GDOI_IEC_AUTH_AES_GMAC_128, 4, "AES-GMAC-128")                                           \
	X(GDOI_IEC_AUTH_AES_GMAC_256, 5, "AES-GMAC-256")

#define GDOI_IEC_ENCS(X)                                                                           \
	X(GDOI_IEC_ENC_NONE, 1, "NONE")                                                            \
	X(GDOI_IEC_ENC_AES_CBC_128, 2, "AES-CBC-128")                                              \
	X(GDOI_IEC_ENC_AES_CBC_256, 3, "AES-CBC-256")                                              \
	X(GDOI_IEC_ENC_AES_GCM_128, 4, "AES-GCM-128")                                              \
	X(GDOI_IEC_ENC_AES_GCM_256, 5, "AES-GCM-256")

#define GDOI_IEC_ATTRS(X)                                                                          \
	X(GDOI_IEC_ATTR_ATD, 1, "SA_ATD")                                                          \
	X(GDOI_IEC_ATTR_KDA, 2, "SA_KDA")

#define GDOI_ENUM_ROW(name, value, text) name = (value),

// Every list: its enum (enum isakmp_doi …) and the functions isakmp_doi_name(), isakmp_doi_known().
#define GDOI_REGISTRIES(R)                                                                         \
	R(isakmp_doi, ISAKMP_DOIS)                                                                 \
	R(isakmp_exchange, ISAKMP_EXCHANGES)                                                       \
	R(isakmp_payload, ISAKMP_PAYLOADS)                                                         \
	R(isakmp_notify_type, ISAKMP_NOTIFIES)                                                     \
	R(ipsec_proto, IPSEC_PROTOS)                                                               \
	R(isakmp_id_type, ISAKMP_ID_TYPES)                                                         \
	R(isakmp_cert_type, ISAKMP_CERTS)                                                          \
	R(ike1_attr, IKE1_ATTRS)                                                                   \
	R(ike1_enc, IKE1_ENCS)                                                                     \
	R(ike1_hash, IKE1_HASHES)                                                                  \
	R(ike1_auth, IKE1_AUTHS)                                                                   \
	R(ike1_group, IKE1_GROUPS)                                                                 \
	R(isakmp_life, ISAKMP_LIFE_TYPES)                                                          \
	R(gdoi_proto, GDOI_PROTOS)                                                                 \
	R(esp_transform, IPSEC_ESP_TRANSFORMS)                                                     \
	R(ah_transform, IPSEC_AH_TRANSFORMS)                                                       \
	R(ipsec_attr, IPSEC_ATTRS)                                                                 \
	R(ipsec_encap, IPSEC_ENCAPS)                                                               \
	R(ipsec_auth, IPSEC_AUTHS)                                                                 \
	R(ipsec_preserve, IPSEC_ADDR_PRESERVES)                                                    \
	R(ipsec_direction, IPSEC_DIRECTIONS)                                                       \
	R(gdoi_kek_attr, GDOI_KEK_ATTRS)                                                           \
	R(gdoi_kek_management, GDOI_KEK_MANAGEMENTS)                                               \
	R(gdoi_kek_alg, GDOI_KEK_ALGS)                                                             \
	R(gdoi_sig_hash, GDOI_SIG_HASHES)                                                          \
	R(gdoi_sig_alg, GDOI_SIG_ALGS)                                                             \
	R(gdoi_ack, GDOI_ACKS)                                                                     \
	R(gdoi_gap_attr, GDOI_GAP_ATTRS)                                                           \
	R(gdoi_kd_type, GDOI_KD_TYPES)                                                             \
	R(gdoi_tek_key, GDOI_TEK_KEYS)                                                             \
	R(gdoi_kek_key, GDOI_KEK_KEYS)                                                             \
	R(gdoi_lkh_key_attr, GDOI_LKH_KEYS)                                                        \
	R(gdoi_sid_attr, GDOI_SID_ATTRS)                                                           \
	R(gdoi_iec_auth, GDOI_IEC_AUTHS)                                                           \
	R(gdoi_iec_enc, GDOI_IEC_ENCS)                                                             \
	R(gdoi_iec_attr, GDOI_IEC_ATTRS)

#define GDOI_DECLARE(reg, list)                                                                    \
	enum reg { list(GDOI_ENUM_ROW) };                                                          \
	const char *reg##_name(unsigned value);                                                    \
	bool reg##_known(unsigned value);
GDOI_REGISTRIES(GDOI_DECLARE)
#undef GDOI_DECLARE

// Vendor ids. VID_LEN octets of payload body each.
#define GDOI_VID_LEN 16
extern const uint8_t vid_natt[GDOI_VID_LEN]; // RFC 3947 3.1
extern const uint8_t vid_dpd[GDOI_VID_LEN];  // RFC 3706 5.1; the last two octets are 1.0

// Ours: the member shows it in its first phase 1 message, the key server in its answer.
// Octets 0-11: the first 12 of SHA-256("Conclave GDOI group member and key server"). 12: major,
// 13: minor, 14-15: what this side understands (VID_CONCLAVE_*), so that an older release stays
// recognisable.
#define VID_CONCLAVE_PREFIX_LEN 12
#define VID_CONCLAVE_MAJOR	0
#define VID_CONCLAVE_MINOR	1
#define VID_CONCLAVE_BYPASS	0x0001 // understands the bypass SAT (GDOI_PROTO_BYPASS)
#define VID_CONCLAVE_KEEP	0x0002 // a member that keeps its phase 1 SA, to ask for life there
#define VID_CONCLAVE_REPLAY	0x0004 // understands anti-replay of a SAT and pseudotime of a GAP
#define VID_CONCLAVE_PRIVATE	(VID_CONCLAVE_BYPASS | VID_CONCLAVE_REPLAY) // all our own forms

extern const uint8_t vid_conclave[GDOI_VID_LEN];
