/*
 * err.c - names of errno values for logs
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A table of our own, because strerrorname_np() exists in glibc only.
 */
#include "core/err.h"

#include <errno.h>
#include <stddef.h>

#define NAME(e) [e] = #e

static const char *const names[] = {
	[0] = "OK",          NAME(EPERM),        NAME(ENOENT),
	NAME(ESRCH),         NAME(EINTR),        NAME(EIO),
	NAME(ENXIO),         NAME(E2BIG),        NAME(ENOEXEC),
	NAME(EBADF),         NAME(ECHILD),       NAME(EAGAIN),
	NAME(ENOMEM),        NAME(EACCES),       NAME(EFAULT),
	NAME(EBUSY),         NAME(EEXIST),       NAME(EXDEV),
	NAME(ENODEV),        NAME(ENOTDIR),      NAME(EISDIR),
	NAME(EINVAL),        NAME(ENFILE),       NAME(EMFILE),
	NAME(ENOTTY),        NAME(ETXTBSY),      NAME(EFBIG),
	NAME(ENOSPC),        NAME(ESPIPE),       NAME(EROFS),
	NAME(EMLINK),        NAME(EPIPE),        NAME(EDOM),
	NAME(ERANGE),        NAME(EDEADLK),      NAME(ENAMETOOLONG),
	NAME(ENOSYS),        NAME(ENOTEMPTY),    NAME(ELOOP),
	NAME(ENODATA),       NAME(ETIME),        NAME(EPROTO),
	NAME(EBADMSG),       NAME(EOVERFLOW),    NAME(EILSEQ),
	NAME(ENOTSOCK),      NAME(EDESTADDRREQ), NAME(EMSGSIZE),
	NAME(EPROTOTYPE),    NAME(ENOPROTOOPT),  NAME(EPROTONOSUPPORT),
	NAME(EOPNOTSUPP),    NAME(EAFNOSUPPORT), NAME(EADDRINUSE),
	NAME(EADDRNOTAVAIL), NAME(ENETDOWN),     NAME(ENETUNREACH),
	NAME(ENETRESET),     NAME(ECONNABORTED), NAME(ECONNRESET),
	NAME(ENOBUFS),       NAME(EISCONN),      NAME(ENOTCONN),
	NAME(ESHUTDOWN),     NAME(ETIMEDOUT),    NAME(ECONNREFUSED),
	NAME(EHOSTDOWN),     NAME(EHOSTUNREACH), NAME(EALREADY),
	NAME(EINPROGRESS),   NAME(ESTALE),       NAME(EDQUOT),
	NAME(ECANCELED),
};

const char *err_name(int err)
{
	/* Unsigned, because -INT_MIN does not exist. */
	unsigned e = err < 0 ? 0u - (unsigned)err : (unsigned)err;

	if (e >= sizeof(names) / sizeof(names[0]) || !names[e])
		return "EUNKNOWN";
	return names[e];
}
