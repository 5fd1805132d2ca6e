/* SPDX-License-Identifier: MIT */
/*
 * libtarget_a.so and libtarget_b.so: libraries that come and go.  They say so
 * if TARGET_VERBOSE is set in the environment.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(TARGET_A)
#define NAME   "libtarget_a.so"
#define TARGET target_a
#define HELPER helper_a
#else
#define NAME   "libtarget_b.so"
#define TARGET target_b
#define HELPER helper_b
#endif

int TARGET(int wait_fd);

static __attribute__((noinline, used)) int HELPER(void)
{
	__asm__ volatile("");
	return 1;
}

/*
 * Unless `wait_fd` is -1, it is a socket: says on it that a thread is inside,
 * and waits for a byte.
 */
__attribute__((noinline)) int TARGET(int wait_fd)
{
	char byte = 0;

	if (wait_fd >= 0 &&
	    (write(wait_fd, &byte, 1) != 1 || read(wait_fd, &byte, 1) != 1))
		return -1;
	return HELPER();
}

static void say(const char *what)
{
	if (getenv("TARGET_VERBOSE") != NULL)
		dprintf(STDOUT_FILENO, "%s %s\n", NAME, what);
}

__attribute__((constructor)) static void init(void)
{
	say("init");
}

__attribute__((destructor)) static void fini(void)
{
	say("exit");
}
