/* SPDX-License-Identifier: MIT */
/*
 * The life of a library that patches name.  There is no stack check in either
 * direction: nobody can be in what has just come, or in what is going.
 */
#include "coming.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gate.h"
#include "hooks.h"
#include "leaving.h"
#include "object_symbols.h"
#include "place.h"
#include "runtime.h"

static struct rt_state *const state = &upatch_runtime_state;

/* Why a library is refused. */
struct refusal {
	const struct rt_patch *patch;
	char object[RT_OBJECT_NAME_SIZE];
	int error;
	char text[RT_TEXT_SIZE];
};

/* Redirects functions, for some threads at least. */
static bool is_in_force(const struct rt_patch *patch)
{
	return patch->state == RT_PATCH_ENABLED ||
	       patch->state == RT_PATCH_PATCHING ||
	       patch->state == RT_PATCH_UNPATCHING;
}

static bool is_in_transition(const struct rt_patch *patch)
{
	return state->transition.patch == rt_addr(patch);
}

static bool is_awaited(const struct rt_object *object)
{
	return object->name && !(object->flags & RT_OBJECT_LOADED);
}

/* --- Going ------------------------------------------------------------ */

static void release(struct rt_patch *patch, struct rt_object *object)
{
	object->phase = UPATCH_OBJECT_GOING;
	if (!is_in_transition(patch))
		object_pre_unpatch(patch, object);
	if (patch->state != RT_PATCH_LOADED)
		log_object(UPATCH_EVENT_OBJECT_GOING, patch, object, NULL);
	state_change_begin();
	place_remove(object);
	object->flags &= ~RT_OBJECT_LOADED;
	object->link_map = 0;
	/* An address that stays behind can park a patch that is loaded there. */
	object->bias = 0;
	gate_update_words();
	state_change_end();
	object_post_unpatch(patch, object);
	object->phase = UPATCH_OBJECT_LIVE;
}

/*
 * Libraries of a patch that is gone, parked say, may have been closed while
 * nobody watched: their link maps are no more.
 */
static bool is_watched(const struct rt_patch *patch)
{
	return patch->state == RT_PATCH_LOADED || patch_is_listed(patch) ||
	       transition_is_unfinished(patch);
}

static void for_each_library(void (*visit)(struct rt_patch *patch,
					   struct rt_object *object))
{
	struct rt_patch *patch;

	state_lock();
	rt_for_each(patch, state->patches)
	{
		if (!is_watched(patch))
			continue;
		for (uint32_t i = 0; i < patch->object_count; i++) {
			struct rt_object *object = &patch_objects(patch)[i];

			if (object->name && object->link_map &&
			    (object->flags & RT_OBJECT_LOADED))
				visit(patch, object);
		}
	}
	state_unlock();
}

/*
 * A controller named the library by what it had read before it entered, or
 * nobody watched when it was closed: then the map is no more, and not to be
 * followed.
 */
static bool is_there(const struct rt_object *object)
{
	const struct link_map *map = rt_ptr(object->link_map);

	return hooks_has_map(map) && map->l_addr == object->bias;
}

static void release_leaving(struct rt_patch *patch, struct rt_object *object)
{
	if (!is_there(object)) {
		release(patch, object);
		return;
	}
	switch (leaving_find(rt_ptr(object->link_map))) {
	case LEAVING_NOW:
		release(patch, object);
		break;
	case LEAVING_UNKNOWN:
		object->flags |= RT_OBJECT_MAY_LEAVE;
		break;
	case LEAVING_NOT:
		break;
	}
}

void coming_release(void)
{
	for_each_library(release_leaving);
}

static void release_gone(struct rt_patch *patch, struct rt_object *object)
{
	if (!(object->flags & RT_OBJECT_MAY_LEAVE))
		return;
	object->flags &= ~RT_OBJECT_MAY_LEAVE;
	if (!hooks_has_map(rt_ptr(object->link_map)))
		release(patch, object);
}

void coming_release_late(void)
{
	for_each_library(release_gone);
}

/* --- Coming ----------------------------------------------------------- */

static int fill_in_symbols(const struct rt_object *object,
			   const struct object_symbols *symbols,
			   struct refusal *refusal)
{
	const struct upatch_object *author = rt_ptr(object->author);
	struct upatch_error err;

	for (uint32_t i = 0; i < object->symbol_count; i++) {
		const struct upatch_symbol *wanted = &author->symbols[i];
		struct symbol symbol;

		if (symbols_find(symbols->table, wanted->name, wanted->sympos,
				 SYMBOL_WANTED_ANY, &symbol, &err)) {
			snprintf(refusal->text, sizeof(refusal->text), "%s",
				 err.message);
			return -ENOEXEC;
		}
		*wanted->addr = rt_ptr(symbol.addr);
	}
	return 0;
}

static int check_build_id(const struct rt_object *object,
			  const struct object_symbols *symbols,
			  struct refusal *refusal)
{
	const struct upatch_object *author = rt_ptr(object->author);
	char found[OBJECT_BUILD_ID_SIZE] = "";

	if (!author->build_id)
		return 0;
	(void)object_image_build_id(&symbols->image, found);
	if (!strcmp(found, author->build_id))
		return 0;
	snprintf(refusal->text, sizeof(refusal->text),
		 "the patch is for build id %s, this is %s", author->build_id,
		 found[0] ? found : "without one");
	return -ENOEXEC;
}

/* Nothing of the library is changed yet. */
static int look(const struct rt_object *object, const struct link_map *map,
		struct placement *placement, struct refusal *refusal)
{
	struct object_symbols symbols;
	struct upatch_error err;
	int ret;

	if (object_symbols_open(map, &symbols, &err)) {
		snprintf(refusal->text, sizeof(refusal->text), "%s",
			 err.message);
		return err.code == UPATCH_ERROR_NO_MEMORY ? -ENOMEM : -ENOEXEC;
	}
	ret = check_build_id(object, &symbols, refusal);
	if (!ret)
		ret = fill_in_symbols(object, &symbols, refusal);
	if (!ret)
		ret = place_plan(object, &symbols, placement, refusal->text,
				 sizeof(refusal->text));
	object_symbols_close(&symbols);
	return ret;
}

static int accept_object(struct rt_patch *patch, struct rt_object *object,
			 struct link_map *map, struct refusal *refusal)
{
	struct placement placement;
	int ret;

	object->phase = UPATCH_OBJECT_COMING;
	ret = look(object, map, &placement, refusal);
	if (ret)
		return ret;
	log_object(UPATCH_EVENT_OBJECT_COMING, patch, object, NULL);
	ret = object_pre_patch(patch, object);
	if (ret) {
		snprintf(refusal->text, sizeof(refusal->text),
			 "pre_patch refused");
	} else {
		state_change_begin();
		ret = place_install(object, &placement, refusal->text,
				    sizeof(refusal->text));
		if (!ret) {
			object->flags |= RT_OBJECT_LOADED;
			object->link_map = rt_addr(map);
			object->bias = map->l_addr;
			gate_update_words();
			ret = place_write_jumps(object);
		}
		state_change_end();
		if (ret)
			release(patch, object);
	}
	place_free(&placement);
	if (!ret && !is_in_transition(patch))
		object_post_patch(patch, object);
	return ret;
}

/* Earlier patches have been at the library already. */
static void undo_earlier(const struct rt_patch *last,
			 const struct link_map *map)
{
	struct rt_patch *patch;

	rt_for_each(patch, state->patches)
	{
		if (patch == last)
			return;
		for (uint32_t i = 0; i < patch->object_count; i++) {
			struct rt_object *object = &patch_objects(patch)[i];

			if (object->link_map == rt_addr(map) &&
			    (object->flags & RT_OBJECT_LOADED))
				release(patch, object);
		}
	}
}

static bool accept_for_patch(struct rt_patch *patch, struct refusal *refusal)
{
	for (uint32_t i = 0; i < patch->object_count; i++) {
		struct rt_object *object = &patch_objects(patch)[i];
		struct link_map *map;
		int ret;

		if (!is_awaited(object))
			continue;
		map = hooks_find_map(rt_ptr(object->name));
		if (!map)
			continue;
		ret = accept_object(patch, object, map, refusal);
		if (!ret) {
			object->phase = UPATCH_OBJECT_LIVE;
			continue;
		}
		undo_earlier(patch, map);
		object->phase = UPATCH_OBJECT_COMING;
		log_object(UPATCH_EVENT_OBJECT_REFUSED, patch, object,
			   refusal->text);
		object->phase = UPATCH_OBJECT_LIVE;
		refusal->patch = patch;
		refusal->error = ret < 0 ? -ret : ret;
		snprintf(refusal->object, sizeof(refusal->object), "%s",
			 (const char *)rt_ptr(object->name));
		return false;
	}
	return true;
}

static void refuse(const struct refusal *refusal)
{
	char text[RT_TEXT_SIZE + RT_PATCH_NAME_SIZE + 32];

	snprintf(text, sizeof(text), "patch '%s': %s", refusal->patch->name,
		 refusal->text);
	hooks_refuse(refusal->object, refusal->error, text);
}

void coming_accept(void)
{
	struct refusal refusal = { .patch = NULL };
	int saved_errno = errno;
	struct rt_patch *patch;
	bool accepted = true;

	state_lock();
	rt_for_each(patch, state->patches)
	{
		if (is_in_force(patch))
			accepted = accept_for_patch(patch, &refusal);
		if (!accepted)
			break;
	}
	state_unlock();
	errno = saved_errno;
	if (!accepted)
		refuse(&refusal);
}

struct missed {
	const struct rt_patch *patch;
	bool found;
};

/* The loader's list does not change while it calls this. */
static int look_for_awaited(struct dl_phdr_info *info, size_t size,
			    void *cookie)
{
	struct missed *missed = cookie;

	(void)info;
	(void)size;
	for (uint32_t i = 0; i < missed->patch->object_count; i++) {
		const struct rt_object *object =
			&patch_objects(missed->patch)[i];

		if (is_awaited(object)
			    ? hooks_find_map(rt_ptr(object->name)) != NULL
			    : object->link_map && !is_there(object))
			missed->found = true;
	}
	return 1;
}

bool coming_was_missed(const struct rt_patch *patch)
{
	struct missed missed = { .patch = patch };

	dl_iterate_phdr(look_for_awaited, &missed);
	return missed.found;
}
