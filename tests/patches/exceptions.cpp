/* SPDX-License-Identifier: MIT */
/*
 * For the victim `exceptions`: throws where the old functions do not, and lets
 * pass what they throw.
 */
#include <upatch/patch.h>

#include <stdexcept>
#include <string>

static int (*old_run)(void *self, int x);
static int (*old_outer)(int x);

static int lost;

struct counted {
	counted()
	{
		lost++;
	}
	~counted()
	{
		lost--;
	}
};

static int new_run(void *self, int x)
{
	counted here;

	return old_run(self, x) + 100 + lost - 1;
}

static double new_run_double(void *, double x)
{
	counted here;

	if (x > 3)
		throw std::range_error("new double");
	return x * 1000;
}

static int new_leaf(int x)
{
	counted here;

	if (x > 3)
		throw std::runtime_error("new leaf " + std::to_string(lost));
	return x * 10;
}

static int new_outer(int x)
{
	try {
		return old_outer(x) + 10;
	} catch (const std::out_of_range &) {
		throw std::runtime_error("caught and thrown anew");
	}
}

static struct upatch_func funcs[] = {
	{ "_ZN5built7machine3runEi", reinterpret_cast<void *>(new_run), 0,
	  false, reinterpret_cast<void **>(&old_run) },
	{ "_ZN5built7machine3runEd", reinterpret_cast<void *>(new_run_double),
	  0, false, nullptr },
	{ "_ZN5builtL4leafEi", reinterpret_cast<void *>(new_leaf), 0, false,
	  nullptr },
	{ "_ZN5built5outerEi", reinterpret_cast<void *>(new_outer), 0, false,
	  reinterpret_cast<void **>(&old_outer) },
	{},
};

static struct upatch_object objs[] = {
	{ nullptr, nullptr, funcs, nullptr, {}, nullptr },
	UPATCH_OBJECT_END,
};

static struct upatch_patch patch = {
	"exceptions", nullptr, objs, nullptr, false, false,
};
UPATCH_PATCH(patch);
