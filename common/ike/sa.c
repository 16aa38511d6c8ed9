#include "common/ike/handshake.h"

#define HANDSHAKE_DEFAULT_S 30

static const char *const state_names[] = {
	[IKE_IDLE] = "idle",
	[IKE_I_WAIT_SA] = "wait-sa",
	[IKE_I_KEYGEN] = "keygen",
	[IKE_I_WAIT_KE] = "wait-ke",
	[IKE_I_DERIVE] = "derive",
	[IKE_I_SIGN] = "sign",
	[IKE_I_WAIT_AUTH] = "wait-auth",
	[IKE_I_VERIFY] = "verify",
	[IKE_R_WAIT_KE] = "wait-ke",
	[IKE_R_DERIVE] = "derive",
	[IKE_R_SIGN] = "sign",
	[IKE_R_WAIT_AUTH] = "wait-auth",
	[IKE_R_VERIFY] = "verify",
	[IKE_ESTABLISHED] = "established",
	[IKE_DEAD] = "dead",
};

const char *ike_state_name(enum ike_state s)
{
	return (unsigned)s < N_ELEMS(state_names) ? state_names[s] : "unknown";
}

struct isakmp_id ike_id_view(const struct ike_id *id)
{
	return (struct isakmp_id){ .type = id->type, .data = BYTES(id->data, id->len) };
}

struct ike_handshake *handshake_new(void)
{
	struct ike_handshake *hs = calloc(1, sizeof(*hs));

	if (hs)
		ike_resend_init(&hs->resend);
	return hs;
}

void handshake_free(struct ike_handshake *hs)
{
	if (!hs)
		return;
	ike_resend_clear(&hs->resend);
	dh_job_free(hs->dh);
	ike_pki_put(hs->pki);
	ike_kept_fini(&hs->id);
	ike_kept_fini(&hs->own_id);
	ike_kept_fini(&hs->chain);
	ike_kept_fini(&hs->other);
	free(hs->sai);
	explicit_bzero(hs, sizeof(*hs));
	free(hs);
}

void ike_sa_init(struct ike_sa *sa, const struct ike_conf *conf, const struct endpoint *local,
		 const struct endpoint *peer)
{
	*sa = (struct ike_sa){
		.role = IKE_INITIATOR,
		.state = IKE_IDLE,
		.conf = conf,
		.local = *local,
		.peer = *peer,
		.deadline = MONO_NEVER,
		.expires = MONO_NEVER,
	};
}

void ike_sa_fini(struct ike_sa *sa)
{
	handshake_free(sa->hs);
	ike_stored_fini(&sa->stored);
	frag_fini(&sa->frag);
	cert_free(sa->peer_cert);
	explicit_bzero(sa, sizeof(*sa));
}

void ike_sa_set_state(struct ike_sa *sa, mono_t now, enum ike_state next)
{
	sa->state = next;
	if (next == IKE_I_KEYGEN || next == IKE_I_DERIVE || next == IKE_I_SIGN ||
	    next == IKE_I_VERIFY) // a job that never comes back
		sa->deadline = mono_add_s(now, HANDSHAKE_DEFAULT_S);
	if (next == IKE_ESTABLISHED) {
		memcpy(sa->keys.last_block, sa->hs->iv, sizeof(sa->keys.last_block));
		sa->expires = mono_add_s(now, sa->life_s);
		sa->deadline = sa->expires;
	}
	if (next == IKE_DEAD) {
		secret_fini(&sa->keys.skeyid_a);
		secret_fini(&sa->keys.key);
		ike_stored_fini(&sa->stored);
		frag_fini(&sa->frag);
		sa->deadline = MONO_NEVER;
	}
	if (next == IKE_ESTABLISHED || next == IKE_DEAD) {
		handshake_free(sa->hs);
		sa->hs = NULL;
	}
}

void ike_sa_kill(struct ike_sa *sa, enum ike_reason why)
{
	if (sa->state == IKE_DEAD)
		return;
	sa->reason = why;
	ike_sa_set_state(sa, MONO_NEVER, IKE_DEAD);
}

enum ike_reason ike_kept_set(struct ike_kept *k, struct bytes b, uint8_t type)
{
	ike_kept_fini(k);
	k->b = malloc(b.len > 0 ? b.len : 1);
	if (!k->b)
		return IKE_R_NO_MEMORY;
	if (b.len > 0)
		memcpy(k->b, b.p, b.len);
	k->len = b.len;
	k->type = type;
	return IKE_R_OK;
}

void ike_kept_fini(struct ike_kept *k)
{
	free(k->b);
	*k = (struct ike_kept){ NULL };
}

int ike_sa_init_responder(struct ike_sa *sa, mono_t now, const struct ike_responder_seed *seed)
{
	uint32_t handshake_s = seed->conf->handshake_s;

	ike_sa_init(sa, seed->conf, &seed->local, &seed->peer);
	sa->role = IKE_RESPONDER;
	memcpy(sa->cky_i, seed->cky_i, sizeof(sa->cky_i));
	memcpy(sa->cky_r, seed->cky_r, sizeof(sa->cky_r));
	sa->doi = seed->doi;
	sa->suite = seed->suite;
	sa->life_s = seed->life_s;
	sa->peer_dpd = seed->peer_dpd;
	sa->peer_conclave = seed->peer_conclave;
	sa->peer_fragments = seed->peer_fragments;
	sa->peer_natt = seed->peer_natt;
	sa->peer_major = seed->peer_major;
	sa->peer_minor = seed->peer_minor;
	sa->peer_features = seed->peer_features;
	sa->deadline = mono_add_s(now, handshake_s ? handshake_s : HANDSHAKE_DEFAULT_S);
	sa->hs = handshake_new();
	if (!sa->hs)
		return -ENOMEM;
	sa->hs->sai = malloc(seed->sai.len);
	if (!sa->hs->sai) {
		ike_sa_fini(sa);
		return -ENOMEM;
	}
	sa->hs->sai_len = seed->sai.len;
	memcpy(sa->hs->sai, seed->sai.p, seed->sai.len);
	ike_sa_set_state(sa, now, IKE_R_WAIT_KE);
	return 0;
}

bool ike_peer_is(const struct ike_sa *sa, const struct id_pattern *p, size_t n)
{
	struct bytes id = BYTES(sa->peer_id.data, sa->peer_id.len);

	for (size_t i = 0; (sa->peer_cert || sa->name_proved) && i < n; i++) {
		if (id_pattern_match(&p[i], sa->peer_id.type, id) ||
		    (sa->peer_cert && id_pattern_match_cert(&p[i], sa->peer_cert)))
			return true;
	}
	return false;
}

const char *ike_peer_str(const struct ike_sa *sa, char buf[IKE_PEER_STRLEN])
{
	struct isakmp_id id = ike_id_view(&sa->peer_id);
	char text[ISAKMP_ID_STRLEN];

	_Static_assert(IKE_PEER_STRLEN >= DN_STRLEN, "dn_text fills it");
	if (id.type == ISAKMP_ID_DN)
		return dn_text(id.data, buf);
	snprintf(buf, IKE_PEER_STRLEN, "%s", isakmp_id_str(&id, text));
	return buf;
}
