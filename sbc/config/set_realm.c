/*
 * set_realm.c - values of the box as a whole and of realms
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/set.h"
#include "config/uci.h"

void set_schema(const struct setting *s)
{
	if (strcmp(s->value, "1"))
		set_fault(s, "'%.20s' is not known; this program reads '1'",
			  s->value);
}

void set_secrets(const struct setting *s)
{
	if (!s->value[0] ||
	    str_copy(s->l->secrets, sizeof(s->l->secrets), str_of(s->value)))
		set_fault(s, "is to be a file name of 1 to 255 bytes");
	s->l->secrets_line = s->line;
}

void set_interface(const struct setting *s)
{
	size_t n = strlen(s->value);

	if (n == 0 || n > 15 || strpbrk(s->value, " /\t"))
		set_fault(s, "is to be the name of a network device");
	else
		set_text(s);
}

void add_address(const struct setting *s)
{
	struct conf_realm *r = s->at;
	struct addr a;

	if (addr_parse(&a, s->value, strlen(s->value), 0)) {
		set_fault(s, "is to be an IP address, not '%.60s'", s->value);
		return;
	}
	if (addr_class(&a) == ADDR_ANY || addr_class(&a) == ADDR_MULTICAST) {
		set_fault(s,
			  "'%.60s' is not an address to bind; leave interface "
			  "and address out for all addresses",
			  s->value);
		return;
	}
	for (unsigned i = 0; i < r->n_addresses; i++)
		if (addr_same_host(&r->addresses[i], &a)) {
			set_fault(s, "'%.60s' stands twice", s->value);
			return;
		}
	if (r->n_addresses == CONF_ADDRESSES)
		set_fault(s, "stands more than %d times", CONF_ADDRESSES);
	else if (!array_room(&r->addresses, r->n_addresses, sizeof(a)))
		load_oom(s->l);
	else
		r->addresses[r->n_addresses++] = a;
}

void add_listen(const struct setting *s)
{
	struct conf_realm *r = s->at;
	struct str port = str_of(s->value), word = str_cut(&port, ':');
	struct conf_listen listen = {CONF_UDP, 0};
	uint64_t number;

	if (str_eq_c(word, "tcp")) {
		listen.transport = CONF_TCP;
	} else if (!str_eq_c(word, "udp")) {
		set_fault(s, "is to be 'udp:PORT' or 'tcp:PORT', not '%.40s'",
			  s->value);
		return;
	}
	if (str_u64(port, 65535, &number) || number == 0) {
		set_fault(s, "needs a port from 1 to 65535: '%.40s'", s->value);
		return;
	}
	listen.port = (uint16_t)number;
	for (unsigned i = 0; i < r->n_listen; i++)
		if (r->listen[i].transport == listen.transport &&
		    r->listen[i].port == listen.port) {
			set_fault(s, "'%.40s' stands twice", s->value);
			return;
		}
	if (r->n_listen == CONF_LISTENS) {
		set_fault(s, "stands more than %d times", CONF_LISTENS);
	} else if (!array_room(&r->listen, r->n_listen, sizeof(listen))) {
		load_oom(s->l);
	} else {
		size_t realm = s->l->sections[s->section].index;

		s->l->listen_lines[realm][r->n_listen] = s->line;
		r->listen[r->n_listen++] = listen;
	}
}

void add_alias(const struct setting *s)
{
	struct conf_realm *r = s->at;
	char *text;

	if (!set_is_host(s->value) || strlen(s->value) > 255) {
		set_fault(s, "is to be a host name or address, not '%.60s'",
			  s->value);
		return;
	}
	if (r->n_aliases == CONF_ALIASES) {
		set_fault(s, "stands more than %d times", CONF_ALIASES);
		return;
	}
	text = str_dup(str_of(s->value));
	if (!text || !array_room(&r->aliases, r->n_aliases, sizeof(text))) {
		free(text);
		load_oom(s->l);
		return;
	}
	r->aliases[r->n_aliases++] = text;
}

void set_media_ports(const struct setting *s)
{
	struct conf_realm *r = s->at;
	struct str to = str_of(s->value), from = str_cut(&to, '-');
	uint64_t low, high;

	if (str_u64(from, 65535, &low) || str_u64(to, 65535, &high)) {
		set_fault(s, "is to be 'FIRST-LAST', not '%.40s'", s->value);
		return;
	}
	if (low % 2 || high % 2 == 0)
		set_fault(s, "starts with an even and ends with an odd port: "
			     "RTP and RTCP make a pair");
	else if (low < 1024 || low >= high)
		set_fault(s, "goes from 1024 or more upwards, not '%.40s'",
			  s->value);
	r->port_min = (uint16_t)low;
	r->port_max = (uint16_t)high;
}

/* Short of that many bytes it could be guessed. */
void set_flow_key(const struct setting *s)
{
	struct conf_global *g = s->at;
	size_t n = strlen(s->value);

	if (strncmp(s->value, SECRET_PREFIX, strlen(SECRET_PREFIX)) &&
	    (n < CONF_KEY_BYTES || n > 255)) {
		set_fault(s, "is to have %d to 255 bytes", CONF_KEY_BYTES);
		return;
	}
	free(g->flow_key);
	g->flow_key = str_dup(str_of(s->value));
	if (!g->flow_key)
		load_oom(s->l);
}

void add_emergency(const struct setting *s)
{
	struct conf_global *g = s->at;

	if (!set_is_user(s->value) || strlen(s->value) >= LIMIT_USER_BYTES) {
		set_fault(s, "is to be a number as it is dialled, not '%.40s'",
			  s->value);
		return;
	}
	for (unsigned i = 0; i < g->n_emergency; i++)
		if (!strcmp(g->emergency[i], s->value)) {
			set_fault(s, "'%.40s' stands twice", s->value);
			return;
		}
	if (g->n_emergency == CONF_EMERGENCY) {
		set_fault(s, "stands more than %d times", CONF_EMERGENCY);
		return;
	}
	if (!array_room(&g->emergency, g->n_emergency, sizeof(*g->emergency))) {
		load_oom(s->l);
		return;
	}
	str_copy(g->emergency[g->n_emergency++], sizeof(*g->emergency),
		 str_of(s->value));
}

void add_nameserver(const struct setting *s)
{
	struct conf_global *g = s->at;
	struct addr a;

	if (addr_parse(&a, s->value, strlen(s->value), 53) &&
	    (addr_parse_port(&a, s->value) || !addr_port(&a))) {
		set_fault(s,
			  "is to be an address, or address:port, not '%.60s'",
			  s->value);
		return;
	}
	for (unsigned i = 0; i < g->n_nameservers; i++)
		if (addr_equal(&g->nameservers[i], &a)) {
			set_fault(s, "has '%.60s' twice", s->value);
			return;
		}
	if (g->n_nameservers == CONF_NAMESERVERS)
		set_fault(s, "stands more than %d times", CONF_NAMESERVERS);
	else
		g->nameservers[g->n_nameservers++] = a;
}

/* Who owns the registrations of a realm: we, or a trunk. */
void set_registrar(const struct setting *s)
{
	if (strcmp(s->value, "local"))
		set_trunk_name(s);
}
