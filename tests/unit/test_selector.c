/* SPDX-License-Identifier: MIT */
/* What selectors mean, on texts as /proc shows them. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <string.h>

#include "selector.h"

static struct selector parse(const char *text)
{
	struct selector selector;
	struct upatch_error err = { 0 };
	int ret = selector_parse(text, &selector, &err);

	if (ret)
		cr_fatal("%s: %s", text, err.message);
	return selector;
}

Test(selector, what_names_nothing_is_a_usage_error)
{
	static const char *const texts[] = {
		"",	 "exe",	     "exe:",	 "lib:",     "cgroup:",
		"unit:", "cgroup:a", "unit:a/b", "pid:4711", "EXE:/bin/sh",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct upatch_error err = { 0 };
		struct selector selector;
		int ret = selector_parse(texts[i], &selector, &err);

		cr_assert(eq(int, ret, UPATCH_ERROR_ARGUMENT), "%s", texts[i]);
	}
}

Test(selector, executables)
{
	static const struct {
		const char *selector, *exe;
		bool fits;
	} cases[] = {
		{ "exe:/opt/a", "/opt/a", true },
		{ "exe:/opt/a", "/opt/a (deleted)", true },
		{ "exe:/opt/a", "/opt/ab", false },
		{ "exe:/opt/a", "/opt", false },
		{ "exe:a", "/opt/a", false },
		{ "exe:/../proc/./version", "/proc/version", true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct selector selector = parse(cases[i].selector);
		bool fits = selector_fits_exe(&selector, cases[i].exe);

		cr_assert(fits == cases[i].fits, "%s, %s", cases[i].selector,
			  cases[i].exe);
		selector_fini(&selector);
	}
}

Test(selector, names_are_cut_as_the_kernel_cuts_them)
{
	struct selector selector = parse("comm:a-name-of-twenty-let");

	cr_assert(selector_fits_comm(&selector, "a-name-of-twent\n"));
	cr_assert(not(selector_fits_comm(&selector, "a-name-of-twen\n")));
	cr_assert(not(selector_fits_comm(&selector, "a-name-of-twenu\n")));
	selector_fini(&selector);
}

static const char version_1[] =
	"3:cpu,cpuacct:/system.slice/a.service\n"
	"2:memory:/docker/1234\n"
	"1:name=systemd:/system.slice/a.service/worker\n";
static const char version_2[] =
	"0::/user.slice/user-1000.slice/user@1000.service/app.slice/b.service\n";

Test(selector, control_groups_and_units)
{
	static const struct {
		const char *selector, *text;
		bool fits;
	} cases[] = {
		{ "cgroup:/", version_1, true },
		{ "cgroup:/", version_2, true },
		{ "cgroup:/docker/1234", version_1, true },
		{ "cgroup:/docker/1234/", version_1, true },
		{ "cgroup:/docker", version_1, true },
		{ "cgroup:/dock", version_1, false },
		{ "cgroup:/docker/12345", version_1, false },
		{ "cgroup:/sys/fs/cgroup/memory/docker", version_1, true },
		{ "cgroup:/sys/fs/cgroup/cpu/docker", version_1, false },
		{ "cgroup:/sys/fs/cgroup/cpu,cpuacct/system.slice", version_1,
		  true },
		{ "cgroup:/sys/fs/cgroup/systemd/system.slice/a.service",
		  version_1, true },
		{ "cgroup:/sys/fs/cgroup/user.slice", version_2, true },
		{ "cgroup:/sys/fs/cgroup/unified/user.slice", version_2, true },
		{ "cgroup:/unified/user.slice", version_2, false },
		{ "unit:a.service", version_1, true },
		{ "unit:a", version_1, true },
		{ "unit:worker", version_1, false },
		{ "unit:b.service", version_2, true },
		{ "unit:app.slice", version_2, true },
		{ "unit:user@1000.service", version_2, true },
		{ "unit:.service", version_2, false },
		{ "unit:b.servic", version_2, false },
		{ "unit:a.service", "", false },
		{ "unit:a.service", "1", false },
		{ "unit:a.service", "1:\n:\n::", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct selector selector = parse(cases[i].selector);
		bool fits = selector_fits_cgroup(&selector, cases[i].text);

		cr_assert(fits == cases[i].fits, "%s", cases[i].selector);
		selector_fini(&selector);
	}
}

Test(selector, libraries)
{
	static const struct {
		const char *selector, *path;
		enum selector_fit fit;
	} cases[] = {
		{ "lib:libz.so.1", "/usr/lib/libz.so.1", SELECTOR_FITS },
		{ "lib:libz.so.1", "/usr/lib/libz.so.1.2.13",
		  SELECTOR_FITS_PERHAPS },
		{ "lib:libc.so.6", "/lib/libc-2.31.so", SELECTOR_FITS_PERHAPS },
		{ "lib:libz.so.1", "/usr/lib/libc.so.6", SELECTOR_FITS_NOT },
		{ "lib:/opt/libz.so.1", "/opt/libz.so.1", SELECTOR_FITS },
		{ "lib:/opt/libz.so.1", "/usr/libz.so.1", SELECTOR_FITS_NOT },
		{ "lib:libz.so.1", "", SELECTOR_FITS_NOT },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct selector selector = parse(cases[i].selector);
		enum selector_fit fit =
			selector_fits_lib(&selector, cases[i].path);

		cr_assert(fit == cases[i].fit, "%s, %s", cases[i].selector,
			  cases[i].path);
		selector_fini(&selector);
	}
}
