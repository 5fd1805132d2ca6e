/* SPDX-License-Identifier: MIT */
/* The composition of error messages. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct upatch_error *err, enum upatch_error_code code,
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

void error_prefix(struct upatch_error *err, const char *format, ...)
{
	char message[UPATCH_ERROR_MESSAGE_SIZE];
	va_list args;
	int len;

	if (!err)
		return;
	memcpy(message, err->message, sizeof(message));
	va_start(args, format);
	len = vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	if (len >= 0 && (size_t)len < sizeof(err->message))
		snprintf(err->message + len, sizeof(err->message) - (size_t)len,
			 ": %s", message);
}

void error_append(struct upatch_error *err, const char *format, ...)
{
	va_list args;
	size_t len;

	if (!err)
		return;
	len = strlen(err->message);
	if (len + 2 >= sizeof(err->message))
		return;
	memcpy(err->message + len, "; ", 3);
	va_start(args, format);
	vsnprintf(err->message + len + 2, sizeof(err->message) - len - 2,
		  format, args);
	va_end(args);
}
