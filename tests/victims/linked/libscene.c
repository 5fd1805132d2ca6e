/* SPDX-License-Identifier: MIT */
/*
 * Libraries that bring others.  BOTH needs libtarget_a.so and libtarget_b.so
 * and calls them in its constructor; NESTED opens libtarget_b.so there.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

#if defined(BOTH)
int target_a(int wait_fd);
int target_b(int wait_fd);

__attribute__((constructor)) static void init(void)
{
	int a = target_a(-1), b = target_b(-1);

	dprintf(STDOUT_FILENO, "both init a=%d b=%d\n", a, b);
}

__attribute__((destructor)) static void fini(void)
{
	dprintf(STDOUT_FILENO, "both exit a=%d\n", target_a(-1));
}
#else
static void *handle;

__attribute__((constructor)) static void init(void)
{
	handle = dlopen("libtarget_b.so", RTLD_NOW);
	if (handle == NULL)
		dprintf(STDOUT_FILENO, "nested failed %s\n", dlerror());
	else
		dprintf(STDOUT_FILENO, "nested opened\n");
}

__attribute__((destructor)) static void fini(void)
{
	if (handle != NULL)
		dlclose(handle);
	dprintf(STDOUT_FILENO, "nested exit\n");
}
#endif
