/* SPDX-License-Identifier: MIT */
/*
 * A daemon that carries up to three parcels at a time and forgets to free
 * their labels.  It says what is there once a second, or every ARGUMENT
 * milliseconds.
 */
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define PARCEL_MAX 3

struct parcel {
	struct parcel *next;
	unsigned int number;
};

static struct parcel *parcels; /* newest first */
static unsigned int parcel_count;
/* Callbacks of a patch free labels in another thread. */
static atomic_uint label_count;

__attribute__((noinline, noclone)) static char *label_new(unsigned int number)
{
	char *label = malloc(32);

	if (label) {
		snprintf(label, 32, "parcel %u", number);
		label_count++;
	}
	return label;
}

__attribute__((noinline, noclone, used)) static void label_free(char *label)
{
	label_count -= label != NULL;
	free(label);
}

/* Leaks: nothing remembers the label. */
__attribute__((noinline, noclone)) static struct parcel *
parcel_new(unsigned int number)
{
	struct parcel *parcel = malloc(sizeof(*parcel));
	char *label = label_new(number);

	if (!parcel || !label)
		exit(1);
	parcel->number = number;
	return parcel;
}

__attribute__((noinline, noclone)) static void
parcel_free(struct parcel *parcel)
{
	free(parcel);
}

__attribute__((noinline, noclone)) static void
parcel_look_at(const struct parcel *parcel)
{
	if (!parcel->number)
		abort();
}

static void take_in(unsigned int number)
{
	struct parcel *parcel = parcel_new(number);

	parcel->next = parcels;
	parcels = parcel;
	parcel_count++;
}

static void deliver_oldest(void)
{
	struct parcel **link = &parcels;

	while ((*link)->next)
		link = &(*link)->next;
	parcel_free(*link);
	*link = NULL;
	parcel_count--;
}

int main(int argc, char **argv)
{
	int interval_ms = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1000;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (unsigned int number = 1;; number++) {
		if (parcel_count == PARCEL_MAX)
			deliver_oldest();
		take_in(number);
		for (struct parcel *p = parcels; p; p = p->next)
			parcel_look_at(p);
		printf("%u parcels, %u labels\n", parcel_count, label_count);
		poll(NULL, 0, interval_ms);
	}
}
