/* SPDX-License-Identifier: MIT */
/*
 * A service with plugins.  It does what is written to the FIFO that ARGUMENT
 * names: "open FILE", "close" (the last one opened), "hello", "job".
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PLUGIN_MAX 8

static void *plugins[PLUGIN_MAX];
static int plugin_count;

/* volatile: or a compiler puts the constant into the caller. */
static const char *volatile current_version = "1.0";

__attribute__((noinline, noclone)) static const char *version(void)
{
	return current_version;
}

static void open_plugin(const char *file)
{
	void *plugin;

	if (plugin_count == PLUGIN_MAX)
		return;
	plugin = dlopen(file, RTLD_NOW);
	if (plugin)
		plugins[plugin_count++] = plugin;
	else
		printf("cannot open a plugin: %s\n", dlerror());
}

static void close_plugin(void)
{
	if (plugin_count)
		dlclose(plugins[--plugin_count]);
}

static void say_hello(void)
{
	printf("service %s", version());
	for (int i = 0; i < plugin_count; i++) {
		const char *(*greeting)(void) = dlsym(plugins[i], "greeting");

		if (greeting)
			printf(", greeter %s", greeting());
	}
	puts("");
}

static void post_job(void)
{
	for (int i = 0; i < plugin_count; i++) {
		void (*post)(void) = dlsym(plugins[i], "post_job");

		if (post)
			post();
	}
}

static void obey(const char *command)
{
	if (!strncmp(command, "open ", 5))
		open_plugin(command + 5);
	else if (!strcmp(command, "close"))
		close_plugin();
	else if (!strcmp(command, "hello"))
		say_hello();
	else if (!strcmp(command, "job"))
		post_job();
}

int main(int argc, char **argv)
{
	int control = open(argc > 1 ? argv[1] : "control", O_RDWR);
	char text[4096];
	ssize_t len;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((len = read(control, text, sizeof(text) - 1)) > 0) {
		text[len] = '\0';
		for (char *line = strtok(text, "\n"); line;
		     line = strtok(NULL, "\n"))
			obey(line);
	}
	return 1;
}
