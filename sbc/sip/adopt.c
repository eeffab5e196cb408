/*
 * adopt.c - dialogs that another box made, or that go by way of one
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A box that shares our key may hand us the names of a dialog of its own: from
 * then on it is a dialog here.  Nothing is lost with the other box but the
 * numbers of its requests, so ours go on far above (RFC 3261 12.2.1.1).
 */
#include <errno.h>
#include <string.h>

#include "sip/stack.h"

int sip_dialog_name(struct sip_dialog *d, struct sip_txn *txn, const char *user)
{
	const char *escaped;
	int err = address_user(&escaped, d->home, user);

	if (err)
		return err;
	d->contact_user = escaped;
	d->is_named = true;
	if (!txn || !txn->msg)
		return 0;
	txn->contact_user = su_strdup(msg_home(txn->msg), escaped);
	return txn->contact_user || !escaped ? 0 : -ENOMEM;
}

static const char *put_text(struct buf *b, const char *text)
{
	const char *at = b->p + b->n;

	buf_puts(b, text);
	buf_put(b, "", 1);
	return at;
}

static const char *put_routes(struct buf *b, su_home_t *home,
			      const sip_route_t *set)
{
	const char *at = b->p + b->n;

	for (; set; set = set->r_next) {
		sip_route_t one = *set;
		char *text;

		one.r_next = NULL;
		text = sip_header_as_string(home, (sip_header_t *)&one);
		buf_printf(b, "%s%s", *at ? ", " : "", text ? text : "");
	}
	buf_put(b, "", 1);
	return *at ? at : NULL;
}

int sip_dialog_ids(const struct sip_dialog *d, struct sip_dialog_ids *out,
		   char *mem, size_t cap)
{
	const sip_contact_t *contact = NULL;
	const sip_route_t *route = NULL;
	const char *local = nta_leg_get_tag(d->leg);
	const char *remote = nta_leg_get_rtag(d->leg), *target;
	su_home_t home[1] = {SU_HOME_INIT(home)};
	struct sip_dialog_ids ids;
	struct buf b;

	nta_leg_get_route(d->leg, &route, &contact);
	su_home_init(home);
	target = contact ? url_as_string(home, contact->m_url) : NULL;
	buf_init(&b, mem, cap);
	ids.call_id = put_text(&b, d->call_id);
	ids.local_tag = local ? put_text(&b, local) : NULL;
	ids.remote_tag = remote ? put_text(&b, remote) : NULL;
	ids.target = target ? put_text(&b, target) : NULL;
	ids.route = put_routes(&b, home, route);
	su_home_deinit(home);
	if (b.overflow)
		return -ENOSPC;
	*out = ids;
	return 0;
}

int sip_dialog_aim(struct sip_dialog *d, const struct sip_dialog_ids *ids)
{
	sip_route_t *route = NULL;
	sip_contact_t *contact;
	url_t *target;
	int err = address_target(&target, d->home, ids->target);

	if (err)
		return err;
	contact = sip_contact_create(d->home, (url_string_t *)target, NULL);
	if (ids->route)
		route = sip_route_make(d->home, ids->route);
	if (!contact || (ids->route && !route))
		return -EINVAL;
	/* Only a caller's route set may be replaced, and that comes to it the
	 * other way round. */
	return nta_leg_client_reroute(d->leg, sip_route_reverse(d->home, route),
				      contact, true) < 0
		       ? -ENOMEM
		       : 0;
}

static int adopt_leg(struct sip_dialog *d, sip_to_t *to,
		     const struct sip_dialog_ids *ids)
{
	d->leg = nta_leg_tcreate(d->sip->agent, dialog_on_request, d,
				 SIPTAG_CALL_ID_STR(d->call_id),
				 SIPTAG_FROM(d->local), SIPTAG_TO(to),
				 TAG_END());
	return d->leg ? sip_dialog_aim(d, ids) : -ENOMEM;
}

int sip_dialog_adopt(struct sip_dialog **out, struct sip_stack *sip,
		     const struct sip_dialog_conf *conf,
		     const struct sip_dialog_ids *ids, uint32_t cseq)
{
	const struct address_local local = {
		.user = conf->local_user,
		.host = conf->local_host,
		.tag = ids->local_tag,
		.flow = &conf->flow,
	};
	struct sip_dialog *d;
	sip_to_t *to;
	int err;

	if (!is_token(ids->remote_tag))
		return -EINVAL;
	err = dialog_new(&d, sip, conf);
	if (err)
		return err;
	d->first_cseq = cseq;
	err = str_copy(d->call_id, sizeof(d->call_id), str_of(ids->call_id));
	if (!err)
		err = address_target(&d->target, d->home, ids->target);
	if (!err)
		err = address_from(&d->local, d->home, &local);
	if (!err)
		err = address_to(&to, d->home, conf->remote_user,
				 conf->remote_host ? conf->remote_host
						   : d->target->url_host);
	if (!err && sip_to_tag(d->home, to, ids->remote_tag) < 0)
		err = -ENOMEM;
	if (!err)
		err = adopt_leg(d, to, ids);
	if (err)
		goto fail;
	*out = d;
	return 0;
fail:
	sip_dialog_destroy(d);
	return err;
}

void sip_dialog_mirror(struct sip_dialog *a, struct sip_dialog *b)
{
	a->mirror = b;
	b->mirror = a;
}

void sip_dialog_hold_target(struct sip_dialog *d, bool is_held)
{
	d->holds_target = is_held;
}

int sip_dialog_detour(struct sip_dialog *d, const char *route)
{
	d->detour = route ? su_strdup(d->home, route) : NULL;
	return route && !d->detour ? -ENOMEM : 0;
}
