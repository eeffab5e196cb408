/*
 * leg_reason.c - why a call ended or was refused, from one side to the other
 * (RFC 3326, RFC 6432), and what Q.850 and SIP call the same (RFC 3398)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Of what a peer writes only the numbers cross; the words to them are ours, as
 * a peer's may hold names and addresses.
 */
#include <string.h>

#include "leg/leg_priv.h"

struct cause {
	unsigned number;
	int status;
	const char *words;
};

/* Q.850; @status by RFC 3398 7.2.4.1. */
static const struct cause q850[] = {
	{1, 404, "Unallocated number"},
	{2, 404, "No route to network"},
	{3, 404, "No route to destination"},
	{16, 480, "Normal call clearing"},
	{17, 486, "User busy"},
	{18, 408, "No user responding"},
	{19, 480, "No answer"},
	{20, 480, "Subscriber absent"},
	{21, 403, "Call rejected"},
	{22, 410, "Number changed"},
	{23, 410, "Redirected"},
	{25, 483, "Exchange routing error"},
	{26, 404, "Non-selected user clearing"},
	{27, 502, "Destination out of order"},
	{28, 484, "Invalid number format"},
	{29, 501, "Facility rejected"},
	{31, 480, "Normal, unspecified"},
	{34, 503, "No circuit available"},
	{38, 503, "Network out of order"},
	{41, 503, "Temporary failure"},
	{42, 503, "Switching equipment congestion"},
	{47, 503, "Resource unavailable"},
	{55, 403, "Incoming calls barred"},
	{57, 403, "Bearer capability not authorized"},
	{58, 503, "Bearer capability not available"},
	{63, 488, "Service not available"},
	{65, 488, "Bearer capability not implemented"},
	{70, 488, "Only restricted digital available"},
	{79, 501, "Service not implemented"},
	{87, 403, "User not member of group"},
	{88, 503, "Incompatible destination"},
	{102, 504, "Recovery on timer expiry"},
	{111, 500, "Protocol error"},
	{127, 500, "Interworking"},
};

/* SIP to Q.850 by RFC 3398 8.2.6.1; of all others nothing is said. */
static const struct {
	int status;
	unsigned number;
} of_status[] = {
	{400, 41}, {401, 21}, {402, 21},  {403, 21}, {404, 1},  {405, 63},
	{406, 79}, {407, 21}, {408, 102}, {410, 22}, {415, 79}, {480, 18},
	{481, 41}, {482, 25}, {483, 25},  {484, 28}, {485, 1},  {486, 17},
	{487, 16}, {500, 41}, {501, 79},  {502, 38}, {503, 41}, {504, 102},
	{600, 17}, {603, 21}, {604, 1},
};

/* What forks are told (RFC 3326 2), and what else is said of calls. */
static const struct cause sip[] = {
	{200, 0, "Call completed elsewhere"},
	{408, 0, "Request Timeout"},
	{480, 0, "Temporarily Unavailable"},
	{486, 0, "Busy Here"},
	{487, 0, "Request Terminated"},
	{488, 0, "Not Acceptable Here"},
	{503, 0, "Service Unavailable"},
	{600, 0, "Busy Everywhere"},
	{603, 0, "Decline"},
};

enum {
	VALUES = 8, /* looked at */
	Q850_MAX = 127,
};

static const struct cause *find(const struct cause *table, size_t n,
				unsigned number)
{
	for (size_t i = 0; i < n; i++)
		if (table[i].number == number)
			return &table[i];
	return NULL;
}

#define FIND(table, number)                                                    \
	find(table, sizeof(table) / sizeof((table)[0]), number)

unsigned reason_q850(int status)
{
	for (size_t i = 0; i < sizeof(of_status) / sizeof(of_status[0]); i++)
		if (of_status[i].status == status)
			return of_status[i].number;
	return 0;
}

static void put(struct buf *b, const char *protocol, unsigned number,
		const struct cause *known)
{
	buf_printf(b, "%s%s;cause=%u", b->n ? ", " : "", protocol, number);
	if (known)
		buf_printf(b, ";text=\"%s\"", known->words);
}

void reason_spell(char out[LEG_REASON_BYTES], const struct leg_causes *c)
{
	struct buf b;

	buf_init(&b, out, LEG_REASON_BYTES - 1);
	if (c->q850)
		put(&b, "Q.850", c->q850, FIND(q850, c->q850));
	if (c->sip)
		put(&b, "SIP", c->sip, FIND(sip, c->sip));
	out[buf_str(&b).n] = 0;
}

void reason_read(const char *text, struct leg_causes *c)
{
	struct str rest = str_of(text);
	struct str protocol = str_trim(str_cut(&rest, ';'));
	uint64_t number = 0;

	while (rest.n && !number) {
		struct str value = str_cut(&rest, ';');
		struct str name = str_trim(str_cut(&value, '='));

		if (str_case_eq_c(name, "cause") &&
		    str_u64(str_trim(value), 699, &number))
			return;
	}
	if (str_case_eq_c(protocol, "Q.850") && number >= 1 &&
	    number <= Q850_MAX && !c->q850)
		c->q850 = (unsigned)number;
	if (str_case_eq_c(protocol, "SIP") && number >= 200 && !c->sip)
		c->sip = (unsigned)number;
}

void reason_hear(struct leg *leg, const struct sip_view *view)
{
	struct leg_causes c = {0};
	const char *text;

	for (unsigned i = 0; i < VALUES; i++) {
		text = sip_view_header(view, "Reason", i);
		if (!text)
			break;
		reason_read(text, &c);
	}
	/* The PSTN behind a trunk speaks Q.850 alone. */
	if (!c.q850 && c.sip >= 300)
		c.q850 = reason_q850((int)c.sip);
	if (!c.q850 && view->status >= 300 && !view->internal)
		c.q850 = reason_q850(view->status);
	reason_spell(leg->reason, &c);
}

const char *leg_reason(const struct leg *leg)
{
	return leg->reason[0] ? leg->reason : NULL;
}

void reason_of(int status, char out[LEG_REASON_BYTES])
{
	reason_spell(out, &(struct leg_causes){.q850 = reason_q850(status)});
}

int reason_status(const char *reason, int otherwise)
{
	struct leg_causes c = {0};
	const struct cause *known;

	if (!reason)
		return otherwise;
	reason_read(reason, &c);
	if (c.sip == 401 || c.sip == 407)
		return 403; /* who is challenged must be told with what */
	if (c.sip >= 400 && (FIND(sip, c.sip) || reason_q850((int)c.sip)))
		return (int)c.sip;
	known = FIND(q850, c.q850);
	return known ? known->status : otherwise;
}
