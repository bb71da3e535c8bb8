/* s3_retry.h - is it worth asking again, and when? A function of what came back, so that it can be tested. */
#ifndef PARENT_S3_RETRY_H
#define PARENT_S3_RETRY_H
#include <stdbool.h>
#include <stdint.h>

enum { S3_TRIES = 7, S3_WAIT_FIRST = 200, S3_WAIT_MOST = 10000, S3_RETRY_AFTER_MOST = 30 };

/* `tries` requests were made (1 or more); the last gave `status` (0: no answer: a timeout or a lost connection) and the
 * error word `code` ("" for none). `retry_after`: seconds the server asked for, 0 for none. `random`: any number.
 * True: ask again after *ms milliseconds: 200 ms doubled for each try, 10 s at most, of which half is left to chance,
 * and never less than the server asked for (30 s at most). */
bool s3_retry(unsigned *ms, unsigned tries, long status, const char *code, long retry_after, uint32_t random);

#endif
