/*
 * limits.h - every compile-time limit of the product
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_CORE_LIMITS_H
#define SBC_CORE_LIMITS_H

enum {
	/* SIP */
	LIMIT_MESSAGE_BYTES = 65535,
	LIMIT_BODY_BYTES = 32768,
	LIMIT_CONTACTS = 32,        /* in one REGISTER */
	LIMIT_CONTACT_BYTES = 1024, /* of one contact as text */
	LIMIT_CALLID_BYTES = 256,
	LIMIT_URI_BYTES = 512,
	LIMIT_USER_BYTES = 128,
	LIMIT_FORKS = 16,         /* legs that ring at once */
	LIMIT_TARGETS = 16,       /* targets of a route */
	LIMIT_CLIENT_TXNS = 2000, /* the library's retry list is linear */
	LIMIT_TCP_CONNECTIONS = 4096,
	LIMIT_TCP_PER_SOURCE = 512,
	LIMIT_LISTENERS = 64,
	LIMIT_SUBSCRIPTIONS = 20000,
	LIMIT_PHONE_SUBSCRIPTIONS = 256, /* to and of one phone */
	LIMIT_PASSES = 1000, /* requests that are no calls, under way */
	/* SDP */
	LIMIT_SDP_BYTES = 8192,
	LIMIT_SDP_MEDIA = 16,
	LIMIT_SDP_FORMATS = 64,
	LIMIT_SDP_ATTRS = 256, /* in the whole description */
	/* names in the config */
	LIMIT_NAME_BYTES = 64,
};

#endif
