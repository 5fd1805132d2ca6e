/* SPDX-License-Identifier: MIT */
/*
 * What the loader tells (tried on glibc 2.36):
 *
 *	_dl_catch_exception(NULL, …)	in dlopen: everything is relocated, no
 *					constructor has run
 *	_dl_debug_state(), RT_DELETE	in dlclose: destructors have run, all
 *					is still mapped
 *	_dl_debug_state(), RT_CONSISTENT
 *					afterwards, and in dlopen
 *
 * Both are called with the loader's lock held, in the thread that called
 * dlopen or dlclose.
 */
#include "hooks.h"

#include <errno.h>
#include <string.h>

#include "coming.h"
#include "leaving.h"
#include "object_image.h"

extern const char upatch_hook_debug_state[];
extern const char upatch_hook_catch_exception[];
void hooks_on_debug_state(void);
void hooks_on_catch_exception(void *exception);

__attribute__((visibility("hidden"))) rt_addr_t hooks_original_debug_state;
__attribute__((visibility("hidden"))) rt_addr_t hooks_original_catch_exception;

static struct {
	struct r_debug *r_debug;
	void (*signal_error)(int error, const char *object,
			     const char *occasion, const char *text);
} loader;

rt_addr_t hooks_entry(enum rt_hook hook)
{
	return rt_addr(hook == RT_HOOK_DEBUG_STATE
			       ? upatch_hook_debug_state
			       : upatch_hook_catch_exception);
}

void hooks_set_original(enum rt_hook hook, rt_addr_t original)
{
	if (hook == RT_HOOK_DEBUG_STATE)
		hooks_original_debug_state = original;
	else
		hooks_original_catch_exception = original;
}

void hooks_set_loader(rt_addr_t r_debug, rt_addr_t signal_error)
{
	struct r_debug *found = rt_ptr(r_debug);

	if (!leaving_init(found->r_map)) {
		log_warning(
			"libraries that come and go are not watched: unknown loader");
		return;
	}
	loader.r_debug = found;
	/* POSIX has them alike (dlsym), ISO C does not. */
	memcpy(&loader.signal_error, &signal_error,
	       sizeof(loader.signal_error));
}

struct link_map *hooks_find_map(const char *name)
{
	struct link_map *map = loader.r_debug ? loader.r_debug->r_map : NULL;

	/* The first entry is the program. */
	for (map = map ? map->l_next : NULL; map; map = map->l_next) {
		if (object_matches(map, name))
			return map;
	}
	return NULL;
}

bool hooks_has_map(const struct link_map *wanted)
{
	/* A loader that does not tell is taken to have it. */
	const struct link_map *map =
		loader.r_debug ? loader.r_debug->r_map : wanted;

	while (map && map != wanted)
		map = map->l_next;
	return map;
}

_Noreturn void hooks_refuse(const char *name, int error, const char *text)
{
	loader.signal_error(error, name, NULL, text);
	__builtin_trap(); /* it does not return */
}

/*
 * A callback for a library that comes or goes has called the loader: the
 * thread holds the lock already.  What has come with that call is looked at
 * when the callback is over.
 */
static bool is_nested(void)
{
	return !loader.r_debug || state_is_locked_by_me();
}

void hooks_on_debug_state(void)
{
	int saved_errno = errno;

	if (is_nested())
		return;
	if (loader.r_debug->r_state == RT_DELETE)
		coming_release();
	else if (loader.r_debug->r_state == RT_CONSISTENT)
		coming_release_late();
	errno = saved_errno;
}

void hooks_on_catch_exception(void *exception)
{
	if (!exception && !is_nested())
		coming_accept();
}
