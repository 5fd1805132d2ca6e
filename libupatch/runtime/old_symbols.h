/* SPDX-License-Identifier: MIT */
/*
 * Included before everything else in the runtime: binds to the versions that
 * these functions had before glibc 2.34 took libpthread and libdl into libc,
 * which later ones still have.  So one runtime serves old targets too.
 */
#ifndef UPATCH_RUNTIME_OLD_SYMBOLS_H
#define UPATCH_RUNTIME_OLD_SYMBOLS_H

#ifndef __ASSEMBLER__

#define OLD_SYMBOL(name, version)                                              \
	__asm__(".symver " #name "," #name "@GLIBC_" version)

OLD_SYMBOL(dladdr, "2.2.5");
OLD_SYMBOL(dlclose, "2.2.5");
OLD_SYMBOL(dlerror, "2.2.5");
OLD_SYMBOL(dlopen, "2.2.5");
OLD_SYMBOL(dlsym, "2.2.5");
OLD_SYMBOL(memcpy, "2.2.5");
OLD_SYMBOL(pthread_attr_setstack, "2.2.5");
OLD_SYMBOL(pthread_create, "2.2.5");
OLD_SYMBOL(pthread_setname_np, "2.12");
OLD_SYMBOL(pthread_tryjoin_np, "2.3.3");

#endif

#endif
