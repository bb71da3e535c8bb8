/* chunk.c - the clear bytes of packs, and what each chunk is bound to. */
#include "diskcrypt/chunk.h"

#include <stdio.h>
#include <string.h>

#include "core/buf.h"

static const char pack_magic[8] = { 'h', 'f', '-', 'p', 'a', 'c', 'k', '\n' };

err chunk_size_check(uint64_t size)
{
    if (size == 0 || size % CHUNK_SIZE != 0)
        FAIL(E_FORMAT, "an image of %llu bytes is not a whole number of chunks of %d",
             (unsigned long long)size, CHUNK_SIZE);
    if (size / CHUNK_SIZE > CHUNK_COUNT_MAX)
        FAIL(E_LIMIT, "an image of %llu bytes is too large to seal", (unsigned long long)size);
    return OK;
}

bool chunk_is_zero(const uint8_t *p, size_t n)
{
    /* Each byte equals the one before it, and the first is zero: memcmp does this
     * at memory speed, and stops at the first difference. */
    return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

void chunk_nonce(uint8_t out[static CHUNK_NONCE], uint32_t index)
{
    struct wr w = wr_of(out, CHUNK_NONCE);
    wr_u32(&w, index);
    wr_u64(&w, 0);
}

void chunk_aad(uint8_t out[static CHUNK_AAD], const struct pack_head *h, uint32_t index)
{
    struct wr w = wr_of(out, CHUNK_AAD);
    wr_bytes(&w, h->service, sizeof h->service);
    wr_u32(&w, h->epoch);
    wr_u64(&w, h->generation);
    wr_u32(&w, index);
    wr_u32(&w, CHUNK_SIZE);
    wr_u64(&w, h->image_size);
    MUST(w.len == CHUNK_AAD && !w.full);
}

void pack_head_build(uint8_t out[static PACK_HEAD], const struct pack_head *h)
{
    struct wr w = wr_of(out, PACK_HEAD);
    wr_bytes(&w, pack_magic, sizeof pack_magic);
    wr_u32(&w, FORMAT_VERSION);
    wr_bytes(&w, h->service, sizeof h->service);
    wr_u32(&w, h->epoch);
    wr_u64(&w, h->generation);
    wr_bytes(&w, h->salt, sizeof h->salt);
    wr_u32(&w, CHUNK_SIZE);
    wr_u64(&w, h->image_size);
    MUST(w.len == PACK_HEAD && !w.full);
}

err pack_head_parse(struct pack_head *out, const uint8_t in[static PACK_HEAD])
{
    *out = (struct pack_head){ 0 };
    struct pack_head h = { 0 };
    struct rd r = rd_of(in, PACK_HEAD);
    const uint8_t *magic = rd_bytes(&r, sizeof pack_magic);
    uint32_t version = rd_u32(&r);
    rd_copy(&r, h.service, sizeof h.service);
    h.epoch = rd_u32(&r);
    h.generation = rd_u64(&r);
    rd_copy(&r, h.salt, sizeof h.salt);
    uint32_t chunk = rd_u32(&r);
    h.image_size = rd_u64(&r);
    TRY(rd_end(&r, "a pack's header"));
    if (memcmp(magic, pack_magic, sizeof pack_magic) != 0)
        FAIL(E_FORMAT, "not a pack");
    if (version != FORMAT_VERSION)
        FAIL(E_FORMAT, "a pack of format %u: this program knows format %d", version, FORMAT_VERSION);
    if (chunk != CHUNK_SIZE)
        FAIL(E_FORMAT, "a pack with chunks of %u bytes instead of %d", chunk, CHUNK_SIZE);
    if (h.generation == 0)
        FAIL(E_FORMAT, "a pack of generation 0");
    TRY(chunk_size_check(h.image_size));
    *out = h;
    return OK;
}

static void object_name(char out[static OBJECT_NAME], uint64_t generation, const uint8_t *salt, const char *kind)
{
    char short_salt[9];
    hex_from(short_salt, salt, 4);
    int n = snprintf(out, OBJECT_NAME, "g%016llx-%s.%s", (unsigned long long)generation, short_salt, kind);
    MUST(n > 0 && n < OBJECT_NAME);
}

void pack_name(char out[static OBJECT_NAME], uint64_t generation, const uint8_t salt[static SALT])
{
    object_name(out, generation, salt, "pack");
}

void manifest_name(char out[static OBJECT_NAME], uint64_t generation, const uint8_t salt[static SALT])
{
    object_name(out, generation, salt, "manifest");
}

void record_name(char out[static OBJECT_NAME], const uint8_t id[static 8])
{
    char hex[17];
    hex_from(hex, id, 8);
    int n = snprintf(out, OBJECT_NAME, "record-%s", hex);
    MUST(n > 0 && n < OBJECT_NAME);
}
