/* SPDX-License-Identifier: MIT */
/*
 * mortal ACTION: a thread of it does something fatal on SIGUSR1, fatal for the
 * program or for what others have put into it.
 * usage: mortal exit|crash|exec|close|steal|closing
 */
#include "victim.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CLOSING_PAUSE_US 50
#define STOLEN_COUNT	 8

static volatile int step = 1;

static REPLACED int work(int x)
{
	return x + step;
}

/* Nothing but the standard streams is the program's own. */
static void close_descriptors(void)
{
	syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
}

static void act_exit(void)
{
	_exit(0);
}

static void act_crash(void)
{
	__builtin_trap();
}

/* The same program once more, as programs do that upgrade themselves. */
static void act_exec(void)
{
	execl("/proc/self/exe", "mortal", "again", (char *)NULL);
}

/* The numbers of what was closed are used again. */
static void act_steal(void)
{
	close_descriptors();
	for (int i = 0; i < STOLEN_COUNT; i++)
		(void)!open("/dev/null", O_RDWR | O_CLOEXEC);
}

static void act_closing(void)
{
	for (;;) {
		close_descriptors();
		usleep(CLOSING_PAUSE_US);
	}
}

static const struct action {
	const char *name;
	void (*act)(void);
} actions[] = {
	{ "exit", act_exit },	{ "crash", act_crash },
	{ "exec", act_exec },	{ "close", close_descriptors },
	{ "steal", act_steal }, { "closing", act_closing },
};

static void *run_actor(void *arg)
{
	const struct action *action = arg;
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	for (;;) {
		sigwait(&set, &signal);
		action->act();
	}
	return NULL;
}

static void *run_caller(void *arg)
{
	for (;;) {
		work(1);
		usleep(1000);
	}
	return arg;
}

static const struct action *find_action(const char *name)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(actions[i].name, name) == 0)
			return &actions[i];
	}
	victim_die("unknown action");
	return NULL;
}

int main(int argc, char *argv[])
{
	pthread_t threads[2];
	char command[64];
	sigset_t set;

	victim_init();
	if (argc != 2)
		victim_die("usage: mortal ACTION");
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (strcmp(argv[1], "again") != 0) {
		pthread_create(&threads[0], NULL, run_actor,
			       (void *)(unsigned long)find_action(argv[1]));
		pthread_create(&threads[1], NULL, run_caller, NULL);
		victim_say("ready");
	}
	while (victim_next_command(command, sizeof(command)))
		victim_say("result=%d", work(1));
	return 0;
}
