/* SPDX-License-Identifier: MIT */
/* Progress and trace on stderr, without ever waiting for its reader. */
#include "console.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "output.h"
#include "printable.h"
#include "report_text.h"

#define CLEAR_LINE "\r\033[K"
/* As much as a pipe takes without blocking once poll(2) calls it writable. */
#define CHUNK 4096

void console_init(struct console *console, bool verbose)
{
	const char *term = getenv("TERM");
	bool can_rewrite =
		isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;

	memset(console, 0, sizeof(*console));
	console->shows_trace = verbose;
	console->shows_progress = !verbose && can_rewrite;
}

static bool is_writable(void)
{
	struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&out, 1, 0) == 1 && (out.revents & POLLOUT);
}

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* A display that fails must not stop the operation. */
static void write_text(const char *text, size_t len)
{
	output_write_all(STDERR_FILENO, text, len);
}

static size_t terminal_width(void)
{
	struct winsize window;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) != 0 ||
	    window.ws_col == 0)
		return 80;
	return window.ws_col;
}

/* A line that wraps could not be cleared by CLEAR_LINE. */
static char *compose_progress(const struct upatch_progress *progress)
{
	char *line = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&line, &len);

	if (!out)
		return NULL;
	text_put_progress(out, progress);
	if (fclose(out) != 0) {
		free(line);
		return NULL;
	}
	line[min_size(len, terminal_width() - 1)] = '\0';
	return line;
}

/* Takes over `line`, which may be NULL. */
static void show_line(struct console *console, char *line)
{
	if (!line)
		return;
	if (!console->shown || strcmp(console->shown, line) != 0) {
		write_text(CLEAR_LINE, strlen(CLEAR_LINE));
		write_text(line, strlen(line));
	}
	free(console->shown);
	console->shown = line;
}

void console_progress(const struct upatch_progress *progress, void *user)
{
	struct console *console = user;

	if (console->shows_progress && is_writable())
		show_line(console, compose_progress(progress));
}

void console_count(struct console *console, const char *done, size_t count,
		   size_t total)
{
	char line[64];

	if (!console->shows_progress || !is_writable())
		return;
	snprintf(line, sizeof(line), "%s: %zu of %zu processes", done, count,
		 total);
	line[min_size(strlen(line), terminal_width() - 1)] = '\0';
	show_line(console, strdup(line));
}

static void write_kept(struct console *console)
{
	size_t done = 0;
	size_t len;

	while (done < console->kept_len && is_writable()) {
		len = min_size(console->kept_len - done, CHUNK);
		write_text(console->kept + done, len);
		done += len;
	}
	console->kept_len -= done;
	memmove(console->kept, console->kept + done, console->kept_len);
}

static void keep(struct console *console, const char *text, size_t len)
{
	char *kept = realloc(console->kept, console->kept_len + len);

	if (!kept)
		return;
	memcpy(kept + console->kept_len, text, len);
	console->kept = kept;
	console->kept_len += len;
}

static void trace_line(struct console *console, const char *prefix,
		       const char *line)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return;
	fputs(prefix, out);
	printable_put(out, line);
	fputc('\n', out);
	if (fclose(out) == 0)
		keep(console, text, len);
	free(text);
	write_kept(console);
}

void console_trace(const char *line, void *user)
{
	trace_line(user, "", line);
}

void console_trace_process(const char *line, pid_t pid, struct console *console)
{
	char prefix[32];

	snprintf(prefix, sizeof(prefix), "process %d: ", (int)pid);
	trace_line(console, prefix, line);
}

void console_fini(struct console *console)
{
	if (console->shown)
		write_text(CLEAR_LINE, strlen(CLEAR_LINE));
	write_text(console->kept, console->kept_len);
	free(console->shown);
	free(console->kept);
}
