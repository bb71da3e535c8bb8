/* web_trial_peer.h - the judge of dry runs, for web_peer.c. */
#ifndef TESTS_SUPPORT_WEB_TRIAL_PEER_H
#define TESTS_SUPPORT_WEB_TRIAL_PEER_H
#include "core/msg.h"

/* Answer a frame. What is answered is chosen by the version of the transaction: 1002 refuses (400), 1010 tells a trace
 * that was not asked for or keeps back one that was, 1011 tells half a trace, 1012 a trace with inputs out of order, 1013
 * is valid and of no kinds, 1014 answers as a judge; others: each input is emulated.
 * A trace has two steps an input: the second fails, and has a long element and more below. */
void peer_answer_trial(int fd, const struct msg *m);

#endif
