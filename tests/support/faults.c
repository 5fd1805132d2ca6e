/* SPDX-License-Identifier: MIT */
/* Runs of upatchctl in which something fails. */
#include "faults.h"

#include "fail_inside.h"
#include "paths.h"
#include "victim.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static char report_path[] = "/tmp/upatch-faults-XXXXXX";
static char shared_path[] = "/tmp/upatch-inside-XXXXXX";
static struct fail_inside *shared;

static int make_file(char *path)
{
	int fd;

	strcpy(path + strlen(path) - 6, "XXXXXX");
	fd = mkstemp(path);
	if (fd < 0)
		cr_fatal("cannot make a file in /tmp");
	return fd;
}

void faults_open(void)
{
	int fd = make_file(report_path);

	close(fd);
	fd = make_file(shared_path);
	if (ftruncate(fd, sizeof(*shared)) != 0)
		cr_fatal("cannot make a file in /tmp");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED,
		      fd, 0);
	close(fd);
	if (shared == MAP_FAILED)
		cr_fatal("cannot map a file in /tmp");
}

void faults_close(void)
{
	munmap(shared, sizeof(*shared));
	unlink(report_path);
	unlink(shared_path);
}

void faults_start_victim(struct victim *victim, const char *const args[])
{
	setenv("LD_PRELOAD", path_of_support("fail_inside.so"), 1);
	setenv("UPATCH_FAIL_INSIDE", shared_path, 1);
	victim_start(victim, args);
	unsetenv("LD_PRELOAD");
	unsetenv("UPATCH_FAIL_INSIDE");
}

static struct run run_under(const char *const prefix[],
			    const char *const args[])
{
	static const char *const none[] = { NULL };
	struct run run;

	setenv("UPATCH_FAIL_REPORT", report_path, 1);
	upatchctl_run_under(prefix);
	run = upatchctl_run(args);
	upatchctl_run_under(none);
	unsetenv("UPATCH_FAIL_REPORT");
	return run;
}

static struct run run_with_alloc(const struct fault *fault,
				 const char *const args[])
{
	char preload[512], at[64];
	const char *const prefix[] = { "env", preload, at, NULL };

	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s",
		 path_of_support("fail_alloc.so"));
	snprintf(at, sizeof(at), "UPATCH_FAIL_ALLOC=%u%s", fault->at,
		 fault->kind == FAULT_ALLOC_ON ? "+" : "");
	return run_under(prefix, args);
}

static struct run run_with_call(const struct fault *fault,
				const char *const args[])
{
	char at[16], variant[16];
	const char *const prefix[] = { path_of_support("fail_call"), at,
				       variant, NULL };

	snprintf(at, sizeof(at), "%u", fault->at);
	snprintf(variant, sizeof(variant),
		 fault->kind == FAULT_SHORT ? "short" : "%u", fault->variant);
	return run_under(prefix, args);
}

static struct run run_with_host(const struct fault *fault,
				const char *const args[])
{
	const char *product = getenv("UPATCHCTL");
	static const char *const none[] = { NULL };
	char at[16];
	struct run run;

	snprintf(at, sizeof(at), "%u", fault->at);
	setenv("UPATCH_FAIL_HOST", at, 1);
	setenv("UPATCH_RUNTIME", path_of_runtime(), 1);
	setenv("UPATCHCTL", path_of_support("upatchctl_faulty"), 1);
	run = run_under(none, args);
	if (product != NULL)
		setenv("UPATCHCTL", product, 1);
	else
		unsetenv("UPATCHCTL");
	unsetenv("UPATCH_FAIL_HOST");
	return run;
}

/* "failed", and what, and "counted N". */
static void read_report(struct faulty_run *run)
{
	FILE *file = fopen(report_path, "re");
	char line[256];
	bool has_failed = false;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "counted %u", &run->count) == 1)
			continue;
		if (has_failed &&
		    strlen(run->what) + strlen(line) + 2 < sizeof(run->what)) {
			strcat(run->what, line);
			strcat(run->what, " ");
		}
		has_failed = has_failed || strcmp(line, "failed") == 0;
	}
	if (file != NULL)
		fclose(file);
}

struct faulty_run faults_run(const struct fault *fault,
			     const char *const args[])
{
	struct faulty_run run = { 0 };

	if (truncate(report_path, 0) != 0)
		cr_fatal("cannot empty %s", report_path);
	*shared = (struct fail_inside){ 0 };
	switch (fault->kind) {
	case FAULT_ALLOC:
	case FAULT_ALLOC_ON:
		run.run = run_with_alloc(fault, args);
		break;
	case FAULT_CALL:
	case FAULT_SHORT:
		run.run = run_with_call(fault, args);
		break;
	case FAULT_HOST:
		run.run = run_with_host(fault, args);
		break;
	case FAULT_AGENT:
	default:
		shared->fail_at = fault->at;
		run.run = upatchctl_run(args);
		shared->fail_at = 0;
		run.count = shared->count;
		if (shared->failed != 0)
			snprintf(run.what, sizeof(run.what), "%.31s",
				 shared->function);
		return run;
	}
	read_report(&run);
	return run;
}
