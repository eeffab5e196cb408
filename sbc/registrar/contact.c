/*
 * contact.c - a Contact that names another address than the REGISTER came from
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Mostly a NAT's doing: requests go to the source.  But it may be meant: a
 * third party registers for the phone, or another SBC stands there.  A public
 * Contact is asked once with OPTIONS; when it answers, requests go there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/rand.h"
#include "registrar/registrar_priv.h"

enum {
	PROBES_MAX = 64,
	PROBES_OF_PHONE = 4, /* whom it names hears from us: not many */
	TRIES = 3,
	AGAIN_MS = 1000,
};

struct probe {
	struct list node;
	struct registrar *owner;
	uint64_t token, id; /* @id of the binding, of phone section @phone */
	struct sip_flow flow;
	unsigned tries;
	struct timer timer;
	char phone[];
};

static void drop(struct probe *p)
{
	timer_cancel(p->owner->conf.loop, &p->timer);
	list_remove(&p->node);
	p->owner->n_probes--;
	free(p);
}

/* The binding, if it still waits for this probe. */
static struct binding *asker_of(const struct probe *p)
{
	struct binding *b = binding_by_id(p->owner, p->phone, p->id);
	struct addr a;

	if (!b || b->stated != STATED_ASKED || addr_parse_uri(&a, b->contact) ||
	    !addr_equal(&a, &p->flow.remote))
		return NULL;
	return b;
}

static void ask(void *arg)
{
	struct probe *p = arg;
	struct binding *b = asker_of(p);
	char user[LIMIT_USER_BYTES];
	struct sip_ping ping;
	struct str aor;

	if (!b || p->tries++ == TRIES) {
		if (b)
			b->stated = STATED_SILENT;
		drop(p);
		return;
	}
	aor = str_of(b->aor->text);
	str_copy(user, sizeof(user), str_cut(&aor, '@'));
	ping = (struct sip_ping){
		.token = p->token,
		.target = b->contact,
		.user = user,
		.host = aor.p,
	};
	sip_ping_options(p->owner->conf.sip, &p->flow, &ping);
	timer_set(p->owner->conf.loop, &p->timer, AGAIN_MS, ask, p);
}

static unsigned count_probes(const struct registrar *reg, const char *phone)
{
	unsigned n = 0;

	list_for_each (pos, &reg->probes)
		n += !strcmp(list_entry(pos, struct probe, node)->phone, phone);
	return n;
}

static void start(struct binding *b, const struct sip_flow *flow)
{
	struct registrar *reg = b->owner;
	size_t n = strlen(b->aor->phone) + 1;
	struct probe *p;

	if (contact_is_busy(reg) ||
	    count_probes(reg, b->aor->phone) >= PROBES_OF_PHONE)
		return; /* the next REGISTER tries again */
	p = calloc(1, sizeof(*p) + n);
	if (!p)
		return;
	p->owner = reg;
	p->id = b->id;
	p->flow = *flow;
	memcpy(p->phone, b->aor->phone, n);
	while (!p->token)
		rand_bytes(&p->token, sizeof(p->token));
	list_append(&reg->probes, &p->node);
	reg->n_probes++;
	b->stated = STATED_ASKED;
	/* Not before the REGISTER is answered. */
	timer_set(reg->conf.loop, &p->timer, 1, ask, p);
}

/* A trunk trusts us: with its address for a Contact, a phone could have us
 * call whatever number it likes. */
static bool is_trunk(const struct registrar *reg, const struct addr *a)
{
	const struct conf_trunk *trunks;
	size_t n = config_trunks(reg->config, &trunks);

	for (size_t i = 0; i < n; i++)
		for (unsigned h = 0; h < trunks[i].n_hosts; h++)
			if (addr_same_host(&trunks[i].hosts[h].addr, a))
				return true;
	return false;
}

/* Does the Contact of @b name a place, over UDP, that is not the source? */
static bool names_another(const struct binding *b, struct addr *out)
{
	return b->flow.transport == SIP_UDP &&
	       !strcasestr(b->contact, ";transport=tcp") &&
	       !addr_parse_uri(out, b->contact) &&
	       !addr_same_host(out, &b->flow.remote) &&
	       !is_trunk(b->owner, out);
}

/* A place that a stranger could be at. */
static bool is_public(const struct registrar *reg, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	return addr_class(a) == ADDR_GLOBAL &&
	       !sip_is_local(reg->conf.sip, addr_fmt_host(a, text));
}

/* Could the Contact mean another place, @out, where requests are to go? */
static bool may_be_meant(const struct binding *b,
			 const struct conf_phone *phone, struct addr *out)
{
	return phone->contact != CONF_CONTACT_SOURCE && names_another(b, out) &&
	       (phone->contact == CONF_CONTACT_STATED ||
		is_public(b->owner, out));
}

/* For each REGISTER: a route is looked for only where it is needed. */
void contact_look(struct binding *b, const struct conf_phone *phone)
{
	struct registrar *reg = b->owner;
	bool is_meant, asks = phone->contact == CONF_CONTACT_AUTO;
	struct sip_flow flow;
	struct addr a;

	is_meant = may_be_meant(b, phone, &a);
	if (is_meant && asks &&
	    (b->stated == STATED_ASKED || b->stated == STATED_SILENT))
		return;
	if (!is_meant ||
	    sip_flow_to(reg->conf.sip, b->realm, SIP_UDP, &a, &flow)) {
		way_set(b, &b->flow);
		b->stated = STATED_UNTRIED;
	} else if (!asks) {
		way_set(b, &flow);
		b->stated = STATED_UNTRIED;
	} else if (b->stated == STATED_UNTRIED) {
		way_set(b, &b->flow);
		start(b, &flow);
	}
}

void registrar_answered(struct registrar *reg, const struct sip_flow *flow,
			uint64_t token)
{
	list_for_each_safe (pos, &reg->probes) {
		struct probe *p = list_entry(pos, struct probe, node);
		const struct conf_realm *realm;
		struct sip_flow to = p->flow;
		struct binding *b;

		if (p->token != token ||
		    !addr_same_host(&to.remote, &flow->remote))
			continue;
		b = asker_of(p);
		drop(p);
		realm = b ? config_realm(reg->config, b->realm) : NULL;
		if (realm)
			way_honour(b, &to, realm);
		return;
	}
}

bool contact_is_busy(const struct registrar *reg)
{
	return reg->n_probes >= PROBES_MAX;
}

void contact_clear(struct registrar *reg)
{
	list_for_each_safe (pos, &reg->probes)
		drop(list_entry(pos, struct probe, node));
}
