/*
 * err.h - names of errno values for logs
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_CORE_ERR_H
#define SBC_CORE_ERR_H

/* "ENOMEM" for -ENOMEM or ENOMEM; never NULL.  Any thread. */
const char *err_name(int err);

#endif
