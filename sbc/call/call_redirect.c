/*
 * call_redirect.c - a target says who is to be called instead (RFC 3261 8.1.3.4)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The contacts of a 300, 301 or 302 are asked one after the other, the dearest
 * first, once no fork of the target rings any more.  What counts of them is the
 * number: it is looked up as if the one who redirects had dialled it, so that
 * nobody can have us call where he may not call himself, and never a host that
 * he names.
 */
#include <string.h>

#include "call/call_priv.h"
#include "core/log.h"

static void insert(struct call *call, const struct call_redirect *r)
{
	unsigned at = call->n_redirects;

	if (at == CALL_REDIRECTS)
		return; /* what loops ends here */
	while (at > call->next_redirect && call->redirects[at - 1].q < r->q) {
		call->redirects[at] = call->redirects[at - 1];
		at--;
	}
	call->redirects[at] = *r;
	call->n_redirects++;
}

static bool is_followed(int status)
{
	return status >= 300 && status <= 302;
}

void redirect_take(void *arg, struct leg *leg, const struct sip_view *view)
{
	struct call *call = arg;
	struct sip_refer_to to;

	if (call->state != CALL_RINGING || !is_followed(view->status))
		return;
	for (unsigned i = 0; i < view->n_contacts; i++) {
		struct call_redirect r = {.is_trunk = leg_is_trunk(leg),
					  .q = view->contacts[i].q};

		if (sip_refer_to_parse(&to, str_of(view->contacts[i].uri)) ||
		    !to.user[0])
			continue;
		str_copy(r.user, sizeof(r.user), str_of(to.user));
		str_copy(r.host, sizeof(r.host), str_of(to.host));
		str_copy(r.peer, sizeof(r.peer), str_of(leg_peer(leg)));
		str_copy(r.realm, sizeof(r.realm), str_of(leg_realm(leg)));
		insert(call, &r);
	}
}

bool redirect_is_pending(const struct call *call)
{
	return call->next_redirect < call->n_redirects;
}

/* Where @r leads, by the snapshot that the call holds: a later one may be gone
 * while the target still rings.  The status when it leads nowhere. */
static int resolve(struct call *call, const struct call_redirect *r)
{
	struct registrar_peer by;
	struct route_result to;
	uint64_t only;
	int status;

	if (call_peer(call->config, r->realm, r->peer, r->is_trunk, &by))
		return 480;
	status = setup_find_targets(call->owner, call->config, &by, r->host,
				    r->user, call->targets.calling, &to, &only);
	if (status)
		return status;
	call->caller = by; /* in whose name, and at whose cost, it goes on */
	call->targets = to;
	call->next_target = 0;
	call->only = only;
	call->target_stops = false;
	return 0;
}

bool redirect_next(struct call *call)
{
	while (redirect_is_pending(call) && call->best < 600) {
		const struct call_redirect *r =
			&call->redirects[call->next_redirect++];
		int status = resolve(call, r);

		log_info("call.redirected", kv_s("call", call->id),
			 kv_s("by", r->peer), kv_s("to", r->user),
			 kv_i("status", status));
		if (!status)
			return true;
		setup_note_failure(call, status);
	}
	return false;
}
