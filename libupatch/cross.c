/* SPDX-License-Identifier: MIT */
/* The barrier, with a view of the runtime's state that is current. */
#include "cross.h"

#include "clock.h"

int cross_barrier(struct operation *operation, struct tracer *tracer,
		  enum barrier_action action, uint64_t deadline_ns,
		  uint64_t *ret_ns, struct upatch_error *err)
{
	for (;;) {
		int ret = operation_look(operation, err);

		if (!ret)
			ret = barrier_run(operation->process, tracer,
					  &operation->view, action, deadline_ns,
					  ret_ns, err);
		if (ret != UPATCH_ERROR_BUSY || clock_now_ns() >= deadline_ns)
			return ret;
		ret = operation_check_asked(operation, err);
		if (ret)
			return ret;
	}
}
