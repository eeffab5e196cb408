/*
 * sys.h - the process and its machine: data directory, lock, limits, service
 * manager, what a crash leaves behind
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_SYS_SYS_H
#define SBC_SYS_SYS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Make @dir (0700) and take its lock for the life of the process.
 * -EWOULDBLOCK: another process holds it; other -errno.
 */
int sys_take_dir(const char *dir);
/* As many descriptors as the hard limit allows; returns how many. */
unsigned long sys_raise_files(void);
/* Tell the service manager ("READY=1", "STOPPING=1"): sd_notify(3)'s protocol
 * over NOTIFY_SOCKET; nothing happens without that variable. */
void sys_notify(const char *state);
/*
 * From now on a crash writes @dir/crash.txt: signal, backtrace and the last
 * message that @last hands out (NULL = none), then dies as it would have.
 * @last runs in the signal handler.  Once per process.
 */
typedef size_t (*sys_last_fn)(const uint8_t **bytes);
void sys_watch_crash(const char *dir, sys_last_fn last);

#endif
