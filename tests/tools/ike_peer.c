// tests/tools/ike_peer.c - main mode alone on a UDP port: a peer for IKEv1 stacks we did not write.
// No GDOI: what comes after phase 1 is refused by a notify. One line per fact on stdout; exit
// status 0 when an SA stood before the time was over.
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/crypto/crypto.h"
#include "common/ike/halfopen.h"
#include "common/ike/info.h"
#include "common/ike/phase1.h"

static const char usage[] =
	"usage: ike_peer -i|-r -l LOCAL -p PEER [-P PORT] -k PSK [-s SUITE] [-1] [-t SECONDS]\n"
	"  -i, -r      initiate, or answer\n"
	"  -l, -p      own and the peer's address\n"
	"  -P PORT     of both (500)\n"
	"  -k PSK      the pre-shared key, as text\n"
	"  -s SUITE    as strongSwan spells it: aes128-sha256-modp2048, aes256-sha384-ecp384\n"
	"  -1          DOI 1 (IPsec): send it, accept it\n"
	"  -t SECONDS  how long to stay (10); an initiator deletes its SA at the end\n";

struct peer {
	bool initiate, stood;
	struct endpoint local, remote;
	struct ike_proposal suite;
	struct secret psk;
	struct ike_conf conf;
	struct rng rng;
	struct ike_halfopen half;
	struct ike_sa *sa; // NULL: a responder still waits
	int fd;
	int seconds;
};

static const struct secret *psk_of(void *arg, const struct addr *addr)
{
	struct peer *p = arg;

	return addr_eq(addr, &p->remote.addr) ? &p->psk : NULL;
}

static bool suite_parse(const char *text, struct ike_proposal *out)
{
	static const enum cipher_alg ciphers[] = { CIPHER_AES128_CBC, CIPHER_AES256_CBC };
	static const enum hash_alg hashes[] = { HASH_ALG_SHA256, HASH_ALG_SHA384, HASH_ALG_SHA512 };
	static const char *const cipher_words[] = { "aes128", "aes256" };
	static const char *const hash_words[] = { "sha256", "sha384", "sha512" };
	static const struct {
		const char *word;
		enum dh_group group;
	} groups[] = { { "modp2048", DH_MODP2048 }, { "modp3072", DH_MODP3072 },
		       { "modp4096", DH_MODP4096 }, { "ecp256", DH_ECP256 },
		       { "ecp384", DH_ECP384 },	    { "ecp521", DH_ECP521 } };
	char cipher[16], hash[16], group[16];

	*out = (struct ike_proposal){ 0 };
	if (sscanf(text, "%15[^-]-%15[^-]-%15s", cipher, hash, group) != 3)
		return false;
	for (size_t i = 0; i < N_ELEMS(ciphers); i++)
		out->cipher = !strcmp(cipher, cipher_words[i]) ? ciphers[i] : out->cipher;
	for (size_t i = 0; i < N_ELEMS(hashes); i++)
		out->hash = !strcmp(hash, hash_words[i]) ? hashes[i] : out->hash;
	for (size_t i = 0; i < N_ELEMS(groups); i++)
		out->group = !strcmp(group, groups[i].word) ? groups[i].group : out->group;
	return out->cipher && out->hash && dh_public_len(out->group) > 0;
}

static bool options(struct peer *p, int argc, char **argv)
{
	const char *suite = "aes128-sha256-modp2048";
	bool role = false, doi1 = false;
	uint16_t port = 500;
	int c;

	p->seconds = 10;
	while ((c = getopt(argc, argv, "irl:p:P:k:s:1t:")) != -1) {
		role |= c == 'i' || c == 'r';
		doi1 |= c == '1';
		p->initiate |= c == 'i';
		if ((c == 'l' && addr_parse(optarg, &p->local.addr)) ||
		    (c == 'p' && addr_parse(optarg, &p->remote.addr)) ||
		    (c == 'k' && secret_set(&p->psk, optarg, strlen(optarg))) || c == '?')
			return false;
		port = c == 'P' ? (uint16_t)atoi(optarg) : port;
		suite = c == 's' ? optarg : suite;
		p->seconds = c == 't' ? atoi(optarg) : p->seconds;
	}
	p->local.port = p->remote.port = port;
	p->conf = (struct ike_conf){
		.proposals = &p->suite,
		.n_proposals = 1,
		.own_id = isakmp_id_of_addr(&p->local.addr),
		.wire = gdoi_wire_opts_default(),
		.schedule = IKE_SCHEDULE_DEFAULT,
		.psk = psk_of,
		.psk_arg = p,
		.rng = &p->rng,
	};
	if (doi1)
		p->conf.wire.phase1_doi = ISAKMP_DOI_IPSEC;
	p->conf.wire.phase1_accept_doi1 = doi1;
	return role && p->local.addr.family && p->remote.addr.family && p->psk.len > 0 &&
	       suite_parse(suite, &p->suite);
}

static int open_socket(struct peer *p)
{
	struct sockaddr_storage ss;
	socklen_t len = (socklen_t)endpoint_to_sockaddr(&p->local, &ss);

	p->fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (p->fd < 0 || bind(p->fd, (struct sockaddr *)&ss, len) < 0)
		return -errno;
	return 0;
}

static void send_to(const struct peer *p, struct bytes msg, const struct endpoint *to)
{
	struct sockaddr_storage ss;
	socklen_t len = (socklen_t)endpoint_to_sockaddr(to, &ss);

	if (sendto(p->fd, msg.p, msg.len, 0, (struct sockaddr *)&ss, len) < 0)
		printf("send failed: %s\n", strerror(errno));
}

static void tell_standing(struct peer *p)
{
	char suite[IKE_PROPOSAL_STRLEN], id[ISAKMP_ID_STRLEN];
	struct isakmp_id view = ike_id_view(&p->sa->peer_id);

	p->stood = true;
	printf("established suite=%s peer-id=%s doi=%u life=%u dpd=%s\n",
	       ike_proposal_str(&p->sa->suite, suite), isakmp_id_str(&view, id), p->sa->doi,
	       p->sa->life_s, p->sa->peer_dpd ? "yes" : "no");
}

// Does what a step asks for, until it asks for nothing more.
static void perform(struct peer *p, struct ike_out *out)
{
	while (true) {
		struct ike_event ev = { .kind = IKE_EV_DH_DONE };

		if (out->msg_len > 0)
			send_to(p, BYTES(out->msg, out->msg_len), &out->to);
		if (out->refused != IKE_R_OK)
			printf("refused reason=%s detail=%s\n", ike_reason_name(out->refused),
			       out->detail ? out->detail : "-");
		if (out->established)
			tell_standing(p);
		if (out->dead)
			printf("dead reason=%s\n", ike_reason_name(p->sa->reason));
		if (!out->dh)
			return;
		ev.dh = out->dh;
		dh_job_run(ev.dh);
		ike_sa_step(p->sa, mono_now(), &ev, out);
	}
}

static void in_info(struct peer *p, const struct isakmp_hdr *hdr, struct bytes msg)
{
	static uint8_t plain[IKE_DGRAM_MAX];
	uint8_t buf[IKE_INFO_BUF];
	const char *detail = NULL;
	struct ike_info info;
	struct bytes reply;
	enum ike_reason why = ike_info_open(p->sa, hdr, msg, plain, &info, &detail);

	if (why != IKE_R_OK)
		printf("refused reason=%s detail=%s\n", ike_reason_name(why),
		       detail ? detail : "-");
	for (size_t i = 0; i < info.n_notify; i++) {
		printf("notify=%s\n", isakmp_notify_type_name(info.notify[i].type));
		if (info.notify[i].type == ISAKMP_N_R_U_THERE &&
		    !ike_info_notify(p->sa, ISAKMP_N_R_U_THERE_ACK, info.notify[i].data, buf,
				     sizeof(buf), &reply))
			send_to(p, reply, &p->sa->peer);
	}
	if (info.deletes_sa) {
		printf("deleted by peer\n");
		ike_sa_kill(p->sa, IKE_R_PEER_DELETED);
	}
}

// Quick mode and anything else that needs more than phase 1.
static void in_other(struct peer *p, const struct isakmp_hdr *hdr)
{
	uint8_t buf[IKE_INFO_BUF];
	struct bytes msg;

	printf("refused exchange=%u\n", hdr->exchange);
	if (!ike_info_notify(p->sa, ISAKMP_N_UNSUPPORTED_EXCHANGE_TYPE, BYTES(NULL, 0), buf,
			     sizeof(buf), &msg))
		send_to(p, msg, &p->sa->peer);
}

static void in_datagram(struct peer *p, struct bytes msg, const struct endpoint *from)
{
	struct rd_err err = { NULL };
	struct rd r = rd_of(msg, &err);
	struct ike_event ev = { .kind = IKE_EV_DATAGRAM, .datagram = msg, .from = *from };
	struct isakmp_hdr hdr;
	struct ike_out out;
	bool stands = p->sa && p->sa->state == IKE_ESTABLISHED, known;

	if (!isakmp_hdr_decode(&r, &hdr)) {
		printf("refused reason=malformed detail=%s\n", err.why);
		return;
	}
	known = p->sa && !memcmp(hdr.cky_i, p->sa->cky_i, sizeof(hdr.cky_i));
	if (known && stands && hdr.exchange == ISAKMP_XCH_INFO) {
		in_info(p, &hdr, msg);
	} else if (known && stands && hdr.exchange != ISAKMP_XCH_MAIN) {
		in_other(p, &hdr);
	} else if (known) {
		ike_sa_step(p->sa, mono_now(), &ev, &out);
		perform(p, &out);
	} else if (!p->initiate) {
		struct ike_sa *made;

		ike_halfopen_in(&p->half, &p->conf, mono_now(), msg, from, &p->local, &out, &made);
		if (made) { // one at a time: the latest
			if (p->sa)
				ike_sa_fini(p->sa);
			free(p->sa);
			p->sa = made;
		}
		perform(p, &out);
	}
}

static void receive(struct peer *p)
{
	static uint8_t buf[65536];
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct endpoint from;
	ssize_t n = recvfrom(p->fd, buf, sizeof(buf), 0, (struct sockaddr *)&ss, &len);

	if (n > 0 && endpoint_from_sockaddr(&ss, &from) == 0)
		in_datagram(p, BYTES(buf, (size_t)n), &from);
}

static void loop(struct peer *p)
{
	mono_t end = mono_add_s(mono_now(), p->seconds);
	struct ike_event timer = { .kind = IKE_EV_TIMER };
	struct ike_out out;

	while (!mono_due(end, mono_now()) && (!p->sa || p->sa->state != IKE_DEAD)) {
		mono_t next = p->sa ? mono_min(end, p->sa->deadline) : end;
		struct pollfd fd = { .fd = p->fd, .events = POLLIN };

		if (poll(&fd, 1, (int)MIN_OF(mono_left_ms(next, mono_now()), 60000)) > 0)
			receive(p);
		if (p->sa && mono_due(p->sa->deadline, mono_now())) {
			ike_sa_step(p->sa, mono_now(), &timer, &out);
			perform(p, &out);
		}
	}
}

static void start(struct peer *p)
{
	struct ike_event ev = { .kind = IKE_EV_START };
	struct ike_out out;

	p->sa = malloc(sizeof(*p->sa));
	BUG_ON(!p->sa);
	ike_sa_init(p->sa, &p->conf, &p->local, &p->remote);
	ike_sa_step(p->sa, mono_now(), &ev, &out);
	perform(p, &out);
}

static void finish(struct peer *p)
{
	uint8_t buf[IKE_INFO_BUF];
	struct bytes msg;

	if (p->initiate && p->sa->state == IKE_ESTABLISHED &&
	    !ike_info_delete_sa(p->sa, buf, sizeof(buf), &msg))
		send_to(p, msg, &p->sa->peer);
	if (p->sa)
		ike_sa_fini(p->sa);
	free(p->sa);
	ike_halfopen_fini(&p->half);
	close(p->fd);
}

int main(int argc, char **argv)
{
	static struct peer p;
	int err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!options(&p, argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	err = crypto_init();
	crypto_rng_init(&p.rng);
	if (err == 0)
		err = ike_halfopen_init(&p.half, &p.rng, mono_now(), 16, 4);
	if (err == 0)
		err = open_socket(&p);
	if (err) {
		fprintf(stderr, "ike_peer: %s\n", strerror(-err));
		return 2;
	}
	puts("listening");
	if (p.initiate)
		start(&p);
	loop(&p);
	finish(&p);
	secret_fini(&p.psk);
	return p.stood ? 0 : 1;
}
