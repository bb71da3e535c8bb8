/* seal_rig.c - see seal_rig.h. */
#include "tests/support/seal_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/crypto.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"

void rig_open(struct rig *r, uint8_t who, uint32_t epoch)
{
    *r = (struct rig){ .epoch = epoch };
    err e = secret_arena_open(65536);
    ck_assert(e.code == E_OK || e.code == E_STATE);
    ASSERT_OK(crypto_warm_up());
    ASSERT_OK(store_memory_new(&r->m));
    ASSERT_OK(secret_random(&r->key, SEAL_KEY));
    memset(r->service, who, sizeof r->service);
}

void rig_close(struct rig *r)
{
    store_memory_drop(&r->m);
    secret_drop(&r->key);
}

struct blk *rig_image(unsigned chunks)
{
    int fd = memfd_create("image", MFD_CLOEXEC);
    ck_assert(fd >= 0 && ftruncate(fd, (off_t)chunks * CHUNK_SIZE) == 0);
    struct blk *b = NULL;
    ASSERT_OK(blk_from_fd(&b, &fd));
    return b;
}

void rig_fill(struct blk *image, unsigned i, uint8_t seed)
{
    static uint8_t chunk[CHUNK_SIZE];
    uint32_t x = 2654435761u * (i + 1) + seed;
    for (size_t k = 0; k < CHUNK_SIZE; k++) {
        x = x * 1664525u + 1013904223u;
        chunk[k] = (uint8_t)(x >> 24);
    }
    chunk[7] = (uint8_t)(seed | 1);
    ASSERT_OK(image->write_at(image, chunk, CHUNK_SIZE, (uint64_t)i * CHUNK_SIZE));
}

void rig_same(struct blk *a, struct blk *b)
{
    static uint8_t x[CHUNK_SIZE], y[CHUNK_SIZE];
    ck_assert_uint_eq(a->size(a), b->size(b));
    for (uint64_t at = 0; at < a->size(a); at += CHUNK_SIZE) {
        ASSERT_OK(a->read_at(a, x, CHUNK_SIZE, at));
        ASSERT_OK(b->read_at(b, y, CHUNK_SIZE, at));
        ck_assert_msg(memcmp(x, y, CHUNK_SIZE) == 0, "chunk %u differs", (unsigned)(at / CHUNK_SIZE));
    }
}

err rig_boot(struct rig *r, struct store **store, struct sealer **sealer, struct blk *image, uint64_t least)
{
    SEAL_HEAD found = { 0 };
    struct seal_report rep;
    STORE st = NULL;
    SEALER s = NULL;
    *store = NULL;
    *sealer = NULL;
    TRY(store_memory_open(&st, r->m, &r->power));
    TRY(seal_head_get(&found, st));
    TRY(seal_open(&s, r->key, r->service, r->epoch, st, &found));
    if (found.present)
        TRY(seal_restore(s, &rep, image, least));
    *store = st;
    *sealer = s;
    st = NULL;
    s = NULL;
    return OK;
}

err rig_seal(struct rig *r, struct seal_report *rep, struct blk *image, uint64_t now)
{
    BLK scratch = rig_image((unsigned)(image->size(image) / CHUNK_SIZE));
    STORE st = NULL;
    SEALER s = NULL;
    TRY(rig_boot(r, &st, &s, scratch, 0));
    const uint8_t *record = seal_generation(s) == 0 ? (const uint8_t *)"record" : NULL;
    return seal_write(s, rep, image, record, record ? 6 : 0, now);
}

err rig_restore(struct rig *r, struct seal_report *rep, struct blk *image)
{
    SEAL_HEAD found = { 0 };
    STORE st = NULL;
    SEALER s = NULL;
    TRY(store_memory_open(&st, r->m, &r->power));
    TRY(seal_head_get(&found, st));
    if (!found.present)
        return (err){ E_ABSENT };
    TRY(seal_open(&s, r->key, r->service, r->epoch, st, &found));
    return seal_restore(s, rep, image, 0);
}

static int heard = -1;

void rig_listen(void)
{
    heard = memfd_create("heard", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ck_assert(heard >= 0 && dup2(heard, 2) == 2 && fcntl(2, F_SETFL, O_APPEND) == 0);
    log_open("test", LOG_WARN);
}

int rig_said(const char *part)
{
    static char text[65536];
    ssize_t n = pread(heard, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = 0;
    ck_assert(ftruncate(heard, 0) == 0);
    int found = strstr(text, part) != NULL;
    if (!found)
        printf("expected \"%s\" in: %s\n", part, text);
    return found;
}
