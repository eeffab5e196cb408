/*
 * sdp_copy.c - a description kept for later
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is lent for a callback, or was put together of parts of others, becomes
 * one object of its own, as sdp_read() makes it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sdp/sdp.h"

/* What is left of the one allocation. */
struct space {
	struct str *formats;
	struct sdp_attr *attrs;
	char *text;
};

static void copy_text(struct space *at, struct str *s)
{
	if (!s->p)
		return;
	memcpy(at->text, s->p, s->n);
	s->p = at->text;
	at->text += s->n;
}

static size_t text_of(const struct sdp_media *m)
{
	size_t n = m->type.n + m->proto.n;

	for (unsigned i = 0; i < m->n_formats; i++)
		n += m->formats[i].n;
	for (unsigned i = 0; i < m->n_attrs; i++)
		n += m->attrs[i].name.n + m->attrs[i].value.n;
	return n;
}

static void copy_media(struct space *at, struct sdp_media *m)
{
	const struct str *formats = m->formats;
	const struct sdp_attr *attrs = m->attrs;

	copy_text(at, &m->type);
	copy_text(at, &m->proto);
	m->formats = at->formats;
	m->attrs = at->attrs;
	for (unsigned i = 0; i < m->n_formats; i++) {
		*at->formats = formats[i];
		copy_text(at, at->formats++);
	}
	for (unsigned i = 0; i < m->n_attrs; i++) {
		*at->attrs = attrs[i];
		copy_text(at, &at->attrs->name);
		copy_text(at, &at->attrs->value);
		at->attrs++;
	}
}

int sdp_copy(struct sdp **out, const struct sdp *from)
{
	size_t formats = 0, attrs = 0, text = 0;
	struct space at;
	struct sdp *sdp;

	for (unsigned i = 0; i < from->n_media; i++) {
		formats += from->media[i].n_formats;
		attrs += from->media[i].n_attrs;
		text += text_of(&from->media[i]);
	}
	sdp = malloc(sizeof(*sdp) + from->n_media * sizeof(*sdp->media) +
		     formats * sizeof(*at.formats) + attrs * sizeof(*at.attrs) +
		     text);
	if (!sdp)
		return -ENOMEM;
	*sdp = *from;
	sdp->media = (struct sdp_media *)(sdp + 1);
	at.formats = (struct str *)(sdp->media + from->n_media);
	at.attrs = (struct sdp_attr *)(at.formats + formats);
	at.text = (char *)(at.attrs + attrs);
	for (unsigned i = 0; i < from->n_media; i++) {
		sdp->media[i] = from->media[i];
		copy_media(&at, &sdp->media[i]);
	}
	*out = sdp;
	return 0;
}
