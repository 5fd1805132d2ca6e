/* SPDX-License-Identifier: MIT */
/*
 * An ordinary shared object that is no patch.
 */
int nothing_of_interest(void);

int nothing_of_interest(void)
{
	return 1;
}
