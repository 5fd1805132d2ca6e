/* SPDX-License-Identifier: MIT */
/* How the command shares the processors with the processes that it changes. */
#ifndef UPATCHCTL_PACE_H
#define UPATCHCTL_PACE_H

#include <stddef.h>

/*
 * The calling thread and those that it creates from now on give way to all
 * that wake up; but if the processors are so busy that this would make the
 * command last for seconds, they come first, where that is permitted.
 */
void pace_choose(void);

/*
 * Before threads are created that go through many processes: the work can take
 * seconds, which is nobody's hurry while the processors have other work to do.
 */
void pace_be_patient(void);
/* So many threads leave others the processors that they use now; 1 at least. */
size_t pace_worker_count(void);

#endif
