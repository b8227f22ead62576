/* script.h - bytes as a program for a machine with one NIC: register and configuration accesses, guest memory, frames from
 * the wire, time, link, resets, save and load. Any model can be fuzzed with it; the target opens the card first, so that the
 * bytes begin where it is interesting.
 */
#ifndef ANYNIC_TESTS_FUZZ_SCRIPT_H
#define ANYNIC_TESTS_FUZZ_SCRIPT_H

#include "machine.h"

struct script {
	const uint8_t *data;
	size_t size;
	struct machine *m;
};

/* Next byte or number of the program; 0 behind its end. */
uint8_t script_byte(struct script *s);
uint32_t script_number(struct script *s, unsigned bytes);

/* Carries out the program. The machine lives on. */
void script_run(struct script *s);

#endif
