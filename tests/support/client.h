/* SPDX-License-Identifier: MIT */
/*
 * A client of a TCP server on this machine.
 */
#ifndef SUPPORT_CLIENT_H
#define SUPPORT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

/* A port on 127.0.0.1 that nobody listens on. */
int client_free_port(void);
/* Connects as soon as the server listens; fails the test if it never does. */
int client_connect(int port);
/*
 * Sends `request` and reads until the answer contains `end`; the answer is
 * NUL-terminated, cut to `size`.  False: the connection broke, or no answer.
 */
bool client_ask(int fd, const char *request, const char *end, char *answer,
		size_t size);

#endif
