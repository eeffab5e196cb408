/*
 * reg_history.c - each change of the way to a phone as a row in the store, so
 * that "was 204 reachable at 14:03?" has an answer with its proof
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "registrar/registrar_priv.h"

enum {
	REASON_BYTES = 512,
	RARELY_S = 3600, /* "learned" and "verdict" of one binding */
};

/* When the last packet came from there, in wall time; 0 = never. */
static wall_ms proved_at(const struct binding *b, const struct keep_info *was)
{
	wall_ms heard =
		was->heard ? clock_wall() - (clock_mono() - was->heard) : 0;

	return heard > b->last_seen ? heard : b->last_seen;
}

/* Too soon for one more?  Notes the time otherwise. */
static bool is_too_soon(struct binding *b, const char *event)
{
	uint32_t now = (uint32_t)(clock_mono() / 1000) + 1;
	uint32_t *told = NULL;

	if (!strcmp(event, "learned"))
		told = &b->told_learned_s;
	else if (!strcmp(event, "verdict"))
		told = &b->told_verdict_s;
	if (!told)
		return false;
	if (*told && now - *told < RARELY_S)
		return true;
	*told = now;
	return false;
}

/* What was sent since the last row; the engine may have begun anew. */
static uint32_t since(uint32_t told, uint32_t total)
{
	return total >= told ? total - told : total;
}

static void put(struct binding *b, struct history_row *row)
{
	char reason[REASON_BYTES];
	struct buf text;

	buf_init(&text, reason, sizeof(reason));
	nat_reason(&text, &b->nat, &b->flow.remote);
	row->reason = reason;
	row->phone = b->aor->phone;
	row->aor = b->aor->text;
	row->binding = b->id;
	row->transport = b->to.transport;
	row->source = b->to.remote;
	row->local = b->to.local;
	row->expires_at = clock_wall() + (b->expires - clock_mono());
	store_history_add(b->owner->conf.store, row);
}

void history_tell(struct binding *b, const char *event, const char *cause,
		  const struct keep_info *was)
{
	struct keep_info now = {0};
	struct history_row row = {
		.at = clock_wall(),
		.event = event,
		.cause = cause,
	};

	if (is_too_soon(b, event))
		return;
	keepalive_look(&b->keep, &now);
	if (!was)
		was = &now;
	row.pings = since(b->told_sent, was->sent);
	row.unanswered = since(b->told_unanswered, was->unanswered);
	b->told_sent = now.sent;
	b->told_unanswered = now.unanswered;
	row.proved_at = proved_at(b, was);
	row.n_rtt = was->n_rtt;
	if (row.n_rtt > sizeof(row.rtt_us) / sizeof(*row.rtt_us))
		row.n_rtt = sizeof(row.rtt_us) / sizeof(*row.rtt_us);
	memcpy(row.rtt_us, was->rtt_us, row.n_rtt * sizeof(*row.rtt_us));
	put(b, &row);
}

void history_restored(struct binding *b)
{
	struct history_row row = {
		.at = b->owner->started,
		.event = b->lost ? "lost" : "restored",
		.cause = "restart",
		.proved_at = b->last_seen < b->owner->started
				     ? b->last_seen
				     : b->owner->started,
	};

	put(b, &row);
}

void history_not_restored(struct registrar *reg, const struct binding_row *row,
			  const char *cause)
{
	store_history_add(reg->conf.store,
			  &(struct history_row){
				  .at = reg->started,
				  .phone = row->phone,
				  .aor = row->aor,
				  .binding = row->id,
				  .event = "gone",
				  .cause = cause,
				  .transport = row->transport,
				  .source = row->source,
				  .local = row->local,
				  .expires_at = row->expires_at,
				  .proved_at = row->last_seen,
			  });
}
