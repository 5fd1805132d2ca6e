/* SPDX-License-Identifier: MIT */
/*
 * Exceptions in C++, whose functions have mangled names: thrown by a patch
 * through old callers, through a shield, by the original that a patch calls,
 * and by a function that the first instructions call.  Each answer counts the
 * objects that were not destroyed on the way, which must be none.
 */
#include "../victim.h"

#include <cstring>
#include <stdexcept>
#include <string>

namespace built
{

static volatile int limit = 7;
static int alive;

struct counted {
	counted()
	{
		alive++;
	}
	~counted()
	{
		alive--;
	}
};

class machine
{
      public:
	/* _ZN5built7machine3runEi */
	REPLACED int run(int x);
	/* _ZN5built7machine3runEd */
	REPLACED double run(double x);
};

int machine::run(int x)
{
	counted here;

	if (x > 3)
		throw std::runtime_error("old " + std::to_string(x));
	return x + limit;
}

/* Can throw, as far as the compiler knows: its callers are prepared. */
double machine::run(double x)
{
	if (limit < 0)
		throw std::runtime_error("old double");
	return x * limit;
}

/*
 * A leaf: new code is called through a shield.  The compiler knows that it
 * does not throw, so its caller must have nothing to destroy.
 */
__attribute__((noinline, used)) static int leaf(int x)
{
	return x * limit;
}

REPLACED int call_leaf(int x)
{
	return leaf(x) + 1;
}

static int (*volatile through_leaf)(int) = call_leaf;

/* _ZN5built6inner_Ei: its call is among the first instructions of outer. */
REPLACED int inner(int x)
{
	if (x > 3)
		throw std::out_of_range("inner");
	return limit;
}

REPLACED int outer(int x)
{
	return inner(x) + 1;
}

static int call(const char *which, int x)
{
	counted here;

	if (std::strcmp(which, "run") == 0)
		return machine().run(x);
	if (std::strcmp(which, "double") == 0)
		return static_cast<int>(machine().run(1.0 * x));
	if (std::strcmp(which, "leaf") == 0)
		return through_leaf(x);
	return outer(x);
}

static int (*volatile through)(const char *, int) = call;

static std::string answer(const char *which, int x)
{
	try {
		counted here;

		return std::to_string(through(which, x));
	} catch (const std::exception &error) {
		return error.what();
	}
}

} // namespace built

int main()
{
	static const char *const names[] = { "run", "double", "leaf", "outer" };
	char command[64];

	victim_init();
	victim_say("ready");
	while (victim_next_command(command, sizeof(command))) {
		std::string line;

		for (const char *name : names)
			for (int x : { 1, 5 })
				line += built::answer(name, x) + ", ";
		victim_say("%salive=%d", line.c_str(), built::alive);
	}
	return 0;
}
