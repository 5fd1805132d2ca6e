/* SPDX-License-Identifier: MIT */
/* Ctrl-C asks an operation to end cleanly; a second one kills upatchctl. */
#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
#define SIGNAL_COUNT (sizeof(signals) / sizeof(*signals))

static volatile sig_atomic_t requested;
static struct sigaction saved_actions[SIGNAL_COUNT];

static void request(int number)
{
	size_t i;

	(void)number;
	requested = 1;
	/* Whichever of them comes next is meant seriously. */
	for (i = 0; i < SIGNAL_COUNT; i++)
		sigaction(signals[i], &saved_actions[i], NULL);
}

void interrupt_init(void)
{
	struct sigaction action = { 0 };
	size_t i;

	action.sa_handler = request;
	action.sa_flags = SA_RESTART;
	/* No handler may interrupt another one. */
	for (i = 0; i < SIGNAL_COUNT; i++)
		sigaddset(&action.sa_mask, signals[i]);
	for (i = 0; i < SIGNAL_COUNT; i++)
		sigaction(signals[i], NULL, &saved_actions[i]);
	for (i = 0; i < SIGNAL_COUNT; i++) {
		/* nohup(1) and shells ignore signals on purpose. */
		if (saved_actions[i].sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	}
}

void interrupt_fini(void)
{
	size_t i;

	for (i = 0; i < SIGNAL_COUNT; i++)
		sigaction(signals[i], &saved_actions[i], NULL);
}

bool interrupt_is_requested(void *user)
{
	(void)user;
	return requested != 0;
}
