/*
 * leg_policy.c - which codecs and kinds of media a leg's peer may use
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What a peer says is stripped when it is read, so that nothing of it that it
 * may not use gets to the other side; what it is told is stripped and put in
 * order when it is written.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "leg/leg_priv.h"

_Static_assert((int)CONF_MEDIA_AUDIO == SDP_AUDIO &&
		       (int)CONF_MEDIA_VIDEO == SDP_VIDEO &&
		       (int)CONF_MEDIA_IMAGE == SDP_IMAGE &&
		       (int)CONF_MEDIA_OTHER == SDP_OTHER,
	       "the bits of the configuration are those of sdp/");

int policy_init(struct leg *leg, const struct conf_policy *conf)
{
	struct leg_policy *p = &leg->policy;
	size_t bytes;

	p->sdp.media = SDP_AUDIO | SDP_VIDEO | SDP_IMAGE | SDP_OTHER;
	if (!conf)
		return 0;
	p->sdp.media = conf->media;
	leg->keys.option = conf->dtmf;
	p->ptime_ms = conf->ptime_ms;
	bytes = conf->n_codecs * sizeof(*conf->codecs);
	if (!bytes)
		return 0;
	p->codecs = malloc(bytes);
	if (!p->codecs)
		return -ENOMEM;
	memcpy(p->codecs, conf->codecs, bytes);
	p->sdp.codecs = (const char(*)[LIMIT_NAME_BYTES])p->codecs;
	p->sdp.n_codecs = conf->n_codecs;
	return 0;
}

void policy_free(struct leg *leg)
{
	free(leg->policy.codecs);
}

void policy_strip(const struct leg *leg, struct sdp *sdp)
{
	struct str formats[LIMIT_SDP_FORMATS];

	for (unsigned i = 0; i < sdp->n_media; i++) {
		struct sdp_media *m = &sdp->media[i];
		unsigned n =
			sdp_policy_formats(m, &leg->policy.sdp, false, formats);

		if (n) {
			memcpy(m->formats, formats, n * sizeof(*formats));
			m->n_formats = n;
		} else {
			m->port = 0;
		}
	}
}

int policy_fit(const struct leg *leg, struct sdp *sdp, bool is_offer,
	       leg_formats *mem)
{
	unsigned before = 0, left = 0;

	for (unsigned i = 0; i < sdp->n_media; i++) {
		struct sdp_media *m = &sdp->media[i];
		unsigned n;

		if (!sdp_can_relay(m))
			continue;
		before++;
		n = sdp_policy_formats(m, &leg->policy.sdp, is_offer, mem[i]);
		if (!n) {
			m->port = 0;
			continue;
		}
		left++;
		m->formats = mem[i];
		m->n_formats = n;
		keys_fit(leg, m, is_offer);
		if (leg->policy.ptime_ms && str_eq_c(m->type, "audio"))
			m->ptime = leg->policy.ptime_ms;
	}
	return before && !left ? -EINVAL : 0;
}
