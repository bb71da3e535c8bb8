/* chunk.h - the unit of a sealed copy, and the pack that holds such units.
 *
 * Nothing here knows a key: these are the bytes that the parent may read too.
 * docs/wire/seal.md has every field. Integers are little-endian.
 *
 *   pack = clear header (PACK_HEAD bytes) || ciphertext of chunk || ciphertext of chunk ...
 *
 * A chunk's place in the image, its place in a pack and its tag stand in the
 * manifest. Chunks of zeros are not stored. */
#ifndef DISKCRYPT_CHUNK_H
#define DISKCRYPT_CHUNK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

enum {
    CHUNK_SIZE      = 16384,          /* bytes of an image in one chunk                     */
    CHUNK_COUNT_MAX = 1 << 24,        /* chunks in an image, at most: 256 GiB               */
    CHUNK_NONCE     = 12,
    CHUNK_TAG       = 16,
    CHUNK_AAD       = 60,
    SERVICE_ID      = 32,
    SALT            = 32,
    PACK_HEAD       = 100,
    FORMAT_VERSION  = 1,              /* of pack and manifest                               */
    HEAD_VERSION    = 2,              /* names the log, too                                 */
    OBJECT_NAME     = 40              /* longest name made here, with its NUL               */
};

/* What a pack says about itself, in the clear. */
struct pack_head {
    uint8_t  service[SERVICE_ID];
    uint32_t epoch;
    uint64_t generation;              /* that wrote this pack                               */
    uint8_t  salt[SALT];              /* random: makes the pack's key its own               */
    uint64_t image_size;              /* when it was written                                */
};

/* Check that an image of `size` bytes can be sealed: a whole number of chunks,
 * at least one. Fails: E_FORMAT, E_LIMIT (more than CHUNK_COUNT_MAX). */
err  chunk_size_check(uint64_t size);
/* True when all n bytes are zero. */
bool chunk_is_zero(const uint8_t *p, size_t n);

/* The nonce of chunk `index`: index u32, then eight zero bytes. It never repeats
 * under one key, because a pack's key is its own (salt) and a pack holds an index once. */
void chunk_nonce(uint8_t out[static CHUNK_NONCE], uint32_t index);
/* Associated data of one chunk: service, epoch, generation of the pack, index, chunk size, image size. */
void chunk_aad(uint8_t out[static CHUNK_AAD], const struct pack_head *h, uint32_t index);

void pack_head_build(uint8_t out[static PACK_HEAD], const struct pack_head *h);
/* Fails: E_FORMAT (not a pack, unknown version, other chunk size, impossible image size). */
err  pack_head_parse(struct pack_head *out, const uint8_t in[static PACK_HEAD]);

/* Names at the parent: g<16 hex of generation>-<8 hex of salt>.pack (or .manifest). */
void pack_name(char out[static OBJECT_NAME], uint64_t generation, const uint8_t salt[static SALT]);
void manifest_name(char out[static OBJECT_NAME], uint64_t generation, const uint8_t salt[static SALT]);
/* record-<16 hex of id>. */
void record_name(char out[static OBJECT_NAME], const uint8_t id[static 8]);

#endif
