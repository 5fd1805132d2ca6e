/* SPDX-License-Identifier: MIT */
/* Options of a command line, checked against what the command takes. */
#include "options.h"

#include <ctype.h>
#include <getopt.h>
#include <string.h>

#include "libupatch/error.h"

/* A little more than eleven days: more is a mistake. */
#define MAX_TIMEOUT_MS 1000000000ULL

struct option_spec {
	const char *name;
	const char *argument; /* NULL: none */
	int letter;	      /* what getopt_long returns */
	unsigned int needs;   /* OPTION_… of the command; 0: every one */
	const char *help;
};

static const struct option_spec specs[] = {
	{ "timeout", "SECS", 't', OPTION_TIMEOUT,
	  "time limit in seconds, also 0.5 (30); 0: one try" },
	{ "on-timeout", "WHAT", 'o', OPTION_ON_TIMEOUT,
	  "then reverse (default), leave or force it" },
	{ "dry-run", NULL, 'n', OPTION_DRY_RUN,
	  "check everything, change nothing" },
	{ "allow-writable", NULL, 'w', OPTION_TRUST,
	  "take a patch file that others can change" },
	{ "require-signature", NULL, 's', OPTION_TRUST,
	  "take only a patch with a valid signature" },
	{ "signature", "FILE", 'S', OPTION_SIGNATURE,
	  "its signature (PATCH.so.sig)" },
	{ "keys", "PATH", 'k', OPTION_TRUST,
	  "public key file, or folder of *.pem (/etc/upatch/keys)" },
	{ "key", "FILE", 'K', OPTION_KEY, "the private key" },
	{ "json", NULL, 'j', 0, "write JSON to standard output" },
	{ "verbose", NULL, 'v', OPTION_VERBOSE,
	  "tell on standard error what is done" },
	{ "help", NULL, 'h', 0, "show this text" },
};
#define SPEC_COUNT (sizeof(specs) / sizeof(*specs))

static bool takes(const struct command *command, const struct option_spec *spec)
{
	return (command->options & spec->needs) == spec->needs;
}

static void list_options(const struct command *command,
			 struct option ret_options[SPEC_COUNT + 1])
{
	size_t count = 0;
	size_t i;

	for (i = 0; i < SPEC_COUNT; i++) {
		if (!takes(command, &specs[i]))
			continue;
		ret_options[count++] = (struct option){
			.name = specs[i].name,
			.has_arg = specs[i].argument ? required_argument
						     : no_argument,
			.val = specs[i].letter,
		};
	}
	ret_options[count] = (struct option){ 0 };
}

int options_parse_seconds(const char *text, unsigned int *ret_timeout_ms,
			  struct upatch_error *err)
{
	unsigned long long ms = 0;
	unsigned int unit = 1000;
	bool has_digit = false;
	bool is_rounded = false;
	const char *at;

	for (at = text; isdigit((unsigned char)*at); at++) {
		has_digit = true;
		if (ms <= MAX_TIMEOUT_MS)
			ms = ms * 10 + (unsigned int)(*at - '0') * 1000ULL;
	}
	if (*at == '.')
		at++;
	for (; isdigit((unsigned char)*at); at++) {
		has_digit = true;
		unit /= 10;
		ms += (unsigned long long)(*at - '0') * unit;
		is_rounded |= unit == 0 && *at != '0';
	}
	if (!has_digit || *at != '\0')
		return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
				 "'%s' is not a number of seconds", text);
	ms += is_rounded;
	if (ms > MAX_TIMEOUT_MS)
		return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
				 "a timeout of %s seconds is too long", text);
	*ret_timeout_ms = (unsigned int)ms;
	return 0;
}

static int parse_on_timeout(const char *text, enum upatch_on_timeout *ret_what,
			    struct upatch_error *err)
{
	if (strcmp(text, "reverse") == 0)
		*ret_what = UPATCH_ON_TIMEOUT_REVERSE;
	else if (strcmp(text, "leave") == 0)
		*ret_what = UPATCH_ON_TIMEOUT_LEAVE;
	else if (strcmp(text, "force") == 0)
		*ret_what = UPATCH_ON_TIMEOUT_FORCE;
	else
		return error_set(
			err, UPATCH_ERROR_ARGUMENT, 0,
			"--on-timeout is reverse, leave or force, not '%s'",
			text);
	return 0;
}

/* getopt_long(3) says only which letter it would have returned. */
static int refuse_option(int letter, const char *argument,
			 const struct command *command,
			 struct upatch_error *err)
{
	const char short_option[] = { '-', (char)optopt, '\0' };
	const char *problem = "unknown or ambiguous option";

	if (letter == ':')
		problem = "a value is missing after";
	else if (optopt != 0 && strncmp(argument, "--", 2) == 0)
		problem = "no value is allowed in";
	else if (optopt != 0)
		argument = short_option;
	return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
			 "%s '%s' (see upatchctl %s --help)", problem, argument,
			 command->name);
}

static int take_option(int letter, const char *argument,
		       const struct command *command,
		       struct arguments *arguments, struct upatch_error *err)
{
	switch (letter) {
	case 't':
		return options_parse_seconds(optarg, &arguments->timeout_ms,
					     err);
	case 'o':
		return parse_on_timeout(optarg, &arguments->on_timeout, err);
	case 'n':
		arguments->dry_run = true;
		return 0;
	case 'w':
		arguments->allow_writable = true;
		return 0;
	case 's':
		arguments->require_signature = true;
		return 0;
	case 'S':
		arguments->signature = optarg;
		return 0;
	case 'k':
		arguments->keys = optarg;
		return 0;
	case 'K':
		arguments->key = optarg;
		return 0;
	case 'j':
		arguments->json = true;
		return 0;
	case 'v':
		arguments->verbose = true;
		return 0;
	case 'h':
		arguments->help = true;
		return 0;
	default:
		return refuse_option(letter, argument, command, err);
	}
}

static int check_operands(const struct command *command,
			  const struct arguments *arguments,
			  struct upatch_error *err)
{
	const char *problem;

	if (arguments->operand_count < command->min_operands)
		problem = "something is missing";
	else if (arguments->operand_count > command->max_operands)
		problem = "too many operands";
	else
		return 0;
	return error_set(err, UPATCH_ERROR_ARGUMENT, 0,
			 "%s, usage: upatchctl %s %s", problem, command->name,
			 command->operands);
}

int options_parse(const struct command *command, int argc, char **argv,
		  struct arguments *ret_arguments, struct upatch_error *err)
{
	const struct upatch_options defaults = UPATCH_OPTIONS_INIT;
	struct option options[SPEC_COUNT + 1];
	struct upatch_error later;
	int letter, taken;
	int code = 0;

	*ret_arguments = (struct arguments){
		.timeout_ms = defaults.timeout_ms,
		.on_timeout = defaults.on_timeout,
	};
	list_options(command, options);
	opterr = 0;
	while ((letter = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		taken = take_option(letter, argv[optind - 1], command,
				    ret_arguments, code == 0 ? err : &later);
		if (code == 0)
			code = taken;
	}
	ret_arguments->operands = argv + optind;
	ret_arguments->operand_count = argc - optind;
	if (code != 0 || ret_arguments->help)
		return code;
	return check_operands(command, ret_arguments, err);
}

void arguments_set_trust(const struct arguments *arguments,
			 struct upatch_options *options)
{
	options->allow_writable = arguments->allow_writable;
	options->require_signature = arguments->require_signature;
	options->signature = arguments->signature;
	options->keys = arguments->keys;
}

void options_put_help(FILE *out, const struct command *command)
{
	const struct option_spec *spec;
	size_t i;

	for (i = 0; i < SPEC_COUNT; i++) {
		spec = &specs[i];
		if (!takes(command, spec))
			continue;
		fprintf(out, "  --%s %-*s  %s\n", spec->name,
			(int)(17 - strlen(spec->name)),
			spec->argument ? spec->argument : "", spec->help);
	}
}
