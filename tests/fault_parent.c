/* Every allocation of the parent's store, link session, catalogue and pruning fails in turn. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/hash.h"
#include "core/mem.h"
#include "parent/catalogue.h"
#include "parent/copy.h"
#include "parent/prune.h"
#include "parent/session.h"
#include "tests/support/check_main.h"
#include "tests/support/faults.h"

struct ctx { char dir[64]; unsigned long run; enum err_code told; };

/* An error answer counts as the failure being told. */
static err drop_frame(void *self, uint16_t type, uint16_t seq, const void *body, size_t n)
{
    struct ctx *c = self;
    (void)seq;
    if (type == MSG_ERROR && n == 1) c->told = *(const uint8_t *)body;
    return OK;
}

static err frame(struct session *s, struct ctx *c, uint16_t type, const void *body, size_t n)
{
    struct msg m = { .type = type, .len = (uint32_t)n, .body = body };
    c->told = E_OK;
    TRY(session_on(s, &m));
    return (err){ c->told };
}

static err talk(struct session *s, struct ctx *c)
{
    TRY(frame(s, c, LINK_PUT, "\1\0\0\0a", 5));
    TRY(frame(s, c, LINK_DATA, "hello", 5));
    TRY(frame(s, c, LINK_PUT_END, "\5\0\0\0\0\0\0\0", 8));
    TRY(frame(s, c, LINK_GET, "\1\0\0\0a", 5));
    TRY(frame(s, c, LINK_HEAD_PUT, "\0\0\0\0\3\0\0\0one", 11));
    TRY(frame(s, c, LINK_HEAD_GET, NULL, 0));
    return frame(s, c, LINK_LIST, NULL, 0);
}

static err session_body(void *ctx, unsigned long n)
{
    struct ctx *c = ctx;
    char dir[96];
    STORE_BACKEND store = NULL;
    SESSION s = { 0 };
    (void)n;
    snprintf(dir, sizeof dir, "%s/%lu", c->dir, c->run++);
    TRY(store_dir_open(&store, dir, true));
    TRY(session_open(&s, store, (struct session_out){ drop_frame, c }, 1 << 20));
    return talk(&s, c);
}

static err memory_body(void *ctx, unsigned long n)
{
    STORE_BACKEND store = NULL;
    SESSION s = { 0 };
    (void)n;
    TRY(store_backend_memory(&store, 1 << 20));
    TRY(session_open(&s, store, (struct session_out){ drop_frame, ctx }, 1 << 20));
    return talk(&s, ctx);
}

static err prune_body(void *ctx, unsigned long n)
{
    struct ctx *c = ctx;
    STORE_BACKEND store = NULL;
    STORE_PUT put = NULL;
    struct prune_report r;
    CATALOGUE cat = { 0 };
    (void)n;
    (void)c;
    uint8_t salt[SALT] = { 1 }, bytes[MANIFEST_FIXED + CHUNK_TAG] = { 0 }, head[LINK_HEAD_MAX];
    struct manifest_clear m = { .generation = 1, .epoch = 1, .image_size = CHUNK_SIZE };
    struct head h = { .generation = 1, .epoch = 1, .record = "record-0000000000000001" };
    char name[OBJECT_NAME];
    size_t len;
    memcpy(m.salt, salt, SALT);
    struct wr w = wr_of(bytes, sizeof bytes);
    manifest_clear_build(&w, &m, NULL);
    TRY(wr_end(&w, "manifest"));
    manifest_name(name, 1, salt);
    memcpy(h.manifest, name, strlen(name) + 1);
    TRY(head_build(head, &len, &h));
    TRY(store_backend_memory(&store, 1 << 20));
    TRY(store->put(store, &put, name));
    TRY(put->write(put, bytes, sizeof bytes));
    TRY(put->commit(put));
    store_put_close(&put);
    TRY(store->put(store, &put, "g0000000000000009-00000000.pack"));
    TRY(put->commit(put));
    TRY(store->head_put(store, NULL, 0, head, len));
    TRY(catalogue_read(&cat, store));
    if (cat.generation_count != 1 || !cat.generations[0].readable) return (err){ E_STATE };
    TRY(prune(store, 1, &r));
    return r.kept == 1 && r.removed == 1 ? OK : (err){ E_STATE };
}

/* A store with one generation of no chunks, its record, and a head. */
static err fill(struct store_backend *store)
{
    STORE_PUT put = NULL;
    uint8_t bytes[MANIFEST_FIXED + CHUNK_TAG] = { 0 }, head[LINK_HEAD_MAX];
    struct manifest_clear m = { .generation = 1, .epoch = 1, .image_size = CHUNK_SIZE };
    struct head h = { .generation = 1, .epoch = 1, .record = "record-0000000000000001" };
    char name[OBJECT_NAME];
    size_t len;
    sha256(m.record, "one", 3);
    struct wr w = wr_of(bytes, sizeof bytes);
    manifest_clear_build(&w, &m, NULL);
    TRY(wr_end(&w, "manifest"));
    sha256(h.manifest_sha256, bytes, sizeof bytes);
    sha256(h.record_sha256, "one", 3);
    manifest_name(name, 1, m.salt);
    memcpy(h.manifest, name, strlen(name) + 1);
    TRY(head_build(head, &len, &h));
    TRY(store->put(store, &put, name));
    TRY(put->write(put, bytes, sizeof bytes));
    TRY(put->commit(put));
    store_put_close(&put);
    TRY(store->put(store, &put, h.record));
    TRY(put->write(put, "one", 3));
    TRY(put->commit(put));
    return store->head_put(store, NULL, 0, head, len);
}

static err copy_body(void *ctx, unsigned long n)
{
    STORE_BACKEND from = NULL;
    STORE_BACKEND to = NULL;
    struct copy_report r;
    uint8_t head[LINK_HEAD_MAX];
    size_t len;
    (void)ctx;
    (void)n;
    TRY(store_backend_memory(&from, 1 << 20));
    TRY(store_backend_memory(&to, 1 << 20));
    TRY(fill(from));
    err e = store_copy(&r, from, to, true, NULL);
    TRY(to->head_get(to, head, &len));
    /* Cut off, it left no head that names what is not there; begun again, it gets to the end. */
    if (len) {
        CATALOGUE cat = { 0 };
        enum flaw flaw;
        TRY(catalogue_read(&cat, to));
        TRY(inspect_generation(&flaw, &cat, 0, to, NULL));
        if (flaw != FLAW_NONE) return (err){ E_STATE };
    }
    if (e.code) TRY(store_copy(&r, from, to, true, NULL));
    if (r.generation != 1 || r.generations != 1) return (err){ E_STATE };
    return e;
}

START_TEST(allocations)
{
    struct ctx c = { .dir = "/tmp/hf-fault-XXXXXX" };
    char command[96];
    ck_assert_ptr_nonnull(mkdtemp(c.dir));
    FAULT_LOOP(FAULT_ALLOC, session_body, &c);
    FAULT_LOOP(FAULT_RANDOM, session_body, &c);
    FAULT_LOOP(FAULT_ALLOC, memory_body, &c);
    FAULT_LOOP(FAULT_ALLOC, prune_body, &c);
    FAULT_LOOP(FAULT_ALLOC, copy_body, &c);
    snprintf(command, sizeof command, "rm -rf -- '%s'", c.dir);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("fault_parent", allocations);
}

CHECK_MAIN(suite)
