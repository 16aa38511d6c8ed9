#include "ks/nat.h"

#include "common/ike/natt.h"

// With the key of its NAT's address a peer may call itself what it likes: it is not who proved that
// name.
struct member_name ks_nat_name(const struct ike_sa *sa)
{
	const struct isakmp_id id = ike_id_view(&sa->peer_id);
	bool proved = sa->peer_cert || sa->name_proved;

	return (struct member_name){ sa->peer.addr,
				     sa->peer_behind_nat ? member_behind(&id, proved) : 0 };
}

struct addr ks_nat_inner(const struct ike_sa *sa)
{
	const struct isakmp_id id = ike_id_view(&sa->peer_id);
	struct addr a;

	return sa->peer_behind_nat && isakmp_id_to_addr(&id, &a) ? a : (struct addr){ 0 };
}

void ks_nat_move(struct ks_group *g, struct member *m, const struct endpoint *from,
		 const struct endpoint *to, struct ks_out *out)
{
	char gm[MEMBER_STRLEN];
	struct logctx who;

	ks_group_logctx(g, &who);
	ks_out_line(out, LOG_M_PULL, LOG_L_NOTICE, &who, "gm=%s is at port %u of its NAT now",
		    member_str(m, gm), from->port);
	m->remote.port = from->port;
	m->local = *to;
	ks_out_touch(out, g->identity, member_name(m));
}

void ks_nat_arrived(struct ks *ks, const struct ike_sa *sa, struct ks_out *out)
{
	const struct member_name name = ks_nat_name(sa);

	for (size_t i = 0; name.behind && i < ks->n_groups; i++) {
		struct member *m = members_named(&ks->group[i]->members, &name);

		if (m && !endpoint_eq(&m->remote, &sa->peer))
			ks_nat_move(ks->group[i], m, &sa->peer, &sa->local, out);
	}
}

void ks_nat_follow(struct ks_call *c, struct ike_sa *sa)
{
	const struct endpoint *from = &c->ev->from, *to = &c->ev->to;

	if (endpoint_eq(from, &sa->peer) || !natt_may_follow(sa, from, to))
		return;
	natt_follow(sa, from, to);
	ks_nat_arrived(c->ks, sa, c->out);
}

void ks_nat_tell(const struct ks_group *g, const struct ike_sa *sa, struct ks_out *out)
{
	char gm[ENDPOINT_STRLEN];
	struct logctx who;

	if (!natt_seen(sa))
		return;
	ks_group_logctx(g, &who);
	ks_out_event(out, EV_NAT_DETECTED, &who, "gm=%s behind=%s: " NATT_MEANS,
		     endpoint_str(&sa->peer, gm),
		     sa->behind_nat && sa->peer_behind_nat ? "both"
		     : sa->behind_nat			   ? "key-server"
							   : "member");
}
