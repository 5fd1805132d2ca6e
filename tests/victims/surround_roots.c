/* SPDX-License-Identifier: MIT */
/*
 * Surroundings: other namespaces and roots, full file systems, no descriptors.
 */
#include "surroundings.h"
#include "victim.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void unshare_mounts(void)
{
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		victim_die("mount namespace");
}

/* Nothing of /tmp is seen; `arg`: how it is mounted. */
static void hide_tmp(const char *arg)
{
	unshare_mounts();
	if (mount("none", "/tmp", "tmpfs",
		  strcmp(arg, "read-only") == 0 ? MS_RDONLY : 0, "size=16k"))
		victim_die("tmpfs");
	if (strcmp(arg, "full") == 0) {
		static const char block[4096];
		int fd =
			open("/tmp/full", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		while (write(fd, block, sizeof(block)) > 0)
			;
		close(fd);
	}
}

static void remount_read_only(const char *arg)
{
	(void)arg;
	unshare_mounts();
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL))
		victim_die("read-only");
}

/* An empty root; with `arg` "proc" there is that in it. */
static void change_root(const char *arg)
{
	unshare_mounts();
	if (mount("none", "/mnt", "tmpfs", 0, NULL))
		victim_die("tmpfs");
	if (strcmp(arg, "proc") == 0 &&
	    (mkdir("/mnt/proc", 0755) ||
	     mount("proc", "/mnt/proc", "proc", 0, NULL)))
		victim_die("proc");
	if (chroot("/mnt") || chdir("/"))
		victim_die("chroot");
}

/* The child goes on, and its end is the parent's. */
static void go_on_in_child(void)
{
	int status = 0;
	pid_t child = fork();

	if (child < 0)
		victim_die("fork");
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		return;
	}
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		_exit(1);
	_exit(WEXITSTATUS(status));
}

static void change_pids(const char *arg)
{
	if (unshare(CLONE_NEWPID))
		victim_die("pid namespace");
	go_on_in_child();
	surroundings_note_number();
	/* With a proc of its own the outer number is not known inside. */
	(void)arg;
}

static void change_users(const char *arg)
{
	int fd;

	(void)arg;
	if (unshare(CLONE_NEWUSER))
		victim_die("user namespace");
	fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0 0 1", 5) != 5)
		victim_die("uid_map");
	close(fd);
}

/* The protocol's own descriptors are moved away by victim_move_to. */
static void close_descriptors(const char *arg)
{
	(void)arg;
	victim_move_to(20, 21);
	close(0);
	close(1);
	close(2);
}

const struct surrounding surround_roots[] = {
	{ "other_tmp", hide_tmp },
	{ "read_only", remount_read_only },
	{ "chroot", change_root },
	{ "pid_namespace", change_pids },
	{ "user_namespace", change_users },
	{ "closed_descriptors", close_descriptors },
	{ 0 },
};
