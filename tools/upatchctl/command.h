/* SPDX-License-Identifier: MIT */
/* What a command of upatchctl is: how it is called, and what it does. */
#ifndef UPATCHCTL_COMMAND_H
#define UPATCHCTL_COMMAND_H

#include <stdbool.h>

#include <upatch/upatch.h>

#include "report.h"

/* What a command line says, already checked against the command. */
struct arguments {
	char *const *operands; /* ends with NULL */
	int operand_count;
	bool help, json, verbose, dry_run;
	/* meaningful where the command takes them */
	unsigned int timeout_ms;
	enum upatch_on_timeout on_timeout;
	bool allow_writable, require_signature;
	const char *signature, *keys, *key; /* paths, or NULL */
};

/* The options of OPTION_TRUST, as the library takes them. */
void arguments_set_trust(const struct arguments *arguments,
			 struct upatch_options *options);

/* Options beyond --json and --help, which every command takes. */
enum {
	OPTION_TIMEOUT = 1 << 0,
	OPTION_ON_TIMEOUT = 1 << 1,
	OPTION_DRY_RUN = 1 << 2,
	OPTION_VERBOSE = 1 << 3,
	OPTION_TRUST = 1 << 4, /* all that decides whether a file is taken */
	OPTION_SIGNATURE = 1 << 5,
	OPTION_KEY = 1 << 6,
};

struct command {
	const char *name;
	const char *operands; /* as usage shows them */
	const char *summary;  /* for the list of commands */
	const char *description;
	const char *example;
	unsigned int options; /* OPTION_… */
	int min_operands, max_operands;
	/* with --json, a failure is an object on stdout as well */
	bool changes_target;
	/*
	 * 0 or a negative enum upatch_error_code.  What was reported before
	 * a failure is shown.
	 */
	int (*run)(const struct arguments *arguments,
		   const struct report *report, struct upatch_error *err);
};

extern const struct command apply_command;
extern const struct command revert_command;
extern const struct command status_command;
extern const struct command wait_command;
extern const struct command reverse_command;
extern const struct command force_command;
extern const struct command log_command;
extern const struct command check_command;
extern const struct command info_command;
extern const struct command sign_command;

#endif
