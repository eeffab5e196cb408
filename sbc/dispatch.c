/*
 * dispatch.c - the front door: one table, method -> who deals with it
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Requests inside a dialog go straight to their leg; what comes here belongs
 * to none.  Unknown and refused methods never get this far (sip/receive.c).
 */
#include "sbc.h"

#include <stdio.h>

#include "core/rand.h"

/* Spread the second tries. */
static void refuse_busy(struct sip_request *req)
{
	char after[8];
	struct sip_header h = {"Retry-After", after};

	snprintf(after, sizeof(after), "%u", 2 + rand_below(9));
	sip_request_answer(req, &(struct sip_message){
					.status = 503,
					.headers = &h,
					.n_headers = 1,
				});
}

static void invite(struct sbc *sbc, struct sip_request *req)
{
	if (sbc->stopping || sip_is_overloaded(sbc->sip)) {
		refuse_busy(req);
		return;
	}
	calls_invite(sbc->calls, req);
}

static void register_(struct sbc *sbc, struct sip_request *req)
{
	registrar_register(sbc->registrar, req);
}

static void subscribe(struct sbc *sbc, struct sip_request *req)
{
	if (sbc->stopping || sip_is_overloaded(sbc->sip))
		refuse_busy(req);
	else
		passes_subscribe(sbc->passes, req);
}

static void pass(struct sbc *sbc, struct sip_request *req)
{
	if (sbc->stopping || sip_is_overloaded(sbc->sip))
		refuse_busy(req);
	else
		passes_request(sbc->passes, req);
}

/* What phones use as a ping, and what asks for our abilities (RFC 3261 11). */
static void options(struct sbc *sbc, struct sip_request *req)
{
	const struct sip_header headers[] = {
		{"Allow", sip_allowed(sbc->sip)},
		{"Accept", "application/sdp"},
		{"Accept-Encoding", "identity"},
		{"Accept-Language", "en"},
	};

	if (passes_is_for_user(sbc->passes, sip_request_view(req))) {
		pass(sbc, req);
		return;
	}
	sip_request_answer(req, &(struct sip_message){
					.status = 200,
					.headers = headers,
					.n_headers = 4,
				});
}

static void no_dialog(struct sbc *sbc, struct sip_request *req)
{
	sip_request_answer(req, &(struct sip_message){.status = 481});
}

/* It would make us call somebody in the name of whoever asks (RFC 3515 5). */
static void forbidden(struct sbc *sbc, struct sip_request *req)
{
	sip_request_answer(req, &(struct sip_message){.status = 403});
}

static void drop(struct sbc *sbc, struct sip_request *req)
{
	sip_request_drop(req);
}

static void (*const handlers[])(struct sbc *sbc, struct sip_request *req) = {
	[SIP_INVITE] = invite,    [SIP_REGISTER] = register_,
	[SIP_OPTIONS] = options,  [SIP_ACK] = drop,
	[SIP_BYE] = no_dialog,    [SIP_INFO] = no_dialog,
	[SIP_CANCEL] = no_dialog, [SIP_UPDATE] = no_dialog,
	[SIP_PRACK] = no_dialog,  [SIP_SUBSCRIBE] = subscribe,
	[SIP_NOTIFY] = pass,      [SIP_MESSAGE] = pass,
	[SIP_PUBLISH] = pass,     [SIP_REFER] = forbidden,
};

bool dispatch_may_answer(void *arg, const struct sip_flow *flow,
			 const char *realm)
{
	struct sbc *sbc = arg;
	const struct conf_realm *r = config_realm(sbc->config, realm);

	if (!r || r->strangers == CONF_ANSWER)
		return true;
	return screen_class_of(sbc->screen, &flow->remote, clock_mono()) !=
	       SCREEN_UNKNOWN;
}

/*
 * In a realm that is silent to strangers a phone must still be able to come
 * in: what names a user that we have is answered, everything else is not.
 */
static bool names_a_phone(struct sbc *sbc, const struct sip_view *view)
{
	switch (view->method) {
	case SIP_REGISTER:
	case SIP_INVITE:
	case SIP_SUBSCRIBE:
	case SIP_MESSAGE:
	case SIP_PUBLISH:
		break;
	default:
		return false;
	}
	return view->from.user && config_phone_by_user(sbc->config, view->realm,
						       str_of(view->from.user));
}

/* The library cannot close a socket that a reload took out of the
 * configuration, or whose address went: what comes there is not ours. */
static bool is_open_here(const struct sbc *sbc, const struct sip_flow *flow)
{
	struct sip_listener l;

	for (unsigned i = 0; sip_listener_at(sbc->sip, i, &l); i++) {
		if (l.transport == flow->transport &&
		    addr_equal(&l.local, &flow->local))
			return l.up;
	}
	return false;
}

/* What another box of ours sealed proves who it is: it may ask even where
 * strangers get no answer. */
static bool is_from_box(struct sbc *sbc, struct sip_request *req)
{
	const struct sip_view *view = sip_request_view(req);
	int status;

	if (view->method != SIP_OPTIONS || !view->uri.user)
		return false;
	status = registrar_hear(sbc->registrar, view);
	if (!status)
		status = calls_hear(sbc->calls, view);
	if (status)
		sip_request_answer(req,
				   &(struct sip_message){.status = status});
	return status != 0;
}

bool dispatch_stray(void *arg, struct sip_request *req)
{
	struct sbc *sbc = arg;

	return sbc->calls && !sbc->stopping &&
	       is_open_here(sbc, &sip_request_view(req)->flow) &&
	       calls_stray(sbc->calls, req);
}

void dispatch(void *arg, struct sip_request *req)
{
	struct sbc *sbc = arg;
	const struct sip_view *view = sip_request_view(req);
	enum sip_method method = view->method;

	if (is_open_here(sbc, &view->flow) && is_from_box(sbc, req))
		return;
	if (!is_open_here(sbc, &view->flow) ||
	    (!dispatch_may_answer(sbc, &view->flow, view->realm) &&
	     !names_a_phone(sbc, view)))
		sip_request_drop(req);
	else if (method < sizeof(handlers) / sizeof(*handlers) &&
		 handlers[method])
		handlers[method](sbc, req);
	else
		sip_request_answer(req, &(struct sip_message){.status = 501});
}
