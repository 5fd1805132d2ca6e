/* SPDX-License-Identifier: MIT */
/* What upatchctl prints, letter by letter, for hand-made answers. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include "printable.h"
#include "report.h"
#include "report_text.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* --- Capturing -------------------------------------------------------- */

static char *captured;
static size_t captured_len;

static struct report begin(bool is_json)
{
	struct report report = { .is_json = is_json };

	report.out = open_memstream(&captured, &captured_len);
	cr_assert(report.out != NULL);
	return report;
}

static void expect(struct report *report, int code, char *text)
{
	fclose(report->out);
	cr_assert(eq(int, code, 0));
	cr_assert(eq(str, captured, text));
	free(captured);
}

/* --- Fixtures --------------------------------------------------------- */

static const struct upatch_status_func main_funcs[] = {
	{
		.name = "f",
		.sympos = 1,
		.patched = true,
		.old_addr = 0x401130,
		.old_size = 12,
		.new_addr = 0x7f0000001000,
		.new_size = 34,
		.shielded = true,
	},
	{
		.name = "g",
		.sympos = 2,
		.patched = true,
		.transition = true,
		.old_addr = 0x401200,
		.old_size = 5,
		.new_addr = 0x7f0000001040,
		.new_size = 6,
	},
};

static const struct upatch_status_func library_funcs[] = {
	{ .name = "inflate", .sympos = 1 },
};

static const struct upatch_status_object objects[] = {
	{
		.name = NULL,
		.loaded = true,
		.patched = true,
		.funcs = main_funcs,
		.func_count = COUNT(main_funcs),
	},
	{
		.name = "libz.so.1",
		.funcs = library_funcs,
		.func_count = COUNT(library_funcs),
	},
};

static const struct upatch_status_patch patches[] = {
	{
		.name = "fix",
		.file = "/opt/fix.so",
		.state = UPATCH_PATCH_PATCHING,
		.stack_order = 1,
		.objects = objects,
		.object_count = COUNT(objects),
	},
};

static const char *const backtrace[] = { "f+0x1a", "main+0x40", NULL };

static const struct upatch_status_blocking blocking[] = {
	{
		.tid = 7,
		.comm = "worker",
		.reason = "on-stack",
		.function = "f",
		.backtrace = backtrace,
	},
	{ .tid = 8, .comm = "idle", .reason = "no-unwind" },
};

static const struct upatch_status_transition transition = {
	.patch = "fix",
	.direction = UPATCH_PATCHING,
	.thread_count = 4,
	.moved_count = 3,
	.blocking = blocking,
	.blocking_count = COUNT(blocking),
};

static struct upatch_status patched = {
	.pid = 1,
	.exe = "/usr/sbin/nginx",
	.patches = patches,
	.patch_count = COUNT(patches),
	.transition = &transition,
};

static struct upatch_status never_patched = { .pid = 2, .exe = "/bin/cat" };

/* --- Status ----------------------------------------------------------- */

#define PATCHED_JSON                                                           \
	"{\"pid\":1,\"exe\":\"/usr/sbin/nginx\",\"patches\":["                 \
	"{\"name\":\"fix\",\"file\":\"/opt/fix.so\",\"state\":\"patching\","   \
	"\"stack_order\":1,\"replace\":false,\"forced\":false,\"objects\":["   \
	"{\"name\":null,\"loaded\":true,\"patched\":true,\"funcs\":["          \
	"{\"name\":\"f\",\"sympos\":1,\"patched\":true,\"transition\":false,"  \
	"\"shielded\":true,\"old_addr\":\"0x401130\",\"old_size\":12,"         \
	"\"new_addr\":\"0x7f0000001000\",\"new_size\":34},"                    \
	"{\"name\":\"g\",\"sympos\":2,\"patched\":true,\"transition\":true,"   \
	"\"shielded\":false,\"old_addr\":\"0x401200\",\"old_size\":5,"         \
	"\"new_addr\":\"0x7f0000001040\",\"new_size\":6}]},"                   \
	"{\"name\":\"libz.so.1\",\"loaded\":false,\"patched\":false,"          \
	"\"funcs\":[{\"name\":\"inflate\",\"sympos\":1,\"patched\":false,"     \
	"\"transition\":false,\"shielded\":false,"                             \
	"\"old_addr\":\"0x0\",\"old_size\":0,"                                 \
	"\"new_addr\":\"0x0\",\"new_size\":0}]}]}],"                           \
	"\"transition\":{\"patch\":\"fix\",\"direction\":\"patching\","        \
	"\"threads\":4,\"moved\":3,\"blocking\":["                             \
	"{\"tid\":7,\"comm\":\"worker\",\"reason\":\"on-stack\","              \
	"\"function\":\"f\",\"backtrace\":[\"f+0x1a\",\"main+0x40\"]},"        \
	"{\"tid\":8,\"comm\":\"idle\",\"reason\":\"no-unwind\","               \
	"\"function\":null,\"backtrace\":[]}]}}"

#define NEVER_PATCHED_JSON                                                     \
	"{\"pid\":2,\"exe\":\"/bin/cat\",\"patches\":[],\"transition\":null}"

#define PATCHED_TEXT                                                           \
	"process 1, /usr/sbin/nginx\n"                                         \
	"  1. fix: patching, from /opt/fix.so\n"                               \
	"    main executable\n"                                                \
	"      f: 0x401130 (12 bytes) -> 0x7f0000001000 (34 bytes),"           \
	" shielded\n"                                                          \
	"      g#2: 0x401200 (5 bytes) -> 0x7f0000001040 (6 bytes),"           \
	" in transition\n"                                                     \
	"    libz.so.1: not loaded\n"                                          \
	"      inflate: not patched\n"                                         \
	"  transition of fix: patching, 3 of 4 threads moved\n"                \
	"    thread 7 (worker) blocks: on-stack f\n"                           \
	"      f+0x1a\n"                                                       \
	"      main+0x40\n"                                                    \
	"    thread 8 (idle) blocks: no-unwind\n"

Test(status, json_has_the_documented_members_in_their_order)
{
	struct report report = begin(true);
	int code = report_status(&report, &patched, NULL);

	expect(&report, code, PATCHED_JSON "\n");
}

Test(status, text_shows_who_blocks_and_why)
{
	struct report report = begin(false);
	int code = report_status(&report, &patched, NULL);

	expect(&report, code, PATCHED_TEXT);
}

Test(status, process_that_was_never_patched_has_no_patches)
{
	struct report text = begin(false);
	struct report json;
	int code = report_status(&text, &never_patched, NULL);

	expect(&text, code, "no patches\n");
	json = begin(true);
	code = report_status(&json, &never_patched, NULL);
	expect(&json, code, NEVER_PATCHED_JSON "\n");
}

Test(status, callback_of_a_patch_that_left_is_shown)
{
	const struct upatch_status_callback callback = {
		.patch = "fix",
		.phase = "live",
		.callback = "post_unpatch",
		.tid = 7,
	};
	const struct upatch_status left = {
		.pid = 2,
		.exe = "/bin/cat",
		.callbacks = &callback,
		.callback_count = 1,
	};
	struct report report = begin(false);
	int code = report_status(&report, &left, NULL);

	expect(&report, code,
	       "process 2, /bin/cat\n"
	       "  post_unpatch of main executable, live, patch fix,"
	       " is running in thread 7\n");
}

Test(status, several_processes_are_an_array)
{
	struct upatch_status *statuses[] = { &patched, &never_patched };
	struct report report = begin(true);
	int code = report_status_list(&report, statuses, 2, NULL);

	expect(&report, code, "[" PATCHED_JSON "," NEVER_PATCHED_JSON "]\n");
}

Test(status, no_process_is_an_empty_array)
{
	struct report json = begin(true);
	struct report text;
	int code = report_status_list(&json, NULL, 0, NULL);

	expect(&json, code, "[]\n");
	text = begin(false);
	code = report_status_list(&text, NULL, 0, NULL);
	expect(&text, code, "no patches\n");
}

/* --- Log -------------------------------------------------------------- */

static const struct upatch_log_entry entries[] = {
	{
		.seq = 1,
		.time_ns = UINT64_C(1700000000000000009),
		.event = UPATCH_EVENT_ENABLE,
		.patch = "fix",
	},
	{
		.seq = 2,
		.time_ns = UINT64_C(1700000000123456789),
		.event = UPATCH_EVENT_INIT,
		.patch = "fix",
		.has_direction = true,
		.direction = UPATCH_PATCHING,
	},
	{
		.seq = 3,
		.time_ns = UINT64_C(1700000000123456789),
		.event = UPATCH_EVENT_CALLBACK,
		.patch = "fix",
		.has_object = true,
		.has_callback = true,
		.has_ret = true,
		.object = NULL,
		.phase = "live",
		.callback = "pre_patch",
		.ret = -ENODEV,
	},
	{
		.seq = 4,
		.time_ns = UINT64_C(1700000001000000000),
		.event = UPATCH_EVENT_PARKED,
		.patch = "longer-name",
		.detail = "a thread may return into it",
	},
};

static const struct upatch_log log_of_four = {
	.entries = entries,
	.entry_count = COUNT(entries),
	.lost_count = 1,
};

Test(log, json_has_only_the_members_that_apply)
{
	struct report report = begin(true);
	int code = report_log(&report, &log_of_four, NULL);

	expect(&report, code,
	       "{\"seq\":1,\"time\":\"2023-11-14T22:13:20.000000009Z\","
	       "\"event\":\"enable\",\"patch\":\"fix\"}\n"
	       "{\"seq\":2,\"time\":\"2023-11-14T22:13:20.123456789Z\","
	       "\"event\":\"init\",\"patch\":\"fix\","
	       "\"direction\":\"patching\"}\n"
	       "{\"seq\":3,\"time\":\"2023-11-14T22:13:20.123456789Z\","
	       "\"event\":\"callback\",\"patch\":\"fix\",\"object\":null,"
	       "\"phase\":\"live\",\"callback\":\"pre_patch\",\"ret\":-19}\n"
	       "{\"seq\":4,\"time\":\"2023-11-14T22:13:21.000000000Z\","
	       "\"event\":\"parked\",\"patch\":\"longer-name\","
	       "\"reason\":\"a thread may return into it\"}\n");
}

Test(log, text_is_in_columns)
{
	struct report report;
	int code;

	setenv("TZ", "UTC", 1);
	tzset();
	report = begin(false);
	code = report_log(&report, &log_of_four, NULL);
	expect(&report, code,
	       "1 older event is no longer kept\n"
	       "   1  2023-11-14 22:13:20.000000  fix          enable\n"
	       "   2  2023-11-14 22:13:20.123456  fix          init"
	       "             patching\n"
	       "   3  2023-11-14 22:13:20.123456  fix          callback"
	       "         pre_patch, main executable, live, returned -19\n"
	       "   4  2023-11-14 22:13:21.000000  longer-name  parked"
	       "           a thread may return into it\n");
}

Test(log, empty_log_prints_nothing)
{
	const struct upatch_log empty = { 0 };
	struct report report = begin(true);
	int code = report_log(&report, &empty, NULL);

	expect(&report, code, "");
}

/* --- Operations ------------------------------------------------------- */

static const struct upatch_result result = {
	.thread_count = 4,
	.func_count = 1,
	.barrier_ns = 52345,
	.host_ns = 570999,
	.total_ns = 12345678,
};

Test(outcome, success_tells_counts_and_times)
{
	const struct report_outcome outcome = {
		.done = "applied", .pid = 1, .patch = "fix", .result = &result
	};
	struct report text = begin(false);
	struct report json;
	int code = report_outcome(&text, &outcome, NULL);

	expect(&text, code,
	       "applied fix in process 1: 1 function, 4 threads, "
	       "all stopped for 0.052 ms, 12.3 ms in total\n");
	json = begin(true);
	code = report_outcome(&json, &outcome, NULL);
	expect(&json, code,
	       "{\"ok\":true,\"pid\":1,\"patch\":\"fix\",\"threads\":4,"
	       "\"funcs\":1,\"barrier_us\":52,\"host_us\":570,"
	       "\"total_us\":12345}\n");
}

Test(outcome, parked_code_is_told)
{
	const struct upatch_result parked = { .parked = true };
	const struct report_outcome outcome = {
		.done = "reverted", .pid = 1, .patch = "fix", .result = &parked
	};
	struct report text = begin(false);
	struct report json;
	int code = report_outcome(&text, &outcome, NULL);

	expect(&text, code,
	       "reverted fix in process 1: 0 functions, 0 threads, "
	       "all stopped for 0.000 ms, 0.0 ms in total\n"
	       "its code stays in memory; see upatchctl log 1\n");
	json = begin(true);
	code = report_outcome(&json, &outcome, NULL);
	expect(&json, code,
	       "{\"ok\":true,\"pid\":1,\"patch\":\"fix\",\"threads\":0,"
	       "\"funcs\":0,\"barrier_us\":0,\"host_us\":0,\"total_us\":0,"
	       "\"parked\":true}\n");
}

Test(outcome, no_transition_is_told)
{
	const struct report_outcome outcome = {
		.done = "finished", .pid = 1, .patch = "", .result = &result
	};
	struct report report = begin(false);
	int code = report_outcome(&report, &outcome, NULL);

	expect(&report, code, "no transition is running in process 1\n");
}

Test(outcome, failure_is_an_object_in_json_and_nothing_in_text)
{
	const struct upatch_error failure = {
		.code = UPATCH_ERROR_MISMATCH,
		.saved_errno = ENOENT,
		.message = "cannot find \"f\"",
	};
	struct report json = begin(true);
	struct report text;

	report_failure(&json, &failure);
	expect(&json, 0,
	       "{\"ok\":false,\"code\":\"MISMATCH\",\"errno\":2,"
	       "\"message\":\"cannot find \\\"f\\\"\",\"exit\":5}\n");
	text = begin(false);
	report_failure(&text, &failure);
	expect(&text, 0, "");
}

/* --- Check ------------------------------------------------------------ */

static const char *const aliases[] = { "get_limit", "get_max", NULL };

static const struct upatch_check_func check_funcs[] = {
	{
		.name = "limit",
		.sympos = 1,
		.addr = 0x401130,
		.size = 12,
		.shielded = true,
		.shield_reason = "leaves rdi, rsi alone",
		.aliases = aliases,
	},
	{
		.object = "libz.so.1",
		.name = "inflate",
		.sympos = 1,
		.addr = 0x2000,
		.size = 99,
	},
};

static const char *const problems[] = { "no symbol 'a'", "'b' is too short" };
static const enum upatch_error_code problem_codes[] = {
	UPATCH_ERROR_MISMATCH,
	UPATCH_ERROR_CONFLICT,
};
static const char *const notes[] = { "'libx.so' is not loaded" };

static const struct upatch_check check = {
	.problems = problems,
	.problem_codes = problem_codes,
	.problem_count = COUNT(problems),
	.notes = notes,
	.note_count = COUNT(notes),
	.funcs = check_funcs,
	.func_count = COUNT(check_funcs),
};

Test(check, text_shows_every_problem_shields_and_aliases)
{
	struct report report = begin(false);
	int code = report_check(&report, &check, NULL);

	expect(&report, code,
	       "limit in main executable: 0x401130, 12 bytes, "
	       "shielded: leaves rdi, rsi alone\n"
	       "  also known as get_limit, get_max\n"
	       "inflate in libz.so.1: 0x2000, 99 bytes\n"
	       "note: 'libx.so' is not loaded\n"
	       "problem: no symbol 'a'\n"
	       "problem: 'b' is too short\n");
}

Test(check, json_has_problems_with_their_codes)
{
	struct report report = begin(true);
	int code = report_check(&report, &check, NULL);

	expect(&report, code,
	       "{\"ok\":false,\"problems\":["
	       "{\"code\":\"MISMATCH\",\"message\":\"no symbol 'a'\"},"
	       "{\"code\":\"CONFLICT\",\"message\":\"'b' is too short\"}],"
	       "\"notes\":[\"'libx.so' is not loaded\"],\"funcs\":["
	       "{\"object\":null,\"name\":\"limit\",\"sympos\":1,"
	       "\"addr\":\"0x401130\",\"size\":12,\"shielded\":true,"
	       "\"shield_reason\":\"leaves rdi, rsi alone\","
	       "\"aliases\":[\"get_limit\",\"get_max\"]},"
	       "{\"object\":\"libz.so.1\",\"name\":\"inflate\",\"sympos\":1,"
	       "\"addr\":\"0x2000\",\"size\":99,\"shielded\":false,"
	       "\"shield_reason\":null,\"aliases\":[]}]}\n");
}

Test(check, nothing_wrong_is_said)
{
	const struct upatch_check sound = { 0 };
	struct report text = begin(false);
	struct report json;
	int code = report_check(&text, &sound, NULL);

	expect(&text, code, "no problems\n");
	json = begin(true);
	code = report_check(&json, &sound, NULL);
	expect(&json, code,
	       "{\"ok\":true,\"problems\":[],\"notes\":[],\"funcs\":[]}\n");
}

/* --- Info ------------------------------------------------------------- */

static const struct upatch_info_func info_funcs[] = {
	{ .old_name = "f", .new_name = "new_f", .has_orig_func = true },
	{ .old_name = "g", .sympos = 2, .immediate = true },
};
static const struct upatch_info_symbol info_symbols[] = { { .name = "limit" } };
static const struct upatch_info_object info_objects[] = {
	{
		.funcs = info_funcs,
		.func_count = COUNT(info_funcs),
		.symbols = info_symbols,
		.symbol_count = COUNT(info_symbols),
		.has_pre_patch = true,
		.has_post_unpatch = true,
	},
	{ .name = "libz.so.1", .build_id = "00ff" },
};
static const struct upatch_info_state info_states[] = { { 5, 2 } };
static const struct upatch_info patch_info = {
	.path = "/opt/fix.so",
	.name = "fix",
	.description = "two limits",
	.build_id = "abcd",
	.interface_version = 1,
	.replace = true,
	.objects = info_objects,
	.object_count = COUNT(info_objects),
	.states = info_states,
	.state_count = COUNT(info_states),
};

Test(info, text_shows_the_content)
{
	struct report report = begin(false);
	int code = report_info(&report, &patch_info, NULL);

	expect(&report, code,
	       "name: fix\n"
	       "description: two limits\n"
	       "file: /opt/fix.so\n"
	       "build id: abcd\n"
	       "interface version: 1\n"
	       "replaces all patches that are applied before it\n"
	       "state 5: version 2\n"
	       "main executable\n"
	       "  f -> new_f, can call the original\n"
	       "  g#2 -> (no name), immediate\n"
	       "  uses limit\n"
	       "  callbacks: pre_patch post_unpatch\n"
	       "libz.so.1, build id 00ff\n");
}

Test(info, json_shows_the_content)
{
	struct report report = begin(true);
	int code = report_info(&report, &patch_info, NULL);

	expect(&report, code,
	       "{\"path\":\"/opt/fix.so\",\"name\":\"fix\","
	       "\"description\":\"two limits\",\"build_id\":\"abcd\","
	       "\"interface_version\":1,\"replace\":true,\"immediate\":false,"
	       "\"objects\":[{\"name\":null,\"build_id\":null,\"funcs\":["
	       "{\"old_name\":\"f\",\"sympos\":0,\"new_name\":\"new_f\","
	       "\"immediate\":false,\"orig_func\":true},"
	       "{\"old_name\":\"g\",\"sympos\":2,\"new_name\":null,"
	       "\"immediate\":true,\"orig_func\":false}],"
	       "\"symbols\":[{\"name\":\"limit\",\"sympos\":0}],"
	       "\"callbacks\":[\"pre_patch\",\"post_unpatch\"]},"
	       "{\"name\":\"libz.so.1\",\"build_id\":\"00ff\",\"funcs\":[],"
	       "\"symbols\":[],\"callbacks\":[]}],"
	       "\"states\":[{\"id\":5,\"version\":2}]}\n");
}

/* --- Names from processes that nobody need trust ---------------------- */

Test(names, control_characters_do_not_reach_the_terminal)
{
	struct report report = begin(false);

	printable_put(report.out, "a\033[2J\n\x7f\xc2\x9b\xc3\xa4");
	expect(&report, 0, "a\\x1b[2J\\x0a\\x7f\\xc2\\x9b\xc3\xa4");
}

Test(names, bytes_that_are_not_utf8_are_replaced_in_json)
{
	const struct upatch_status status = { .pid = 3, .exe = "/bin/\xff" };
	struct report report = begin(true);
	int code = report_status(&report, &status, NULL);

	expect(&report, code,
	       "{\"pid\":3,\"exe\":\"/bin/\xef\xbf\xbd\",\"patches\":[],"
	       "\"transition\":null}\n");
}

/* --- Progress --------------------------------------------------------- */

static void expect_progress(const struct upatch_progress *progress, char *text)
{
	struct report report = begin(false);

	text_put_progress(report.out, progress);
	expect(&report, 0, text);
}

Test(progress, moving_threads_are_counted_and_the_blocking_one_named)
{
	struct upatch_progress progress = {
		.step = UPATCH_STEP_MOVE,
		.thread_count = 4,
		.moved_count = 3,
	};

	expect_progress(&progress, "3 of 4 threads moved");
	progress.blocking_tid = 7;
	expect_progress(&progress,
			"3 of 4 threads moved, waiting for thread 7");
	progress.blocking_function = "f";
	expect_progress(&progress,
			"3 of 4 threads moved, waiting for thread 7 in f");
	progress.step = UPATCH_STEP_INJECT;
	expect_progress(&progress, "entering the process");
}
