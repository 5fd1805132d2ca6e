/* SPDX-License-Identifier: MIT */
/* upatchctl: the commands, and how a call of one begins and ends. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "help.h"
#include "libupatch/error.h"
#include "options.h"
#include "output.h"
#include "pace.h"

static const struct command *const commands[] = {
	&apply_command,
	&revert_command,
	&status_command,
	&wait_command,
	&reverse_command,
	&force_command,
	&log_command,
	&check_command,
	&info_command,
	&sign_command,
	NULL,
};

static const struct command *find_command(const char *name)
{
	const struct command *const *command;

	for (command = commands; *command; command++) {
		if (strcmp((*command)->name, name) == 0)
			return *command;
	}
	return NULL;
}

static int run_command(const struct command *command, int argc, char **argv,
		       FILE *out, struct upatch_error *err)
{
	struct report report = { .out = out };
	struct arguments arguments;
	int code;

	code = options_parse(command, argc, argv, &arguments, err);
	report.is_json = arguments.json;
	if (code == 0 && arguments.help) {
		help_put_command(out, command);
		return 0;
	}
	if (code == 0 && command->changes_target)
		pace_choose();
	if (code == 0)
		code = command->run(&arguments, &report, err);
	/* What became of each of many processes has been told already. */
	if (code != 0 && command->changes_target && ftell(out) == 0)
		report_failure(&report, err);
	return code;
}

static int run(int argc, char **argv, FILE *out, struct upatch_error *err)
{
	const struct command *command;

	if (argc < 2)
		return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
				 "no command given (see upatchctl --help)");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		help_put_program(out, commands);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		fprintf(out, "upatchctl %s\n", upatch_version());
		return 0;
	}
	command = find_command(argv[1]);
	if (!command)
		return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
				 "unknown %s '%s' (see upatchctl --help)",
				 argv[1][0] == '-' ? "option" : "command",
				 argv[1]);
	return run_command(command, argc - 1, argv + 1, out, err);
}

/*
 * All output is composed first and written last, while nothing is open: a
 * reader that is slow or gone cannot hold up work on a process.
 */
static int run_and_write(int argc, char **argv, struct upatch_error *err)
{
	struct upatch_error later;
	char *text = NULL;
	size_t len = 0;
	int code, written;
	FILE *out;

	out = open_memstream(&text, &len);
	if (!out)
		return error_set(err, UPATCH_ERROR_NO_MEMORY, 0,
				 "cannot begin: out of memory");
	code = run(argc, argv, out, err);
	if (fclose(out) != 0)
		written = error_set(code == 0 ? err : &later,
				    UPATCH_ERROR_NO_MEMORY, 0,
				    "cannot keep the output: out of memory");
	else
		written = output_write(text, len, code == 0 ? err : &later);
	free(text);
	return code != 0 ? code : written;
}

int main(int argc, char **argv)
{
	struct upatch_error err = { 0 };
	int code;

	/* A closed pipe must not end us in the middle of an operation. */
	signal(SIGPIPE, SIG_IGN);
	code = output_reserve_streams(&err);
	if (code == 0)
		code = run_and_write(argc, argv, &err);
	if (code == 0)
		return EXIT_SUCCESS;
	output_write_failure(&err);
	return upatch_error_exit_status(code);
}
