/*
 * call_identity.c - who calls, and who may know it
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Trust ends at each trunk that has not `trust_identity`, and at every phone
 * (RFC 3324): identity headers of theirs are not read, and none of anybody's
 * go there but the one of the caller that option identity names.
 *
 *                    the caller wants to be known    he does not
 *   phone            From: number                    From: anonymous
 *   trunk            From: number, identity          From: anonymous, Privacy
 *   trusted trunk    the same, diversions            From: anonymous, identity,
 *                                                    Privacy, diversions
 *
 * "Does not" is Privacy (RFC 3323) or a From that is anonymous.  Numbers are
 * all that crosses: hosts are those of the side where a header goes.
 */
#include <stdio.h>
#include <string.h>

#include "call/call_priv.h"
#include "call/identity.h"

static bool is_anonymous(const char *user)
{
	return user && str_case_eq_c(str_of(user), "anonymous");
}

static bool is_trusted(const struct registrar_peer *caller)
{
	return caller->trunk && caller->trunk->trust_identity;
}

/* ---- in ------------------------------------------------------------------- */

/* The first value of header @name that names the caller. */
static bool read_caller(const struct sip_view *view, const char *name,
			struct identity_addr *out)
{
	const char *value;

	for (unsigned i = 0; i < 4 && (value = sip_view_header(view, name, i));
	     i++) {
		struct str party;

		if (identity_read(out, str_of(value)))
			continue;
		party = identity_param(out->params, "party");
		if (!party.n || str_case_eq_c(party, "calling"))
			return true;
	}
	return false;
}

bool identity_number(const struct registrar_peer *caller,
		     const struct sip_view *view, char mem[LIMIT_USER_BYTES])
{
	struct identity_addr who;

	if (!is_trusted(caller) ||
	    (!read_caller(view, "P-Asserted-Identity", &who) &&
	     !read_caller(view, "Remote-Party-ID", &who)))
		return false;
	str_copy(mem, LIMIT_USER_BYTES, str_of(who.user));
	return true;
}

/* Remote-Party-ID's own way to say it. */
static bool hides_by_rpid(const struct sip_view *view)
{
	struct identity_addr who;
	struct str privacy;

	if (!read_caller(view, "Remote-Party-ID", &who))
		return false;
	privacy = identity_param(who.params, "privacy");
	return privacy.n && !str_case_eq_c(privacy, "off");
}

static void add_diverted(struct call_identity *id,
			 const struct identity_addr *from, struct str reason,
			 unsigned counter)
{
	struct call_diverted *d;

	if (id->n_diverted == IDENTITY_DIVERTED)
		return;
	d = &id->diverted[id->n_diverted++];
	str_copy(d->user, sizeof(d->user), str_of(from->user));
	d->reason = identity_reason(reason);
	d->counter = counter;
}

static void take_diversions(struct call_identity *id,
			    const struct sip_view *view)
{
	const char *value;

	for (unsigned i = 0; i < IDENTITY_DIVERTED &&
			     (value = sip_view_header(view, "Diversion", i));
	     i++) {
		struct identity_addr from;
		uint64_t counter;

		if (identity_read(&from, str_of(value)))
			continue;
		if (str_u64(identity_param(from.params, "counter"), 99,
			    &counter))
			counter = 1;
		add_diverted(id, &from, identity_param(from.params, "reason"),
			     (unsigned)counter);
	}
}

/* RFC 7044 and RFC 7131: each entry but the last was retargeted, for the cause
 * that the next one gives.  Diversion lists the newest first. */
static void take_history(struct call_identity *id, const struct sip_view *view)
{
	struct identity_addr entries[IDENTITY_DIVERTED + 1];
	const char *value;
	unsigned n = 0;

	for (unsigned i = 0; n <= IDENTITY_DIVERTED &&
			     (value = sip_view_header(view, "History-Info", i));
	     i++) {
		if (!identity_read(&entries[n], str_of(value)))
			n++;
	}
	for (unsigned i = n; i > 1; i--) {
		if (strcmp(entries[i - 2].user, entries[i - 1].user))
			add_diverted(
				id, &entries[i - 2],
				identity_param(entries[i - 1].params, "cause"),
				1);
	}
}

void identity_take(struct call *call, const struct sip_view *view)
{
	struct call_identity *id = &call->identity;
	const char *privacy = sip_view_header(view, "Privacy", 0);
	bool trusted = is_trusted(&call->caller);

	*id = (struct call_identity){.hidden = is_anonymous(view->from.user)};
	id->hidden |= privacy && identity_hides(str_of(privacy));
	if (!trusted)
		return;
	id->hidden |= hides_by_rpid(view);
	take_diversions(id, view);
	if (!id->n_diverted)
		take_history(id, view);
}

/* ---- out ------------------------------------------------------------------ */

static const struct conf_trunk *trunk_of(const struct call *call,
					 const struct leg_conf *to)
{
	return to->is_trunk ? config_trunk(call->config, to->peer) : NULL;
}

void identity_name(const struct call *call, const struct leg_conf *to,
		   struct sip_dialog_conf *dialog)
{
	dialog->local_user = call->from[0] ? call->from : NULL;
	dialog->local_display = call->display;
	if (!call->identity.hidden || call->targets.emergency)
		return;
	dialog->local_user = "anonymous";
	dialog->local_host = "anonymous.invalid";
	dialog->local_display = "Anonymous";
}

/* "<sip:NUMBER@DOMAIN" and no further. */
static void put_number(struct buf *b, const char *user, const char *domain)
{
	buf_puts(b, "<sip:");
	sip_put_user(b, user);
	buf_printf(b, "@%s>", domain);
}

/* A value is being written to @b; it begins at what is returned. */
static const char *begin(struct buf *b)
{
	if (b->n)
		buf_put(b, "", 1); /* ends the one before */
	return b->p + b->n;
}

static void give_caller(const struct call *call, const struct conf_trunk *trunk,
			const char *domain, struct buf *b,
			struct rule_lines *out)
{
	static const char *const names[] = {
		[CONF_IDENTITY_PAI] = "P-Asserted-Identity",
		[CONF_IDENTITY_PPI] = "P-Preferred-Identity",
		[CONF_IDENTITY_RPID] = "Remote-Party-ID",
	};
	bool hidden = call->identity.hidden;
	const char *value;

	if (trunk->identity == CONF_IDENTITY_NONE || !call->from[0] ||
	    is_anonymous(call->from) || (hidden && !trunk->trust_identity))
		return;
	value = begin(b);
	put_number(b, call->from, domain);
	if (trunk->identity == CONF_IDENTITY_RPID)
		buf_printf(b, ";party=calling;screen=yes;privacy=%s",
			   hidden ? "full" : "off");
	if (!b->overflow)
		rule_put(out, names[trunk->identity], value, true);
}

static void give_diversions(const struct call_identity *id, const char *domain,
			    struct buf *b, struct rule_lines *out)
{
	for (unsigned i = 0; i < id->n_diverted; i++) {
		const char *value = begin(b);

		put_number(b, id->diverted[i].user, domain);
		buf_printf(b, ";reason=%s;counter=%u", id->diverted[i].reason,
			   id->diverted[i].counter);
		if (!b->overflow)
			rule_put(out, "Diversion", value, true);
	}
}

void identity_give(const struct call *call, const struct leg_conf *to,
		   struct buf *b, struct rule_lines *out)
{
	const struct conf_trunk *trunk = trunk_of(call, to);
	char mem[ADDR_TEXT_MAX];
	const char *domain;

	if (!trunk)
		return;
	domain = trunk_domain(trunk, mem);
	give_caller(call, trunk, domain, b, out);
	if (trunk->trust_identity)
		give_diversions(&call->identity, domain, b, out);
	if (call->identity.hidden && !call->targets.emergency)
		rule_put(out, "Privacy", "id", true);
}
