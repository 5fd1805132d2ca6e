/* SPDX-License-Identifier: MIT */
/*
 * Which patch files are taken: none that others can change, and where
 * signatures are asked for, none without a good one.
 */
#include "child.h"
#include "deadline.h"
#include "paths.h"
#include "snapshot.h"
#include "upatchctl.h"
#include "victim.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

TestSuite(trust, .timeout = 120);

#define OTHER_USER 65534
#define THIRD_USER 65533

/* A folder of its own with a copy of a patch in it. */
struct place {
	char folder[64];
	char patch[96];
	char signature[128];
};

static void run(const char *const argv[])
{
	struct child child;
	int status;

	child_start(&child, argv, CHILD_QUIET);
	if (!child_wait(&child, DEADLINE_MS, &status) || status != 0)
		cr_fatal("%s %s failed", argv[0], argv[1]);
}
#define RUN(...) run((const char *const[]){ __VA_ARGS__, NULL })

static void make_place(struct place *place)
{
	if (geteuid() != 0)
		cr_skip("needs root");
	strcpy(place->folder, "/tmp/upatch-trust.XXXXXX");
	if (!mkdtemp(place->folder))
		cr_fatal("no folder");
	chmod(place->folder, 0755);
	snprintf(place->patch, sizeof(place->patch), "%s/work.so",
		 place->folder);
	snprintf(place->signature, sizeof(place->signature), "%s.sig",
		 place->patch);
	RUN("cp", path_of_patch("work"), place->patch);
	chmod(place->patch, 0644);
	if (chown(place->patch, 0, 0))
		cr_fatal("chown");
}

static void remove_place(const struct place *place)
{
	RUN("rm", "-rf", place->folder);
}

/* --- Who can change it -------------------------------------------------- */

struct row {
	const char *what;
	uid_t file_owner, folder_owner, target_owner;
	mode_t file_mode, folder_mode;
	gid_t group;
	const char *refusal; /* NULL: it is taken */
};

static struct row rows[] = {
	{ "root's", 0, 0, 0, 0644, 0755, 0, NULL },
	{ "group root may write", 0, 0, 0, 0664, 0775, 0, NULL },
	{ "file: all may write", 0, 0, 0, 0666, 0755, 0,
	  "file '/tmp/upatch-trust" },
	{ "file: a group may write", 0, 0, 0, 0664, 0755, 4,
	  "can be changed by group 4 (adm)" },
	{ "file: of another user", OTHER_USER, 0, 0, 0444, 0755, 0,
	  "can be changed by user 65534 (nobody)" },
	{ "folder: all may write", 0, 0, 0, 0644, 0777, 0,
	  "folder '/tmp/upatch-trust" },
	{ "folder: all may write, sticky", 0, 0, 0, 0644, 01777, 0, NULL },
	{ "folder: a group may write", 0, 0, 0, 0644, 0775, 4,
	  "can be changed by group 4" },
	{ "folder: of another user", 0, OTHER_USER, 0, 0644, 0755, 0,
	  "can be changed by user 65534" },
	{ "folder: of another user, sticky", 0, OTHER_USER, 0, 0644, 01755, 0,
	  "can be changed by user 65534" },
	{ "of the target's owner", OTHER_USER, OTHER_USER, OTHER_USER, 0644,
	  0755, 0, NULL },
	{ "of root, for a user", 0, 0, OTHER_USER, 0644, 0755, 0, NULL },
	{ "of a third user", THIRD_USER, 0, OTHER_USER, 0644, 0755, 0,
	  "can be changed by user 65533" },
};

static void start_victim(struct victim *victim, uid_t owner)
{
	const char *path = path_of_victim("workers");
	char uid[32];

	snprintf(uid, sizeof(uid), "--reuid=%u", owner);
	VICTIM_START(victim, "/usr/bin/setpriv", uid, "--clear-groups", path,
		     "sleep", "2");
}

static void set_up(const struct place *place, const struct row *row)
{
	if (chown(place->patch, row->file_owner, row->group) ||
	    chown(place->folder, row->folder_owner, row->group) ||
	    chmod(place->patch, row->file_mode) ||
	    chmod(place->folder, row->folder_mode))
		cr_fatal("%s: cannot set up", row->what);
}

Test(trust, what_others_can_change_is_refused)
{
	struct place place;

	require_ptrace();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct snapshot before;
		struct victim victim;

		make_place(&place);
		set_up(&place, row);
		start_victim(&victim, row->target_owner);
		snapshot_take(victim.pid, &before);
		if (row->refusal) {
			EXPECT_REFUSAL(EXIT_REFUSED, row->refusal, "apply",
				       victim.target, place.patch);
			EXPECT_EXIT(EXIT_REFUSED, "check", place.patch,
				    victim.target);
			snapshot_expect_equal(victim.pid, &before, SNAPSHOT_ALL,
					      row->what);
			EXPECT_EXIT(EXIT_DONE, "check", "--allow-writable",
				    place.patch, victim.target);
			EXPECT_EXIT(EXIT_DONE, "apply", victim.target,
				    place.patch, "--allow-writable");
		} else {
			EXPECT_EXIT(EXIT_DONE, "check", place.patch,
				    victim.target);
			EXPECT_EXIT(EXIT_DONE, "apply", victim.target,
				    place.patch);
		}
		snapshot_free(&before);
		victim_stop(&victim);
		remove_place(&place);
	}
}

/* A process that can be root again gives nobody but root a say. */
Test(trust, owner_of_a_process_that_can_be_root_is_root)
{
	struct place place;
	struct victim victim;

	require_ptrace();
	make_place(&place);
	VICTIM_START(&victim, "/usr/bin/setpriv", "--euid=65534",
		     path_of_victim("workers"), "sleep", "2");
	if (chown(place.patch, OTHER_USER, 0))
		cr_fatal("chown");
	EXPECT_REFUSAL(EXIT_REFUSED, "can be changed by user 65534", "apply",
		       victim.target, place.patch);
	victim_stop(&victim);
	remove_place(&place);
}

/* --- The way to it ------------------------------------------------------ */

/* "links" in the place has them: a link, which a link in the place leads to. */
struct way {
	const char *what;
	mode_t folder_mode;
	uid_t link_owner;
	const char *path;    /* in the place */
	const char *refusal; /* NULL: it is taken */
};

static const struct way ways[] = {
	{ "link", 0755, 0, "links/file", NULL },
	{ "link in everybody's folder", 0777, 0, "links/file",
	  "/links' can be changed by everybody" },
	{ "link in a sticky folder", 01777, 0, "links/file", NULL },
	{ "another's link in a sticky folder", 01777, OTHER_USER, "links/file",
	  "/links/file' can be changed by user 65534" },
	{ "link of a folder", 0777, 0, "links/folder/work.so",
	  "/links' can be changed by everybody" },
	{ "link to the link", 0777, 0, "far", "/links' can be changed" },
	{ "link to the link", 0755, 0, "far", NULL },
	{ "there and back", 0777, 0, "links/../work.so",
	  "/links' can be changed by everybody" },
};

static const char *in_place(const struct place *place, const char *name);

static void make_way(const struct place *place, const struct way *way)
{
	const char *folder = in_place(place, "links");
	const char *link = in_place(place, "links/file");

	if (mkdir(folder, 0755) || symlink("../work.so", link) ||
	    symlink(place->folder, in_place(place, "links/folder")) ||
	    symlink("links/file", in_place(place, "far")) ||
	    chmod(folder, way->folder_mode) || lchown(link, way->link_owner, 0))
		cr_fatal("%s: cannot set up", way->what);
}

Test(trust, link_that_others_can_change_is_refused)
{
	struct victim victim;

	require_ptrace();
	start_victim(&victim, 0);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		const struct way *way = &ways[i];
		struct place place;
		const char *path;

		make_place(&place);
		make_way(&place, way);
		path = in_place(&place, way->path);
		if (way->refusal)
			EXPECT_REFUSAL(EXIT_REFUSED, way->refusal, "apply",
				       victim.target, path);
		else
			EXPECT_EXIT(EXIT_DONE, "check", path, victim.target);
		remove_place(&place);
	}
	victim_stop(&victim);
}

/* Without a name to begin at. */
Test(trust, path_from_a_removed_folder)
{
	const char *prefix[] = { "sh", "-c",
				 "cd \"$0\" && rmdir \"$0\" && exec \"$@\"",
				 NULL, NULL };
	struct place place;

	make_place(&place);
	prefix[3] = in_place(&place, "gone");
	mkdir(prefix[3], 0755);
	upatchctl_run_under(prefix);
	EXPECT_EXIT(EXIT_DONE, "check", "../work.so");
	remove_place(&place);
}

/* The file is gone then, or in a folder where all can replace it. */
#define WITH_DESCRIPTOR "exec 7<\"$0\" && exec \"$@\""
#define WITH_DELETED	"exec 7<\"$0\" && rm \"$0\" && exec \"$@\""

static void expect_descriptor(const struct victim *victim, const char *script,
			      const char *path, mode_t mode)
{
	static const char *const none[] = { NULL };
	const char *prefix[] = { "sh", "-c", script, NULL, NULL };
	struct place place;

	make_place(&place);
	prefix[3] = place.patch;
	if (chmod(place.folder, 0777) || chmod(place.patch, mode))
		cr_fatal("chmod");
	upatchctl_run_under(prefix);
	if (mode & S_IWOTH)
		EXPECT_REFUSAL(EXIT_REFUSED, "' can be changed by everybody",
			       "apply", victim->target, path);
	else
		EXPECT_EXIT(EXIT_DONE, "check", path, victim->target);
	upatchctl_run_under(none);
	remove_place(&place);
}

Test(trust, folders_of_a_descriptor_do_not_matter)
{
	static const char *const paths[] = { "/proc/self/fd/7", "/dev/fd/7",
					     "/proc/thread-self/fd/7" };
	char path[64];
	struct victim victim;
	struct place place;
	int fd;

	require_ptrace();
	start_victim(&victim, 0);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		expect_descriptor(&victim, WITH_DESCRIPTOR, paths[i], 0644);
		expect_descriptor(&victim, WITH_DELETED, paths[i], 0644);
		expect_descriptor(&victim, WITH_DESCRIPTOR, paths[i], 0666);
		expect_descriptor(&victim, WITH_DELETED, paths[i], 0666);
	}
	make_place(&place);
	fd = open(place.patch, O_RDONLY | O_CLOEXEC);
	unlink(place.patch);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), fd);
	EXPECT_EXIT(EXIT_DONE, "apply", victim.target, path);
	close(fd);
	victim_stop(&victim);
	remove_place(&place);
}

/* --- While it is read --------------------------------------------------- */

/* Truncates and writes the file again, all the time. */
static pid_t start_writer(const char *source, const char *path)
{
	const char *const argv[] = {
		"sh",	"-c", "while :; do cat \"$0\" >\"$1\"; done",
		source, path, NULL
	};
	struct child child;

	child_start(&child, argv, CHILD_QUIET | CHILD_DIES_WITH_TEST);
	return child.pid;
}

Test(trust, file_that_changes_while_it_is_read_is_refused)
{
	const int64_t deadline_ms = deadline_now_ms() + 60000;
	struct place place;
	bool was_seen = false;
	pid_t writer;

	make_place(&place);
	writer = start_writer(path_of_patch("work"), place.patch);
	while (!was_seen && deadline_left_ms(deadline_ms) > 0) {
		struct run run = UPATCHCTL("info", place.patch);

		/* Read in a quiet moment, or not at all. */
		cr_assert(run.exit_status == EXIT_DONE ||
				  run.exit_status == EXIT_REFUSED,
			  "exit status %d: %s", run.exit_status, run.err);
		was_seen = strstr(run.err, "changed while it was read");
		run_free(&run);
	}
	kill(writer, SIGKILL);
	remove_place(&place);
	cr_assert(was_seen);
}

/* --- Signatures --------------------------------------------------------- */

static void make_key(const struct place *place, const char *name)
{
	char secret[128], public[128];

	snprintf(secret, sizeof(secret), "%s/%s.secret", place->folder, name);
	snprintf(public, sizeof(public), "%s/%s.pem", place->folder, name);
	RUN("openssl", "genpkey", "-algorithm", "ed25519", "-out", secret);
	RUN("openssl", "pkey", "-in", secret, "-pubout", "-out", public);
}

static const char *in_place(const struct place *place, const char *name)
{
	static char paths[4][160];
	static size_t next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", place->folder, name);
	return path;
}

static void flip_a_bit(const char *path, off_t at)
{
	int fd = open(path, O_RDWR);
	char byte;

	if (fd < 0 || pread(fd, &byte, 1, at) != 1)
		cr_fatal("cannot read %s", path);
	byte ^= 1;
	if (pwrite(fd, &byte, 1, at) != 1)
		cr_fatal("cannot write %s", path);
	close(fd);
}

static void make_signed_place(struct place *place)
{
	make_place(place);
	make_key(place, "ours");
	make_key(place, "theirs");
	EXPECT_EXIT(EXIT_DONE, "sign", place->patch, "--key",
		    in_place(place, "ours.secret"));
}

Test(trust, signature_is_what_others_make_and_verify)
{
	struct place place;
	struct run verdict;

	make_signed_place(&place);
	RUN("openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey",
	    in_place(&place, "ours.pem"), "-in", place.patch, "-sigfile",
	    place.signature);
	RUN("openssl", "pkeyutl", "-sign", "-rawin", "-inkey",
	    in_place(&place, "theirs.secret"), "-in", place.patch, "-out",
	    place.signature);
	EXPECT_EXIT(EXIT_DONE, "check", place.patch, "--keys",
		    in_place(&place, "theirs.pem"));
	EXPECT_REFUSAL(EXIT_REFUSED, "1 problem", "check", place.patch,
		       "--keys", in_place(&place, "ours.pem"));
	verdict = UPATCHCTL("check", place.patch, "--keys",
			    in_place(&place, "ours.pem"));
	cr_assert(strstr(verdict.out, "was not made by the key in") != NULL);
	run_free(&verdict);
	remove_place(&place);
}

static void expect_unsigned(const struct victim *victim,
			    const struct place *place, const char *part)
{
	struct snapshot before;

	snapshot_take(victim->pid, &before);
	EXPECT_REFUSAL(EXIT_REFUSED, part, "apply", victim->target,
		       place->patch, "--keys", place->folder);
	snapshot_expect_equal(victim->pid, &before, SNAPSHOT_ALL, part);
	snapshot_free(&before);
}

Test(trust, only_what_was_signed_is_applied)
{
	const struct stat empty = { 0 };
	struct stat stat_patch = empty;
	struct victim victim;
	struct place place;

	require_ptrace();
	make_signed_place(&place);
	VICTIM_START(&victim, "workers", "sleep", "2");
	flip_a_bit(place.signature, 63);
	expect_unsigned(&victim, &place, "none of the 2 keys");
	flip_a_bit(place.signature, 63);
	stat(place.patch, &stat_patch);
	flip_a_bit(place.patch, stat_patch.st_size - 1);
	expect_unsigned(&victim, &place, "none of the 2 keys");
	flip_a_bit(place.patch, stat_patch.st_size - 1);
	if (truncate(place.signature, 63))
		cr_fatal("truncate");
	expect_unsigned(&victim, &place, "does not have 64 bytes");
	unlink(place.signature);
	expect_unsigned(&victim, &place, "has no signature");
	EXPECT_EXIT(EXIT_DONE, "sign", place.patch, "--key",
		    in_place(&place, "theirs.secret"), "--signature",
		    in_place(&place, "else.sig"));
	EXPECT_EXIT(EXIT_DONE, "apply", victim.target, place.patch, "--keys",
		    place.folder, "--signature", in_place(&place, "else.sig"));
	cr_assert(victim_number(victim_ask(&victim, "round"), "old") == 0);
	victim_stop(&victim);
	remove_place(&place);
}

/* One that nobody can use is told from one that is missing. */
Test(trust, keys_of_other_kinds_are_refused)
{
	struct place place;

	make_signed_place(&place);
	RUN("openssl", "genpkey", "-algorithm", "rsa", "-out",
	    in_place(&place, "rsa.secret"));
	RUN("openssl", "pkey", "-in", in_place(&place, "ours.secret"),
	    "-aes256", "-passout", "pass:word", "-out",
	    in_place(&place, "locked.secret"));
	EXPECT_REFUSAL(EXIT_USAGE, "not of Ed25519", "sign", place.patch,
		       "--key", in_place(&place, "rsa.secret"));
	EXPECT_REFUSAL(EXIT_USAGE, "is encrypted", "sign", place.patch, "--key",
		       in_place(&place, "locked.secret"));
	EXPECT_REFUSAL(EXIT_USAGE, "has no private key", "sign", place.patch,
		       "--key", in_place(&place, "ours.pem"));
	EXPECT_REFUSAL(EXIT_USAGE, "has no public key", "check", place.patch,
		       "--keys", in_place(&place, "ours.secret"));
	EXPECT_REFUSAL(EXIT_USAGE, "sign needs --key", "sign", place.patch);
	remove_place(&place);
}

/* --- The system's setting ----------------------------------------------- */

/*
 * In a mount namespace with another /etc, so that this machine's stays as it
 * is: $0 is the key that it trusts.
 */
#define WITH_SETTING                                                           \
	"mount -t tmpfs none /etc && mkdir -p /etc/upatch/keys && "            \
	": >/etc/upatch/require-signature && cp \"$0\" /etc/upatch/keys && "   \
	"exec \"$@\""

Test(trust, system_asks_for_signatures)
{
	const char *prefix[] = { "unshare",    "-m", "sh", "-c",
				 WITH_SETTING, NULL, NULL };
	struct victim victim;
	struct place place;

	require_ptrace();
	make_signed_place(&place);
	VICTIM_START(&victim, "workers", "sleep", "2");
	prefix[5] = in_place(&place, "ours.pem");
	upatchctl_run_under(prefix);
	EXPECT_REFUSAL(EXIT_REFUSED, "only the keys in", "apply", victim.target,
		       place.patch, "--keys", place.folder);
	EXPECT_EXIT(EXIT_DONE, "apply", victim.target, place.patch);
	EXPECT_EXIT(EXIT_DONE, "revert", victim.target, "work");
	unlink(place.signature);
	EXPECT_REFUSAL(EXIT_REFUSED, "has no signature", "apply", victim.target,
		       place.patch);
	EXPECT_REFUSAL(EXIT_REFUSED, "1 problem", "check", place.patch);
	victim_stop(&victim);
	remove_place(&place);
}

/* --- The audit line ----------------------------------------------------- */

/* In a mount namespace whose /dev has nothing but our syslog: $0. */
#define WITH_SYSLOG                                                            \
	"mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && "         \
	"ln -s \"$0\" /dev/log && exec \"$@\""

static int listen_as_syslog(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		cr_fatal("cannot listen at %s", path);
	return fd;
}

static void expect_audit(int fd, const char *const parts[])
{
	char line[4096];
	ssize_t len = recv(fd, line, sizeof(line) - 1, MSG_DONTWAIT);

	if (len < 0)
		cr_fatal("no line came");
	line[len] = '\0';
	for (size_t i = 0; parts[i]; i++) {
		if (!strstr(line, parts[i]))
			cr_fatal("no '%s' in '%s'", parts[i], line);
	}
}
#define EXPECT_AUDIT(fd, ...)                                                  \
	expect_audit((fd), (const char *const[]){ __VA_ARGS__, NULL })

/* A daemon that is stopped, or has its hands full. */
static void fill(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		cr_fatal("cannot connect to %s", path);
	while (send(fd, "x", 1, 0) == 1)
		;
	close(fd);
}

Test(trust, log_that_nobody_reads_is_not_waited_for)
{
	const char *prefix[] = { "unshare",   "-m", "sh", "-c",
				 WITH_SYSLOG, NULL, NULL };
	struct victim victim;
	struct place place;
	struct run run;
	int fd;

	require_ptrace();
	make_signed_place(&place);
	VICTIM_START(&victim, "workers", "sleep", "2");
	prefix[5] = in_place(&place, "log");
	fd = listen_as_syslog(prefix[5]);
	fill(prefix[5]);
	upatchctl_run_under(prefix);
	run = UPATCHCTL("apply", victim.target, place.patch);
	cr_assert(eq(int, run.exit_status, EXIT_DONE));
	cr_assert(strstr(run.err, "does not take the audit line") != NULL);
	run_free(&run);
	close(fd);
	victim_stop(&victim);
	remove_place(&place);
}

Test(trust, operations_are_audited)
{
	const char *prefix[] = { "unshare",   "-m", "sh", "-c",
				 WITH_SYSLOG, NULL, NULL };
	struct victim victim;
	struct place place;
	char pid[32], selector[32];
	char none;
	int fd;

	require_ptrace();
	make_signed_place(&place);
	VICTIM_START(&victim, "workers", "sleep", "2");
	snprintf(pid, sizeof(pid), " pid=%s ", victim.target);
	snprintf(selector, sizeof(selector), "exe:/proc/%s/exe", victim.target);
	prefix[5] = in_place(&place, "log");
	fd = listen_as_syslog(prefix[5]);
	upatchctl_run_under(prefix);
	EXPECT_EXIT(EXIT_DONE, "apply", victim.target, place.patch, "--keys",
		    place.folder);
	EXPECT_AUDIT(fd, "upatchctl[", "]: apply pid=", pid, "patch=\"work\"",
		     "/work.so\"", "build-id=\"", "signer=\"ours.pem\"",
		     " uid=0", " exit=0", "/workers\"");
	EXPECT_EXIT(EXIT_REFUSED, "apply", victim.target, place.patch);
	EXPECT_AUDIT(fd, pid, " exit=5 error=\"");
	EXPECT_EXIT(EXIT_DONE, "revert", victim.target, "work");
	EXPECT_AUDIT(fd, "]: revert pid=", pid, "patch=\"work\"", " exit=0");
	EXPECT_EXIT(EXIT_DONE, "apply", "--dry-run", victim.target,
		    place.patch);
	EXPECT_EXIT(EXIT_DONE, "status", victim.target);
	cr_assert(lt(int, (int)recv(fd, &none, 1, MSG_DONTWAIT), 0));
	EXPECT_EXIT(EXIT_DONE, "apply", selector, place.patch);
	EXPECT_AUDIT(fd, "]: apply pid=", pid, "patch=\"work\"", " exit=0");
	close(fd);
	victim_stop(&victim);
	remove_place(&place);
}
