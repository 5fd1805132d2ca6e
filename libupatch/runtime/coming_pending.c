/* temporary: until object_symbols.c is there */
#include "coming.h"
#include "hooks.h"
rt_addr_t hooks_entry(enum rt_hook hook)
{
	(void)hook;
	return 0;
}
void hooks_set_original(enum rt_hook hook, rt_addr_t original)
{
	(void)hook;
	(void)original;
}
void hooks_set_loader(rt_addr_t r_debug, rt_addr_t signal_error)
{
	(void)r_debug;
	(void)signal_error;
}
bool coming_was_missed(const struct rt_patch *patch)
{
	(void)patch;
	return false;
}
