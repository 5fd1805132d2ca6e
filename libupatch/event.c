/* SPDX-License-Identifier: MIT */
/* The names of the events in a target's log, and of what they tell. */
#include "event.h"

#include <upatch/upatch.h>

const char *upatch_event_name(enum upatch_event event)
{
	switch (event) {
	case UPATCH_EVENT_ENABLE:
		return "enable";
	case UPATCH_EVENT_INIT:
		return "init";
	case UPATCH_EVENT_CALLBACK:
		return "callback";
	case UPATCH_EVENT_CALLBACK_FAILED:
		return "callback_failed";
	case UPATCH_EVENT_ENABLE_FAILED:
		return "enable_failed";
	case UPATCH_EVENT_CANCEL:
		return "cancel";
	case UPATCH_EVENT_START:
		return "start";
	case UPATCH_EVENT_REVERSE:
		return "reverse";
	case UPATCH_EVENT_FORCE:
		return "force";
	case UPATCH_EVENT_COMPLETE:
		return "complete";
	case UPATCH_EVENT_DONE:
		return "done";
	case UPATCH_EVENT_OBJECT_COMING:
		return "object_coming";
	case UPATCH_EVENT_OBJECT_GOING:
		return "object_going";
	case UPATCH_EVENT_OBJECT_REFUSED:
		return "object_refused";
	case UPATCH_EVENT_UNLOAD:
		return "unload";
	case UPATCH_EVENT_PARKED:
		return "parked";
	case UPATCH_EVENT_WARNING:
		return "warning";
	}
	return "unknown";
}

const char *event_phase_name(uint32_t phase)
{
	static const char *const names[] = { "live", "coming", "going" };

	return phase < 3 ? names[phase] : "?";
}

const char *event_callback_name(uint32_t callback)
{
	static const char *const names[] = {
		"pre_patch",
		"post_patch",
		"pre_unpatch",
		"post_unpatch",
	};

	return callback < 4 ? names[callback] : "?";
}
