/* Real generations at the parent: sealed over the link, pruned after each, and every one
 * that was kept can be restored, with its own record. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/mem.h"
#include "parent/catalogue.h"
#include "parent/serve.h"
#include "tests/support/child.h"
#include "tests/support/seal_rig.h"

enum { MS = 5000, CHUNKS = 24, GENERATIONS = 12, KEEP = 3 };

struct parent { struct parent_config conf; int fd, mine; };

static void live(void *ctx)
{
    struct parent *p = ctx;
    close(p->mine);
    _exit((int)serve_link(&p->fd, &p->conf, -1).code);
}

static pid_t connect_store(struct store **out, struct parent *p)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    p->fd = ends[1];
    p->mine = ends[0];
    pid_t pid = child_start(live, p);
    close(ends[1]);
    ASSERT_OK(link_hello(ends[0], LINK_STORE, NULL, 0, MS));
    ASSERT_OK(store_link(out, &ends[0], MS));
    return pid;
}

/* The image as it is in generation g. */
static void fill(struct blk *image, unsigned g)
{
    for (unsigned i = 1; i < CHUNKS; i++)
        if (i % GENERATIONS < g) rig_fill(image, i, (uint8_t)(i % 3 ? g : 1));
}

struct kept { uint8_t raw[LINK_HEAD_MAX]; size_t n; };

static void restore(struct rig *r, struct parent *p, unsigned g, const struct kept *heads)
{
    SEAL_HEAD h = { 0 };
    SEALER s = NULL;
    STORE st = NULL;
    struct seal_report got;
    BLK want = rig_image(CHUNKS);
    BLK back = rig_image(CHUNKS);
    char record[16];
    pid_t pid = connect_store(&st, p);
    /* a parent that shows an older head of its own: the seal itself is still whole */
    uint8_t now[LINK_HEAD_MAX];
    size_t n;
    ASSERT_OK(st->head_get(st, now, &n));
    if (n != heads[g].n || memcmp(now, heads[g].raw, n) != 0) ASSERT_OK(st->head_put(st, now, n, heads[g].raw, heads[g].n));
    ASSERT_OK(seal_head_get(&h, st));
    snprintf(record, sizeof record, "record %u", g);
    ck_assert_uint_eq(h.record_len, strlen(record));
    ck_assert_mem_eq(h.record, record, h.record_len);
    ASSERT_OK(seal_open(&s, r->key, r->service, r->epoch, st, &h));
    ASSERT_OK(seal_restore(s, &got, back, 0));
    ck_assert_uint_eq(got.generation, g);
    for (unsigned i = 1; i <= g; i++) fill(want, i);
    rig_same(want, back);
    seal_close(&s);
    store_close(&st);
    ck_assert(exited(child_wait(pid), 0));
}

static void check_catalogue(struct parent *p)
{
    STORE_BACKEND store = NULL;
    CATALOGUE c = { 0 };
    size_t records = 0;
    ASSERT_OK(store_dir_open(&store, p->conf.store_dir, false));
    ASSERT_OK(catalogue_read(&c, store));
    ck_assert_uint_eq(c.generation_count, KEEP);
    for (size_t i = 0; i < c.generation_count; i++) {
        ck_assert(c.generations[i].readable && c.generations[i].missing == 0);
        ck_assert_uint_eq(c.generations[i].number, GENERATIONS - i);
        ck_assert_int_eq(c.generations[i].is_head, i == 0);
        ck_assert_uint_eq(c.generations[i].clear.time, 1000 + GENERATIONS - i);
    }
    for (size_t i = 0; i < c.object_count; i++) records += strncmp(c.objects[i].name, "record-", 7) == 0;
    /* records of dropped generations wait for their hour */
    ck_assert_uint_eq(records, GENERATIONS);
}

START_TEST(kept_generations_restore)
{
    char dir[] = "/tmp/hf-seal-XXXXXX", command[64];
    static struct parent p;
    static struct kept heads[GENERATIONS + 1];
    RIG r;
    rig_open(&r, 1, 1);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ASSERT_OK(parent_config_parse(&p.conf, "test", "[store]\nkeep = 3\n"));
    snprintf(p.conf.store_dir, sizeof p.conf.store_dir, "%s/store", dir);
    strcpy(p.conf.stores, p.conf.store_dir);
    STORE_BACKEND made = NULL;
    ASSERT_OK(store_dir_open(&made, p.conf.store_dir, true));
    ck_assert_uint_eq(p.conf.store_keep, KEEP);

    SEAL_HEAD h = { 0 };
    SEALER s = NULL;
    STORE st = NULL;
    BLK image = rig_image(CHUNKS);
    pid_t pid = connect_store(&st, &p);
    ASSERT_OK(seal_head_get(&h, st));
    ck_assert(!h.present);
    ASSERT_OK(seal_open(&s, r.key, r.service, r.epoch, st, &h));
    for (unsigned g = 1; g <= GENERATIONS; g++) {
        struct seal_report put;
        char record[16];
        fill(image, g);
        snprintf(record, sizeof record, "record %u", g);
        ASSERT_OK(seal_write(s, &put, image, (const uint8_t *)record, strlen(record), 1000 + g));
        ck_assert_uint_eq(put.generation, g);
        ASSERT_OK(st->head_get(st, heads[g].raw, &heads[g].n));
    }
    seal_close(&s);
    store_close(&st);
    ck_assert(exited(child_wait(pid), 0));
    check_catalogue(&p);
    for (unsigned g = GENERATIONS; g > GENERATIONS - KEEP; g--) restore(&r, &p, g, heads);
    snprintf(command, sizeof command, "rm -rf -- '%s'", dir);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("parent_seal", kept_generations_restore);
}

CHECK_MAIN(suite)
