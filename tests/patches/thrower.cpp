/* SPDX-License-Identifier: MIT */
/*
 * A replacement that throws where the old function could not.
 */
#include <upatch/patch.h>

#include <cstdio>
#include <stdexcept>

static int new_risky(int x)
{
	char text[64];

	std::snprintf(text, sizeof(text), "%f", 1.25 * x);
	if (x == 2)
		throw std::runtime_error("from the new code");
	return x * 8;
}

static struct upatch_func funcs[] = {
	{ "_ZL5riskyi", reinterpret_cast<void *>(new_risky), 0, false,
	  nullptr },
	{},
};

static struct upatch_object objs[] = {
	{ nullptr, nullptr, funcs, nullptr, {}, nullptr },
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	"thrower", nullptr, objs, nullptr, false, false,
};
UPATCH_PATCH(patch);
