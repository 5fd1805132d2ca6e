// SPDX-License-Identifier: MIT
// A patch in C++17: mangled names, namespaces, a thread-local variable.
#include <upatch/patch.h>

namespace
{
thread_local int depth;
void *orig_run;

struct Fix {
	__attribute__((noinline)) static int run(int value);
};

int Fix::run(int value)
{
	return value + ++depth + (orig_run != nullptr);
}

upatch_func funcs[] = {
	{ "_ZN6Server3runEi", reinterpret_cast<void *>(Fix::run), 0, false,
	  &orig_run },
	{ nullptr, nullptr, 0, false, nullptr },
};

upatch_object objs[] = {
	{ nullptr, nullptr, funcs, nullptr, {}, nullptr },
	UPATCH_OBJECT_END,
};

upatch_patch fix = { "cxx", nullptr, objs, nullptr, false, true };
} // namespace

UPATCH_PATCH(fix);
