/* SPDX-License-Identifier: MIT */
/* The offsets that stub.S uses are those of struct stub_params. */
#include "../stub.h"
#include "../../host_report.h"

#define CHECK(offset, field)                                                   \
	_Static_assert(offsetof(struct stub_params, field) == (offset),        \
		       "stub.S uses another offset for " #field)

CHECK(STUB_IMAGE, image);
CHECK(STUB_IMAGE_LEN, image_len);
CHECK(STUB_SCRATCH, scratch);
CHECK(STUB_SCRATCH_LEN, scratch_len);
CHECK(STUB_REPORT, report);
CHECK(STUB_DLOPEN, dlopen);
CHECK(STUB_DLSYM, dlsym);
CHECK(STUB_DLERROR, dlerror);
CHECK(STUB_ERRNO, errno_location);
CHECK(STUB_MEMFD_NAME, memfd_name);
CHECK(STUB_START_NAME, start_name);
CHECK(STUB_FD_FOLDER, fd_folder);
CHECK(STUB_SIGMASK, sigmask);
#define CHECK_REPORT(offset, field)                                            \
	_Static_assert(offsetof(struct host_report, field) == (offset),        \
		       "stub.S uses another offset for " #field)

CHECK_REPORT(HOST_REPORT_STATE, state);
CHECK_REPORT(HOST_REPORT_STEP, step);
CHECK_REPORT(HOST_REPORT_VALUE, value);
CHECK_REPORT(HOST_REPORT_TEXT, text);
_Static_assert(sizeof(struct stub_params) == STUB_PARAMS_LEN,
	       "stub.S uses another size");
