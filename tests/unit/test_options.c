/* SPDX-License-Identifier: MIT */
/* Command lines of upatchctl: what is taken, what is refused. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <getopt.h>
#include <string.h>

#include "options.h"

#define MAX_ARGS 8

static const struct command everything = {
	.name = "apply",
	.operands = "TARGET PATCH.so",
	.options = OPTION_TIMEOUT | OPTION_ON_TIMEOUT | OPTION_DRY_RUN |
		   OPTION_VERBOSE,
	.min_operands = 2,
	.max_operands = 2,
};

static const struct command nothing = {
	.name = "log",
	.operands = "TARGET",
	.min_operands = 1,
	.max_operands = 1,
};

/* `words` ends with NULL; what is parsed is good until the next call. */
static int parse(const struct command *command, const char *const *words,
		 struct arguments *ret_arguments, struct upatch_error *err)
{
	static char storage[MAX_ARGS][64];
	static char *argv[MAX_ARGS + 1];
	int argc = 0;

	for (; words[argc]; argc++)
		argv[argc] = strcpy(storage[argc], words[argc]);
	argv[argc] = NULL;
	optind = 0; /* glibc: begin anew (getopt(3)) */
	return options_parse(command, argc, argv, ret_arguments, err);
}

/* --- Time-outs -------------------------------------------------------- */

Test(timeout, seconds_may_have_decimals_and_are_rounded_up)
{
	static const struct {
		const char *text;
		unsigned int timeout_ms;
	} cases[] = {
		{ "0", 0 },
		{ "12", 12000 },
		{ "0.5", 500 },
		{ ".25", 250 },
		{ "3.", 3000 },
		{ "0.001", 1 },
		{ "0.0001", 1 },
		{ "1.2345", 1235 },
		{ "0.0000", 0 },
		{ "007", 7000 },
		{ "1000000", 1000000000 },
	};
	unsigned int timeout_ms;
	size_t i;
	int code;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		code = options_parse_seconds(cases[i].text, &timeout_ms, NULL);
		cr_assert(eq(int, code, 0), "%s", cases[i].text);
		cr_assert(eq(uint, timeout_ms, cases[i].timeout_ms), "%s",
			  cases[i].text);
	}
}

Test(timeout, other_texts_and_too_long_times_are_refused)
{
	static const char *const texts[] = {
		"",    "-1",	  "+1",		 ".",
		"1e3", "0x10",	  "inf",	 "nan",
		"1 ",  " 1",	  "1.2.3",	 "1s",
		"1,5", "1000001", "1000000.001", "99999999999999999999999",
	};
	unsigned int timeout_ms = 4711;
	size_t i;
	int code;

	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		code = options_parse_seconds(texts[i], &timeout_ms, NULL);
		cr_assert(lt(int, code, 0), "'%s'", texts[i]);
		cr_assert(eq(uint, timeout_ms, 4711), "'%s'", texts[i]);
	}
}

/* --- Options ---------------------------------------------------------- */

Test(options, stand_before_and_after_the_operands)
{
	static const char *const words[] = { "apply",	  "--json", "1",
					     "--timeout", "2",	    "fix.so",
					     "--verbose", NULL };
	struct arguments arguments;
	int code = parse(&everything, words, &arguments, NULL);

	cr_assert(eq(int, code, 0));
	cr_assert(arguments.json);
	cr_assert(arguments.verbose);
	cr_assert(not(arguments.dry_run));
	cr_assert(eq(uint, arguments.timeout_ms, 2000));
	cr_assert(eq(int, arguments.operand_count, 2));
	cr_assert(eq(str, arguments.operands[0], "1"));
	cr_assert(eq(str, arguments.operands[1], "fix.so"));
	cr_assert(arguments.operands[2] == NULL);
}

Test(options, defaults_are_those_of_the_library)
{
	static const char *const words[] = { "apply", "1", "fix.so", NULL };
	const struct upatch_options defaults = UPATCH_OPTIONS_INIT;
	struct arguments arguments;
	int code = parse(&everything, words, &arguments, NULL);
	bool same = arguments.on_timeout == defaults.on_timeout;

	cr_assert(eq(int, code, 0));
	cr_assert(same);
	cr_assert(eq(uint, arguments.timeout_ms, defaults.timeout_ms));
}

Test(options, mistakes_are_refused_with_their_reason)
{
	static const struct {
		const struct command *command;
		const char *words[MAX_ARGS];
		const char *reason;
	} cases[] = {
		{ &everything, { "apply", "1" }, "something is missing" },
		{ &everything, { "apply", "1", "2", "3" }, "too many" },
		{ &everything, { "apply", "--bogus", "1", "2" }, "--bogus" },
		{ &everything, { "apply", "1", "2", "-x" }, "'-x'" },
		{ &everything, { "apply", "1", "2", "--timeout" }, "missing" },
		{ &everything, { "apply", "--json=1", "1", "2" }, "no value" },
		{ &everything,
		  { "apply", "--on-timeout", "wait", "1", "2" },
		  "not 'wait'" },
		{ &nothing, { "log", "1", "--dry-run" }, "--dry-run" },
		{ &nothing, { "log", "1", "--timeout", "1" }, "--timeout" },
		{ &nothing, { "log", "1", "--verbose" }, "--verbose" },
	};
	struct arguments arguments;
	struct upatch_error err;
	bool is_named;
	size_t i;
	int code;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		code = parse(cases[i].command, cases[i].words, &arguments,
			     &err);
		cr_assert(eq(int, code, UPATCH_ERROR_ARGUMENT), "case %zu", i);
		is_named = strstr(err.message, cases[i].reason) != NULL;
		cr_assert(is_named, "case %zu: %s", i, err.message);
	}
}

/* A script that asked for JSON gets its mistakes as JSON. */
Test(options, json_is_seen_behind_a_mistake)
{
	static const char *const words[] = { "apply", "--bogus", "--timeout",
					     "x",     "--json",	 NULL };
	struct arguments arguments;
	struct upatch_error err;
	int code = parse(&everything, words, &arguments, &err);
	bool is_first = strstr(err.message, "--bogus") != NULL;

	cr_assert(lt(int, code, 0));
	cr_assert(arguments.json);
	cr_assert(is_first, "%s", err.message);
}

Test(options, help_needs_no_operands)
{
	static const char *const words[] = { "apply", "--help", NULL };
	struct arguments arguments;
	int code = parse(&everything, words, &arguments, NULL);

	cr_assert(eq(int, code, 0));
	cr_assert(arguments.help);
}
