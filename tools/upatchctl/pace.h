/* SPDX-License-Identifier: MIT */
/* How the command shares the processors with the processes that it changes. */
#ifndef UPATCHCTL_PACE_H
#define UPATCHCTL_PACE_H

/*
 * The calling thread and those that it creates from now on give way to all
 * that wake up; but if the processors are so busy that this would make the
 * command last for seconds, they come first, where that is permitted.
 */
void pace_choose(void);

#endif
