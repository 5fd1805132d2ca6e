/* SPDX-License-Identifier: MIT */
/*
 * A main program with two libraries that it opens and closes on command.
 * usage: objects LIBRARY_A LIBRARY_B
 * open a|b, close a|b; enter b, leave b: a thread sits in target_b();
 * call: the results of main_value() and of the libraries that are open.
 */
#include "victim.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct library {
	const char *path;
	const char *symbol;
	void *handle;
	/* -1: returns at once; else waits on this descriptor */
	int (*target)(int wait_fd);
};

static struct library libraries[2] = {
	{ NULL, "target_a", NULL, NULL },
	{ NULL, "target_b", NULL, NULL },
};
/* main holds [0], the sitter [1] */
static int sockets[2];
static int sitter_result;
static pthread_t sitter;

static REPLACED int main_value(void)
{
	__asm__ volatile("");
	return 1;
}

static REPLACED int main_other(void)
{
	__asm__ volatile("");
	return 1;
}

static struct library *library_of(const char *command)
{
	const char *name = strchr(command, ' ');

	return &libraries[name != NULL && name[1] == 'b'];
}

static void open_library(struct library *library)
{
	library->handle = dlopen(library->path, RTLD_NOW);
	if (library->handle == NULL) {
		victim_say("failed %s", dlerror());
		return;
	}
	*(void **)&library->target = dlsym(library->handle, library->symbol);
	victim_say("opened");
}

static void close_library(struct library *library)
{
	dlclose(library->handle);
	library->handle = NULL;
	library->target = NULL;
	victim_say("closed");
}

static void *sit(void *arg)
{
	struct library *library = arg;

	pthread_setname_np(pthread_self(), "sitter");
	sitter_result = library->target(sockets[1]);
	return NULL;
}

static void leave(void)
{
	if (write(sockets[0], "", 1) != 1)
		victim_die("write");
	pthread_join(sitter, NULL);
	victim_say("left %d", sitter_result);
}

static void enter(struct library *library)
{
	char byte;

	if (pthread_create(&sitter, NULL, sit, library) != 0)
		victim_die("pthread_create");
	if (read(sockets[0], &byte, 1) != 1)
		victim_die("read");
	victim_say("entered");
}

static void call_all(void)
{
	char text[2][16] = { "-", "-" };

	for (int i = 0; i < 2; i++) {
		if (libraries[i].target != NULL)
			snprintf(text[i], sizeof(text[i]), "%d",
				 libraries[i].target(-1));
	}
	victim_say("main=%d other=%d a=%s b=%s", main_value(), main_other(),
		   text[0], text[1]);
}

static void obey(const char *command)
{
	if (strncmp(command, "open", 4) == 0)
		open_library(library_of(command));
	else if (strncmp(command, "close", 5) == 0)
		close_library(library_of(command));
	else if (strncmp(command, "enter", 5) == 0)
		enter(library_of(command));
	else if (strncmp(command, "leave", 5) == 0)
		leave();
	else
		call_all();
}

int main(int argc, char **argv)
{
	char command[64];

	victim_init();
	if (argc != 3)
		victim_die("usage: objects LIBRARY_A LIBRARY_B");
	libraries[0].path = argv[1];
	libraries[1].path = argv[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
		victim_die("socketpair");
	victim_say("ready");
	while (victim_next_command(command, sizeof(command)))
		obey(command);
	return 0;
}
