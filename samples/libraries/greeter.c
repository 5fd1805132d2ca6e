/* SPDX-License-Identifier: MIT */
/* A plugin that is opened and closed as the service likes. */
#include <stdio.h>

#ifndef PROTOCOL
#define PROTOCOL 1
#endif

/* How the plugin talks to the service; patches look at it. */
static volatile const int protocol = PROTOCOL;

const char *greeting(void);

__attribute__((noinline, noclone)) const char *greeting(void)
{
	return protocol == 1 ? "1.0" : "2.0";
}

__attribute__((constructor)) static void begin(void)
{
	printf("greeter %s: constructor\n", greeting());
}

__attribute__((destructor)) static void end(void)
{
	printf("greeter %s: destructor\n", greeting());
}
