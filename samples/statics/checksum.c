/* SPDX-License-Identifier: MIT */
/*
 * Shows the checksum of two messages once a second, or every ARGUMENT
 * milliseconds.  It forgets the last byte, so that the two look the same.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile unsigned int seed = 17;

/* Private helper, which the fix uses as well. */
__attribute__((noinline, noclone)) static unsigned int mix(unsigned int sum,
							   unsigned char byte)
{
	__asm__ volatile("");
	return sum * 31 + byte;
}

__attribute__((noinline, noclone)) static unsigned int
checksum(const char *text, size_t len)
{
	unsigned int sum = seed;

	for (size_t i = 0; i + 1 < len; i++)
		sum = mix(sum, (unsigned char)text[i]);
	return sum % 1000;
}

int main(int argc, char **argv)
{
	int interval_ms = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1000;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (;;) {
		printf("%u %u\n", checksum("pay 1", 5), checksum("pay 9", 5));
		poll(NULL, 0, interval_ms);
	}
}
