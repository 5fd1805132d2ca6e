/* SPDX-License-Identifier: MIT */
/*
 * As `objects`, with more to happen: several threads that sit, threads that
 * are cancelled there, libraries opened again and again, children.
 * usage: scenes LIBRARY...
 * open N, close N (N: place in the command line); enter NAME, leave NAME,
 * cancel NAME: a thread in main_guarded() (NAME: main) or in the function of
 * a library; fork; child COMMAND: is passed on; call.
 */
#include "victim.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SITTER_COUNT 4

typedef int (*target_function)(int wait_fd);

struct sitter {
	char name[16];
	/* main holds [0], the thread [1] */
	int sockets[2];
	target_function target;
	pthread_t thread;
	int result;
};

static char **libraries;
static void *handles[16][4];
static struct sitter sitters[SITTER_COUNT];
static pid_t child;
static int child_stdin = -1;

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

static REPLACED int main_guarded(int wait_fd)
{
	char byte = 0;

	if (wait_fd >= 0 &&
	    (write(wait_fd, &byte, 1) != 1 || read(wait_fd, &byte, 1) != 1))
		return -1;
	return 1;
}

static target_function find_target(const char *name)
{
	target_function target = NULL;
	char symbol[32];

	if (strncmp(name, "main", 4) == 0)
		return main_guarded;
	snprintf(symbol, sizeof(symbol), "target_%c", name[0]);
	for (int i = 0; i < 16 && target == NULL; i++) {
		if (handles[i][0] != NULL)
			*(void **)&target = dlsym(handles[i][0], symbol);
	}
	return target;
}

static void open_library(int index)
{
	void *handle = dlopen(libraries[index], RTLD_NOW);

	if (handle == NULL) {
		victim_say("failed %s", dlerror());
		return;
	}
	for (int i = 0; i < 4; i++) {
		if (handles[index][i] != NULL)
			continue;
		handles[index][i] = handle;
		break;
	}
	victim_say("opened");
}

static void close_library(int index)
{
	int last = 3;

	while (last > 0 && handles[index][last] == NULL)
		last--;
	dlclose(handles[index][last]);
	handles[index][last] = NULL;
	victim_say("closed");
}

static struct sitter *find_sitter(const char *name)
{
	for (int i = 0; i < SITTER_COUNT; i++) {
		if (strcmp(sitters[i].name, name) == 0)
			return &sitters[i];
	}
	victim_die("no such sitter");
}

static void *sit(void *arg)
{
	struct sitter *sitter = arg;

	pthread_setname_np(pthread_self(), "sitter");
	sitter->result = sitter->target(sitter->sockets[1]);
	return NULL;
}

static void enter(const char *name)
{
	struct sitter *sitter = find_sitter("");
	char byte;

	snprintf(sitter->name, sizeof(sitter->name), "%s", name);
	sitter->target = find_target(name);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
		       sitter->sockets) != 0)
		victim_die("socketpair");
	if (pthread_create(&sitter->thread, NULL, sit, sitter) != 0)
		victim_die("pthread_create");
	if (read(sitter->sockets[0], &byte, 1) != 1)
		victim_die("read");
	victim_say("entered");
}

static void leave(struct sitter *sitter, bool by_cancel)
{
	if (by_cancel)
		pthread_cancel(sitter->thread);
	else if (write(sitter->sockets[0], "", 1) != 1)
		victim_die("write");
	pthread_join(sitter->thread, NULL);
	close(sitter->sockets[0]);
	close(sitter->sockets[1]);
	sitter->name[0] = '\0';
	if (by_cancel)
		victim_say("cancelled");
	else
		victim_say("left %d", sitter->result);
}

/* The child says what it has to say on the same stdout. */
static void make_child(void)
{
	int pipe_fds[2];

	if (pipe(pipe_fds) != 0)
		victim_die("pipe");
	child = fork();
	if (child == 0) {
		victim_init();
		dup2(pipe_fds[0], STDIN_FILENO);
		close(pipe_fds[1]);
		return;
	}
	close(pipe_fds[0]);
	child_stdin = pipe_fds[1];
	victim_say("forked %d", child);
}

static void pass_on(const char *command)
{
	dprintf(child_stdin, "%s\n", command);
}

static void call_all(void)
{
	char text[2][16] = { "-", "-" };

	for (int i = 0; i < 2; i++) {
		target_function target = find_target(i == 0 ? "a" : "b");

		if (target != NULL)
			snprintf(text[i], sizeof(text[i]), "%d", target(-1));
	}
	victim_say("value=%d other=%d guarded=%d a=%s b=%s", main_value(),
		   main_other(), main_guarded(-1), text[0], text[1]);
}

static void obey(char *command)
{
	char *operand = strchr(command, ' ');

	operand = operand != NULL ? operand + 1 : command;
	if (strncmp(command, "open", 4) == 0)
		open_library(atoi(operand));
	else if (strncmp(command, "close", 5) == 0)
		close_library(atoi(operand));
	else if (strncmp(command, "enter", 5) == 0)
		enter(operand);
	else if (strncmp(command, "leave", 5) == 0)
		leave(find_sitter(operand), false);
	else if (strncmp(command, "cancel", 6) == 0)
		leave(find_sitter(operand), true);
	else if (strncmp(command, "fork", 4) == 0)
		make_child();
	else if (strncmp(command, "child", 5) == 0)
		pass_on(operand);
	else
		call_all();
}

int main(int argc, char **argv)
{
	char command[64];

	(void)argc;
	victim_init();
	libraries = argv + 1;
	victim_say("ready");
	while (victim_next_command(command, sizeof(command)))
		obey(command);
	if (child_stdin >= 0) {
		close(child_stdin);
		waitpid(child, NULL, 0);
	}
	return 0;
}
