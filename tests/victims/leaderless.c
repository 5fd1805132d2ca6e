/* SPDX-License-Identifier: MIT */
/*
 * Preloaded: the program's main runs in another thread, and the main thread
 * ends.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

struct arguments {
	int argc;
	char **argv, **envp;
};

static int (*program_main)(int, char **, char **);

static void *run_main(void *user)
{
	const struct arguments *arguments = user;

	/* Children are to be as they are without this. */
	unsetenv("LD_PRELOAD");
	exit(program_main(arguments->argc, arguments->argv, arguments->envp));
}

static int lead_away(int argc, char **argv, char **envp)
{
	static struct arguments arguments;
	pthread_t thread;

	arguments = (struct arguments){ argc, argv, envp };
	if (pthread_create(&thread, NULL, run_main, &arguments))
		_exit(1);
	pthread_exit(NULL);
}

typedef int start_main(int (*)(int, char **, char **), int, char **,
		       void (*)(void), void (*)(void), void (*)(void), void *);

/* What a program's first instructions call. */
__attribute__((visibility("default"))) start_main __libc_start_main;

int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv,
		      void (*init)(void), void (*fini)(void),
		      void (*rtld_fini)(void), void *stack_end)
{
	start_main *next;

	*(void **)&next = dlsym(RTLD_NEXT, "__libc_start_main");
	program_main = main;
	return next(lead_away, argc, argv, init, fini, rtld_fini, stack_end);
}
