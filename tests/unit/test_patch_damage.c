/* SPDX-License-Identifier: MIT */
/*
 * A damaged patch is read as far as it goes: whatever a byte is changed to and
 * wherever the file ends, the answer is a sound model or one line of text.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <stdlib.h>
#include <string.h>

#include "../fuzz/patch_touch.h"
#include "patch_builder.h"
#include "patch_model.h"

TestSuite(patch_damage, .timeout = 120);

/* Everything in two pages: the loops below are as long as the file. */
static const struct patch_build small = {
	"gcc",
	{ "-O2", "-s", "-nostdlib", "-Wl,-z,noseparate-code", "-Wl,-z,norelro",
	  "-Wl,--hash-style=gnu", "-Wl,-z,max-page-size=4096" }
};
/* With .symtab and DT_RELR, which the one above lacks. */
static const struct patch_build full = {
	"gcc",
	{ "-O2", "-nostartfiles", "-Wl,-z,noseparate-code", "-Wl,-z,norelro",
	  "-Wl,-z,pack-relative-relocs" }
};

static bool is_clear(const struct upatch_error *err, int code)
{
	return code == (int)err->code && err->message[0] != '\0' &&
	       !strchr(err->message, '\n');
}

/* True: the bytes were accepted. */
static bool parse(const uint8_t *bytes, size_t len, size_t position)
{
	struct patch_model *model = NULL;
	struct upatch_error err = { 0 };
	int code = patch_model_parse(bytes, len, &model, &err);

	if (code) {
		cr_assert(is_clear(&err, code), "at %zu: '%s'", position,
			  err.message);
		cr_assert(model == NULL, "at %zu", position);
		return false;
	}
	cr_assert(touch_model(model) == 0, "at %zu", position);
	patch_model_free(model);
	return true;
}

static uint8_t *build(const struct patch_build *how, const char *source,
		      size_t *ret_len)
{
	if (!patch_builder_compile(how, source, "patch.so"))
		cr_skip("%s is not installed", how->compiler);
	return patch_builder_read("patch.so", ret_len);
}

static void cut_everywhere(const struct patch_build *how, const char *source)
{
	size_t len;
	uint8_t *bytes = build(how, source, &len);

	cr_assert(parse(bytes, len, len));
	for (size_t i = 0; i < len; i++) {
		/* Of exactly this size, for AddressSanitizer. */
		uint8_t *cut = malloc(i ? i : 1);
		bool is_accepted;

		cr_assert(cut != NULL);
		memcpy(cut, bytes, i);
		is_accepted = parse(cut, i, i);
		cr_assert(not(is_accepted), "cut at %zu", i);
		free(cut);
	}
	free(bytes);
}

static void change_everywhere(const struct patch_build *how, const char *source)
{
	static const struct {
		uint8_t keep, flip;
	} changes[] = { { 0, 0xff },
			{ 0, 0 },
			{ 0xff, 0xff },
			{ 0xff, 1 },
			{ 0xff, 0x80 } };
	size_t len, accepted = 0;
	uint8_t *bytes = build(how, source, &len);

	for (size_t i = 0; i < len; i++) {
		uint8_t byte = bytes[i];

		for (size_t j = 0; j < sizeof(changes) / sizeof(*changes);
		     j++) {
			bytes[i] = (byte & changes[j].keep) ^ changes[j].flip;
			accepted += parse(bytes, len, i);
		}
		bytes[i] = byte;
	}
	/* Code and padding are nobody's business, headers are. */
	cr_assert(accepted > 0 && accepted < 5 * len);
	free(bytes);
}

Test(patch_damage, stripped_file_is_refused_at_every_length)
{
	cut_everywhere(&small, "read_all_fields.c");
	cut_everywhere(&small, "read_sizes.c");
}

Test(patch_damage, file_with_symbols_is_refused_at_every_length)
{
	cut_everywhere(&full, "read_all_fields.c");
}

Test(patch_damage, changed_byte_of_a_stripped_file_is_survived)
{
	change_everywhere(&small, "read_all_fields.c");
	change_everywhere(&small, "read_sizes.c");
}

Test(patch_damage, changed_byte_of_a_file_with_symbols_is_survived)
{
	change_everywhere(&full, "read_all_fields.c");
}
