/* SPDX-License-Identifier: MIT */
/* Control characters are made visible. */
#include "printable.h"

#include <stdbool.h>

/* C0, DEL, and C1 (U+0080 to U+009F) as UTF-8 encodes it. */
static size_t control_len(const unsigned char *text)
{
	if (text[0] < 0x20 || text[0] == 0x7f)
		return 1;
	if (text[0] == 0xc2 && text[1] >= 0x80 && text[1] <= 0x9f)
		return 2;
	return 0;
}

static void put(FILE *out, const char *text, bool is_quoted)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t len;

	while (*at) {
		len = control_len(at);
		if (len == 0) {
			if (is_quoted && (*at == '"' || *at == '\\'))
				fputc('\\', out);
			fputc(*at++, out);
		}
		for (; len > 0; len--)
			fprintf(out, "\\x%02x", *at++);
	}
}

void printable_put(FILE *out, const char *text)
{
	put(out, text, false);
}

void printable_put_quoted(FILE *out, const char *text)
{
	put(out, text, true);
}
