/* log_case.h - a log of a test: its entries are "0", "1", ...; keys are made of one byte. */
#ifndef TESTS_LOG_CASE_H
#define TESTS_LOG_CASE_H
#include "policy/checkpoint.h"
#include "policy/cosign.h"
#include "policy/log.h"

/* The key that follows from a byte, under a name. */
struct note_key case_key(const char *name, uint8_t type, uint8_t seed);
/* Its holder; `seed` is borrowed. */
struct cosign_key case_holder(const uint8_t *seed);
/* The log's tree; any size. */
struct tlog_store case_log(void);
struct checkpoint case_tree(const char *origin, uint64_t size);
/* A checkpoint note of it, signed by `seed`. Returns its length. */
size_t case_note(char *out, size_t cap, const char *origin, uint64_t size, uint8_t seed);

#endif
