/* SPDX-License-Identifier: MIT */
/*
 * The first instruction of gates: `jmp *slot`, or, while nothing is in
 * transition, a jump to where the slot leads.
 */
#ifndef UPATCH_RUNTIME_GATE_CODE_H
#define UPATCH_RUNTIME_GATE_CODE_H

/*
 * All gates are led by their slots; before a slot changes.  0 or -errno, and
 * then some may be direct still, which is as right as it was.
 */
int gate_code_lead(void);
/*
 * Gates whose words are settled and whose function is near become direct,
 * where nothing runs and the controller has permitted it.  What does not
 * succeed is left as it is.
 */
void gate_code_direct(void);

#endif
