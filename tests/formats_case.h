/* formats_case.h - what the fixtures of the wire formats (tests/fixtures/formats) are made of: keys of a test, and runs of bytes.
 *
 * A fixture is named by its format's version. What reads it stays when the format goes on, and so do these. */
#ifndef TESTS_FORMATS_CASE_H
#define TESTS_FORMATS_CASE_H
#include "core/hash.h"
#include "core/secret.h"
#include "keystore/keyring.h"

enum {
    FORMATS_EPOCH = 2, FORMATS_CHUNKS = 12, FORMATS_TIME = 1790000000,
    RUN_Z = 0x01, RUN_MASTER = 0x40, RUN_SERVICE_ROOT = 0x60,               /* the secrets: 32 bytes, each one more than the one before */
    RUN_BLOCKHASH = 0xb0, RUN_RELEASE = 0x30, RUN_PUBLIC = 0x50, FORMATS_WITNESS = 9
};
#define FORMATS_GENESIS_ARN "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000001"
#define FORMATS_BUILD_ARN   "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000002"

/* out[i] = first + i. */
void formats_run(void *out, size_t n, uint8_t first);
void formats_secret(secret **out, uint8_t first);
/* The root that the record's keyring and the grant open with. */
void formats_build_root(secret **out);
enum { FIXTURE_MAX = 1 << 16 };
struct fixture { uint8_t p[FIXTURE_MAX]; size_t n; };
/* Read dir/name, which must be there. */
void formats_load(struct fixture *f, const char *dir, const char *name);
/* Each fails the test unless it holds: these bytes, at most 64; first, first + 1, ...; a compressed point with such an x; this text; the
 * SHA-256 of this file; a secret of 32 such bytes. */
void is_hex(const uint8_t *p, size_t n, const char *hex);
void is_run(const uint8_t *p, size_t n, uint8_t first);
void is_point(const uint8_t p[static 33], uint8_t sign, uint8_t first);
void is_text(struct bytes b, const char *text);
void is_hash_of(const uint8_t hash[static 32], const struct fixture *f);
void is_secret(const secret *s, uint8_t first);
/* Write one fixture of each format into `dir`, as today's code makes them. */
void formats_make(const char *dir);

#endif
