/*
 * who.c - who sends a request that is in no dialog
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The same for calls and for everything that is none: a trunk is known by its
 * source (contract, config trunk), a phone by its password alone.
 */
#include "registrar/registrar_priv.h"

const struct conf_trunk *registrar_trunk_of(const struct registrar *reg,
					    const struct sip_view *view)
{
	const struct registrar_conf *conf = &reg->conf;
	enum conf_transport transport =
		view->flow.transport == SIP_TCP ? CONF_TCP : CONF_UDP;

	return conf->trunk_at
		       ? conf->trunk_at(conf->arg, view->realm,
					&view->flow.remote, transport)
		       : config_trunk_by_source(reg->config, view->realm,
						&view->flow.remote, transport);
}

bool registrar_identify(struct registrar *reg, struct sip_request *req,
			struct registrar_peer *out)
{
	const struct sip_view *view = sip_request_view(req);
	struct sip_challenge challenge;
	enum sip_auth_verdict verdict;
	struct sip_message m = {.status = 503};

	*out = (struct registrar_peer){
		.realm = config_realm(reg->config, view->realm)};
	if (!out->realm) {
		/* the realm left with a reload */
		sip_request_answer(req, &m);
		return false;
	}
	out->trunk = registrar_trunk_of(reg, view);
	if (out->trunk)
		return true;
	verdict = sip_auth_check(reg->conf.auth, view, reg->config, out->realm,
				 &out->phone);
	if (verdict == SIP_AUTH_OK)
		return true;
	m = sip_auth_refusal(reg->conf.auth, view, out->realm, verdict,
			     &challenge);
	sip_request_answer(req, &m);
	return false;
}
