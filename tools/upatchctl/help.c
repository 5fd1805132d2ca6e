/* SPDX-License-Identifier: MIT */
/* What --help prints. */
#include "help.h"

#include "options.h"

/* Index: the status. */
static const char *const exit_statuses[] = {
	"done",
	"failed, the process is unchanged; or interrupted",
	"wrong usage",
	"no such process or patch",
	"not permitted",
	"refused: patch and process do not fit",
	"busy: another operation, transition or tracer is at work",
	"timed out, and reversed or left as asked",
	"the undo failed: something is left in the process",
};
#define EXIT_STATUS_COUNT (sizeof(exit_statuses) / sizeof(*exit_statuses))
/* The first ones that a command which only reads can have. */
#define READING_STATUS_COUNT 7

static void put_exit_statuses(FILE *out, size_t count)
{
	size_t i;

	fputs("\nExit status:\n", out);
	for (i = 0; i < count; i++)
		fprintf(out, "  %zu  %s\n", i, exit_statuses[i]);
}

void help_put_command(FILE *out, const struct command *command)
{
	fprintf(out, "Usage: upatchctl %s %s [OPTION]...\n\n%s\n\nOptions:\n",
		command->name, command->operands, command->description);
	options_put_help(out, command);
	put_exit_statuses(out, command->changes_target ? EXIT_STATUS_COUNT
						       : READING_STATUS_COUNT);
	fprintf(out, "\nExample:\n  %s\n", command->example);
}

void help_put_program(FILE *out, const struct command *const *commands)
{
	fputs("Usage: upatchctl COMMAND [OPERAND]... [OPTION]...\n\n"
	      "Change the code of running processes without restarting them.\n"
	      "TARGET is a process id, or means all processes of which it is true:\n"
	      "exe:PATH, comm:NAME, lib:SONAME, cgroup:PATH or unit:NAME.service.\n"
	      "PATCH.so is a patch, NAME the name of one.\n\nCommands:\n",
	      out);
	for (; *commands; commands++)
		fprintf(out, "  %-8s %s\n", (*commands)->name,
			(*commands)->summary);
	fputs("\nOptions:\n"
	      "  --help     show this text; after a command, its own\n"
	      "  --version  show the version\n",
	      out);
	put_exit_statuses(out, EXIT_STATUS_COUNT);
	fputs("\nSee upatchctl(8).\n", out);
}
