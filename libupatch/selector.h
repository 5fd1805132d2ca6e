/* SPDX-License-Identifier: MIT */
/* What a selector such as exe:/usr/sbin/nginx means, as far as text tells. */
#ifndef UPATCH_SELECTOR_H
#define UPATCH_SELECTOR_H

#include <stdbool.h>

#include "error.h"

enum selector_kind {
	SELECTOR_EXE,	 /* the path of the executable */
	SELECTOR_COMM,	 /* the name of the main thread */
	SELECTOR_LIB,	 /* a library that is mapped */
	SELECTOR_CGROUP, /* a control group, with those below it */
	SELECTOR_UNIT,	 /* a unit of systemd, by the control group */
};

struct selector {
	enum selector_kind kind;
	/* behind the colon; of a control group without what is not its name */
	char *value;
	/* of an executable: without symbolic links; or NULL */
	char *real_path;
	/* a control group was named by its folder below /sys/fs/cgroup */
	bool is_folder;
};

/* Release with selector_fini. */
UPATCH_MUST_CHECK int selector_parse(const char *text,
				     struct selector *ret_selector,
				     struct upatch_error *err);
void selector_fini(struct selector *selector);

/* `exe`: what /proc/PID/exe leads to, " (deleted)" included. */
bool selector_fits_exe(const struct selector *selector, const char *exe);
/* The kernel keeps no more than 15 bytes of a name. */
bool selector_fits_comm(const struct selector *selector, const char *comm);
/* `text`: /proc/PID/cgroup, of version 1, 2 or both. */
bool selector_fits_cgroup(const struct selector *selector, const char *text);

enum selector_fit {
	SELECTOR_FITS_NOT,
	/* the file's own soname decides: libz.so.1 is libz.so.1.2.13 */
	SELECTOR_FITS_PERHAPS,
	SELECTOR_FITS,
};
/* `path`: of a file that is mapped. */
enum selector_fit selector_fits_lib(const struct selector *selector,
				    const char *path);

#endif
