/* SPDX-License-Identifier: MIT */
/* How the commands describe their own failures, as the library does. */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int failure_set(struct upatch_error *err, enum upatch_error_code code,
		int saved_errno, const char *format, ...)
{
	va_list args;
	int len;

	if (!err)
		return code;
	err->code = code;
	err->saved_errno = saved_errno;
	va_start(args, format);
	len = vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	if (len < 0)
		len = 0;
	if (saved_errno != 0 && (size_t)len < sizeof(err->message))
		snprintf(err->message + len, sizeof(err->message) - (size_t)len,
			 ": %s", strerror(saved_errno));
	return code;
}
