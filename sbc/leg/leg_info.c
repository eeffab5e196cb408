/*
 * leg_info.c - INFO inside the dialog (RFC 6086, and the DTMF of many phones)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * They cross one at a time and in the order in which they came; a few may wait,
 * as keys are pressed faster than the other side answers.
 */
#include <errno.h>
#include <string.h>

#include "leg/leg_priv.h"

void info_in(struct leg *leg, struct sip_txn *txn, const struct sip_view *view)
{
	if (leg->n_info_in >= LEG_INFOS || leg->state != LEG_UP) {
		change_refuse(leg, txn, leg->state == LEG_UP ? 500 : 481);
		return;
	}
	leg->info_in[leg->n_info_in++] = txn;
	if (leg->n_info_in == 1)
		leg->conf.ops->info(leg->conf.arg, leg, view);
}

void leg_info_answer(struct leg *leg, int status)
{
	struct sip_txn *txn = leg->info_in[0];

	if (!leg->n_info_in)
		return;
	sip_txn_answer(txn, &(struct sip_message){.status = status});
	sip_txn_release(txn);
	leg->n_info_in--;
	memmove(leg->info_in, leg->info_in + 1,
		leg->n_info_in * sizeof(leg->info_in[0]));
	if (leg->n_info_in)
		leg->conf.ops->info(leg->conf.arg, leg,
				    sip_txn_view(leg->info_in[0]));
}

static void info_answered(void *arg, struct sip_txn *txn,
			  const struct sip_view *view)
{
	struct leg *leg = arg;

	if (view->status < 200)
		return;
	sip_txn_release(leg->info_out);
	leg->info_out = NULL;
	leg->conf.ops->info_answered(leg->conf.arg, leg, view->status);
}

int leg_info(struct leg *leg, const struct sip_view *info)
{
	struct sip_message m = {
		.method = SIP_INFO,
		.content_type = info->body.n ? info->content_type : NULL,
		.body = info->body,
	};

	if (leg->state != LEG_UP || leg->info_out)
		return -EAGAIN;
	return leg_request(leg, &leg->info_out, &m, info_answered);
}

void info_release(struct leg *leg)
{
	while (leg->n_info_in)
		sip_txn_release(leg->info_in[--leg->n_info_in]);
	sip_txn_release(leg->info_out);
	leg->info_out = NULL;
}
