/*
 * early.c - early dialogs of an INVITE of ours (RFC 3261 12.1, 13.2.2.4), and
 * PRACK in them (RFC 3262 4)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Whoever answers a forked INVITE has a To-tag, a route set, a target and a
 * count of requests of his own.  The first one is the dialog's own leg, those
 * after it stand beside; the 2xx says which of them stays.
 */
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "sip/stack.h"

static bool has_tag(nta_leg_t *leg, const char *tag)
{
	const char *have = nta_leg_get_rtag(leg);

	return have && tag && !strcasecmp(have, tag);
}

/* Its place in the dialog; NULL = none. */
static nta_leg_t **leg_with(struct sip_dialog *d, const char *tag)
{
	if (has_tag(d->leg, tag))
		return &d->leg;
	for (unsigned i = 0; i < d->n_forks; i++) {
		if (has_tag(d->forks[i], tag))
			return &d->forks[i];
	}
	return NULL;
}

static nta_leg_t *fork_of(struct sip_dialog *d, const struct sip_view *answer)
{
	const sip_t *s = answer->msg;
	char cseq[16];

	snprintf(cseq, sizeof(cseq), "%u", answer->cseq);
	return nta_leg_tcreate(d->sip->agent, dialog_on_request, d,
			       SIPTAG_CALL_ID(s->sip_call_id),
			       SIPTAG_FROM(d->local), SIPTAG_TO(s->sip_to),
			       SIPTAG_CSEQ_STR(cseq), TAG_END());
}

int sip_dialog_early(struct sip_dialog *d, const struct sip_view *answer)
{
	const sip_t *s = answer->msg;
	nta_leg_t *leg = d->leg;

	if (!s || !answer->status || !answer->to_tag || !d->local)
		return -EINVAL;
	if (leg_with(d, answer->to_tag))
		return 0;
	if (!nta_leg_get_rtag(leg)) {
		nta_leg_rtag(leg, answer->to_tag);
		d->is_early = true;
	} else if (!d->is_early) {
		return -EINVAL;
	} else if (d->n_forks == SIP_EARLY_FORKS) {
		return -ENOSPC;
	} else {
		leg = fork_of(d, answer);
		if (!leg)
			return -ENOMEM;
		d->forks[d->n_forks++] = leg;
	}
	nta_leg_client_route(leg, s->sip_record_route,
			     dialog_usable_contact(s));
	return 0;
}

void sip_dialog_prefer(struct sip_dialog *d, const char *to_tag)
{
	nta_leg_t **at = leg_with(d, to_tag), *leg;

	if (!at)
		return;
	leg = *at;
	*at = d->leg;
	d->leg = leg;
}

void early_end(struct sip_dialog *d)
{
	for (unsigned i = 0; i < d->n_forks; i++)
		nta_leg_destroy(d->forks[i]);
	d->n_forks = 0;
	d->is_early = false;
}

void early_establish(struct sip_dialog *d, const struct sip_view *answer)
{
	nta_leg_t **at = leg_with(d, answer->to_tag), *won;
	const sip_t *s = answer->msg;

	won = at ? *at : fork_of(d, answer);
	if (won && won != d->leg) {
		if (at)
			*at = d->leg;
		else
			nta_leg_destroy(d->leg);
		d->leg = won;
	}
	early_end(d);
	/* RFC 3261 13.2.2.4: the 2xx counts, also for the route set. */
	nta_leg_client_reroute(d->leg, s->sip_record_route,
			       dialog_usable_contact(s), 1);
}

int sip_dialog_prack(struct sip_dialog *d, const struct sip_rack *rack,
		     const char *to_tag, const struct sip_message *m)
{
	struct sip_header headers[SIP_RELIABLE_HEADERS + 1];
	nta_leg_t **leg = leg_with(d, to_tag);
	struct sip_message prack = *m;
	char text[48];

	if (!leg || m->n_headers > SIP_RELIABLE_HEADERS)
		return -EINVAL;
	snprintf(text, sizeof(text), "%u %u INVITE", rack->rseq, rack->cseq);
	for (unsigned i = 0; i < m->n_headers; i++)
		headers[i] = m->headers[i];
	headers[prack.n_headers++] = (struct sip_header){"RAck", text};
	prack.headers = headers;
	prack.status = 0;
	prack.method = SIP_PRACK;
	return dialog_send(d, *leg, NULL, &prack, NULL, NULL);
}
