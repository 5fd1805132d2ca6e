// SPDX-License-Identifier: MIT
// Goroutines that call a C function.
package main

/*
#include <stdlib.h>
#include <sys/prctl.h>
#include <signal.h>

static volatile int limit = 7;

__attribute__((noipa)) int built_in_c(int x)
{
	char *text = malloc(x + 1);
	free(text);
	return x * limit;
}

static void start(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}
*/
import "C"

import (
	"bufio"
	"fmt"
	"os"
)

func work() {
	for {
		C.built_in_c(1)
	}
}

func main() {
	C.start()
	for i := 0; i < 2; i++ {
		go work()
	}
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fmt.Printf("value=%d\n", C.built_in_c(1))
	}
}
