/*
 * control.h - words that change the emulated NAT while it runs
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   reboot                  forget every mapping
 *   rebind                  another outside port for every mapping
 *   address 203.0.113.77    another outside address, mappings stay
 *   timeout 6000            and any other `KEY VALUE` of settings.h
 *   stats                   counters, one JSON object
 *   dump                    mappings, one JSON array
 *
 * An answer is one line: JSON, "ok", or "error: ..." in words.
 */
#ifndef NAT_EMULATOR_CONTROL_H
#define NAT_EMULATOR_CONTROL_H

#include "core/buf.h"
#include "line.h"
#include "translate.h"

void control_answer(struct nat *n, struct line *l, char *line, mono_ms now,
		    struct buf *out);

#endif
