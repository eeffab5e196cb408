/*
 * call_box.h - tokens of dialogs, sealed and opened
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_CALL_CALL_BOX_H
#define SBC_CALL_CALL_BOX_H

#include "call/call.h"
#include "call/call_token.h"

enum {
	BOX_CONTEXT = 600,
	BOX_TARGET = REGISTRAR_SEALED_MAX + ADDR_TEXT_MAX + 32,
};

/* What ties a token to the dialog that it is used in: its Call-ID and our tag;
 * returns @mem. */
const char *box_context(char mem[BOX_CONTEXT], const char *call_id,
			const char *tag);
/* The user part of the first URI in @text; "" = none, or too long. */
void box_user_in(const char *text, char *out, size_t cap);
/* The token that is the user of @view's Request-URI.  -EINVAL: it is none of
 * this dialog's; -ETIME: it is too old (*@out is filled). */
int box_open_dialog(struct calls *calls, const struct sip_view *view,
		    struct dialog_token *out);
/* A Route that leads requests with @call_id along @flow to another box, for
 * @phone or a dialog of its own (""). */
int box_write_pass(struct calls *calls, const struct sip_flow *flow,
		   const char *call_id, const char *phone,
		   char out[BOX_TARGET]);
/* The first Route of @view is such a one: made for this Call-ID, by the box
 * that sent it, not too long ago. */
bool box_open_pass(struct calls *calls, const struct sip_view *view,
		   struct pass_token *out);

#endif
