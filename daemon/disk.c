/* disk: holds the seal key, reads and writes the image, and talks to the parent's
 * store. What needs privilege (loop device, mount, freeze) it asks of init. */
#include "daemon/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/crypto.h"
#include "core/link.h"
#include "core/log.h"
#include "core/mem.h"
#include "daemon/loop.h"
#include "daemon/roles.h"
#include "diskcrypt/luks_header.h"
#include "policy/record.h"

#define IN(state) (1u << (state))
enum { STORE_MS = 60000, INIT_MS = 90000, BOOK_MS = 60000, OPENING_MAX = GENESIS_MAX + 64, FRAME_MAX = 512 << 10 };

err disk_warm_up(struct role_env *env)
{
    log_info("AES-256-GCM is by %s on this processor", gcm_library());
    return disk_log_warm_up(env);
}

static uint64_t disk_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t disk_now_ms(void)
{
    return disk_now_us() / 1000;
}

/* ---- the way to the parent's store ---- */

err disk_connect(struct disk *d)
{
    FD fd = -1;
    TRY(role_want(d->env, GIVE_PARENT, 0, &fd));
    TRY(link_hello(fd, LINK_STORE, NULL, 0, 10000));
    store_close(&d->store);
    return store_link(&d->store, &fd, STORE_MS);
}

/* At start the parent may come up a little after us. */
static err connect_patiently(struct disk *d)
{
    uint64_t until = disk_now_ms() + d->env->config.parent_wait * 1000;
    for (;;) {
        err e = disk_connect(d);
        if (!e.code || disk_now_ms() >= until) return e;
        nanosleep(&(struct timespec){ .tv_nsec = 250 * 1000 * 1000 }, NULL);
    }
}

err disk_push_state(struct disk *d)
{
    uint8_t body[128];
    struct wr w = wr_of(body, sizeof body);
    wire_put_disk(&w, &d->shown);
    TRY(wr_end(&w, "DISK_STATE"));
    err e = msg_send(d->env->peer[ROLE_WEB], DISK_STATE, 0, body, w.len, 5000);
    return e.code == E_CLOSED ? OK : e;     /* web is the first to go when the enclave stops */
}

/* ---- sealing ---- */

/* E_STATE from sealing speaks of the head; a freeze out of turn must not. */
static err gate_error(err e)
{
    return e.code == E_STATE ? (err){ E_IO } : e;
}

static err gate_freeze(void *self)
{
    struct disk *d = self;
    d->frozen_at_us = disk_now_us();
    TRY(msg_send(d->env->peer[ROLE_BOOK], BOOK_CLEAN, 0, NULL, 0, 5000));
    d->shown.dirty = 0;
    return gate_error(role_ask_init(d->env, CTL_FREEZE, NULL, 0, NULL, INIT_MS));
}

static err gate_thaw(void *self)
{
    struct disk *d = self;
    err e = gate_error(role_ask_init(d->env, CTL_THAW, NULL, 0, NULL, INIT_MS));
    const uint64_t us = disk_now_us() - d->frozen_at_us;
    if (us > d->shown.freeze_us) d->shown.freeze_us = us;
    return e;
}

static err write_generation(struct disk *d)
{
    struct seal_report r = { 0 };
    const struct seal_gate gate = { gate_freeze, gate_thaw, d };
    uint64_t before = disk_now_ms();
    d->shown.freeze_us = 0;             /* the longest of this seal's */
    TRY(seal_write_live(d->sealer, &r, d->image, &gate, d->record, d->record_len, (uint64_t)time(NULL)));
    free(d->record);
    d->record = NULL;                   /* kept from now on: later generations go with the same one */
    d->record_len = 0;
    d->shown.generation = r.generation;
    d->shown.sealed_at = r.time;
    d->shown.image_size = r.image_size;
    d->shown.sealed_bytes = r.moved;
    d->shown.sealed_chunks = r.data / CHUNK_SIZE;
    d->shown.written_chunks = r.written / CHUNK_SIZE;
    d->shown.sealed_ms = disk_now_ms() - before;
    d->sealed_at_entry = r.log_position;
    seal_manifest_hash(d->manifest, d->sealer);
    log_info("generation %llu is sealed: %llu bytes in %llu ms", (unsigned long long)r.generation,
             (unsigned long long)r.moved, (unsigned long long)d->shown.sealed_ms);
    return OK;
}

err disk_store_again(struct disk *d)
{
    if (!d->store_broken) return OK;
    TRY(disk_connect(d));
    seal_use_store(d->sealer, d->store);
    journal_use_store(d->journal, d->store);
    d->store_broken = false;
    return OK;
}

/* One generation. Without an answer from the store the old one stays the truth, and
 * the next attempt starts on a connection of its own. */
static err seal_now(struct disk *d)
{
    err e = disk_store_again(d);
    if (!e.code) {
        e = write_generation(d);
        d->store_broken = e.code != E_OK;
        d->displaced = e.code == E_STATE;
    }
    d->next_seal_ms = disk_now_ms() + d->env->config.seal_interval * 1000;
    d->shown.last_failed = e.code != E_OK;
    if (e.code) d->shown.dirty = 1;
    return e;
}

err disk_seal_and_tell(struct disk *d, err *result)
{
    *result = seal_now(d);
    /* Another enclave moved this service's head: there must be one of us, so it is not us. */
    if (d->displaced) FAIL(E_STATE, "the parent's head is not the one this enclave left: another one runs, or it was changed");
    if (result->code) log_error("this seal failed (%s); the generation before it is still good", err_text(result->code));
    TRY(disk_push_state(d));
    return disk_log_tell(d);
}

err disk_first_seal(struct disk *d)
{
    return seal_now(d);
}

static err tick(void *self, int *timeout_ms)
{
    struct disk *d = self;
    err result = OK;
    *timeout_ms = -1;
    if (d->state != MOUNTED) return OK;
    TRY(disk_read_tick(d, timeout_ms));
    TRY(disk_log_tick(d, timeout_ms));
    if (!d->env->config.seal_interval || !d->shown.dirty || disk_keeps_still(d)) return OK;
    uint64_t now = disk_now_ms();
    if (now >= d->next_seal_ms) TRY(disk_seal_and_tell(d, &result));
    now = disk_now_ms();
    const int left = d->next_seal_ms > now ? (int)(d->next_seal_ms - now) + 1 : 1;
    if (d->shown.dirty && (*timeout_ms < 0 || left < *timeout_ms)) *timeout_ms = left;
    return OK;
}

/* ---- opening ---- */

static err new_image(struct disk *d, uint64_t size)
{
    uint8_t body[8];
    struct wr w = wr_of(body, sizeof body);
    FD fd = -1;
    wr_u64(&w, size);
    blk_close(&d->image);
    TRY(role_ask_init(d->env, CTL_IMAGE_NEW, body, w.len, &fd, INIT_MS));
    return blk_from_fd(&d->image, &fd);
}

static err open_book(struct disk *d, const struct opening *o, uint64_t *requests)
{
    uint8_t body[OPENING_MAX], room[64];
    struct wr w = wr_of(body, sizeof body);
    struct msg m;
    wr_u8(&w, o->fresh);
    wr_bytes(&w, d->service_id, 32);
    wr_u64(&w, o->boot.time);
    wr_var(&w, o->genesis, o->genesis_len);
    TRY(wr_end(&w, "BOOK_OPEN"));
    TRY(msg_call(d->env->peer[ROLE_BOOK], BOOK_OPEN, body, w.len, BOOK_OPENED, &m, room, sizeof room, BOOK_MS));
    struct rd r = rd_of(m.body, m.len);
    *requests = rd_u64(&r);
    return rd_end(&r, "BOOK_OPENED");
}

static err make_disk(struct disk *d)
{
    TRY(new_image(d, d->env->config.disk_size));
    TRY(disk_volume_new(d));
    TRY(role_ask_init(d->env, CTL_IMAGE_FORMAT, NULL, 0, NULL, INIT_MS));
    return role_ask_init(d->env, CTL_MOUNT, NULL, 0, NULL, INIT_MS);
}

static void on_progress(void *self, uint64_t done, uint64_t total)
{
    struct disk *d = self;
    unsigned tenth = total ? (unsigned)(done * 10 / total) : 10;
    if (tenth <= d->shown_tenth) return;
    d->shown_tenth = tenth;
    log_info("restoring: %u0 %% of %llu MiB", tenth, (unsigned long long)(total >> 20));
}

/* Nothing of what the parent sends is mounted before all of it is authentic. */
static err restore_disk(struct disk *d)
{
    struct seal_report r = { 0 };
    uint64_t size = 0;
    TRY(seal_image_size(&size, d->sealer));
    TRY(new_image(d, size));
    seal_on_progress(d->sealer, on_progress, d);
    TRY(seal_restore(d->sealer, &r, d->image, 1));
    seal_on_progress(d->sealer, NULL, NULL);
    d->shown.generation = r.generation;
    d->shown.sealed_at = r.time;
    d->shown.image_size = r.image_size;
    d->shown.sealed_bytes = r.moved;
    d->shown.sealed_chunks = r.data / CHUNK_SIZE;
    d->sealed_at_entry = r.log_position;
    memcpy(d->manifest, d->head.head.manifest_sha256, 32);
    log_info("generation %llu is restored: %llu bytes, all of them authentic", (unsigned long long)r.generation, (unsigned long long)r.moved);
    TRY(disk_volume_restored(d));
    return role_ask_init(d->env, CTL_MOUNT, NULL, 0, NULL, INIT_MS);
}

err disk_open(struct disk *d, const struct opening *o, uint64_t *requests)
{
    if (o->fresh == d->head.present) FAIL(E_STATE, "the keeper and the store disagree on whether there is a service");
    TRY(seal_open(&d->sealer, d->seal_key, d->service_id, d->epoch, d->store, &d->head));
    secret_drop(&d->seal_key);
    TRY(disk_log_open(d, o));
    TRY(o->fresh ? make_disk(d) : restore_disk(d));
    TRY(open_book(d, o, requests));
    d->shown.mounted = 1;
    d->state = MOUNTED;
    /* The first generation makes the service: before it is durable nobody is told of one. */
    if (o->fresh) TRY(seal_now(d));
    TRY(disk_log_booted(d, o));
    d->next_seal_ms = disk_now_ms() + d->env->config.seal_interval * 1000;
    return disk_push_state(d);
}

/* ---- what others may ask ---- */

static err on_record_get(void *self, int fd, const struct msg *m, int *pass)
{
    struct disk *d = self;
    BYTES body = NULL;
    (void)pass;
    TRY(connect_patiently(d));
    TRY(seal_head_get(&d->head, d->store));
    size_t cap = 5 + d->head.record_len;
    TRY(mem_new(&body, cap));
    struct wr w = wr_of(body, cap);
    wr_u8(&w, d->head.present);
    wr_var(&w, d->head.record, d->head.record_len);
    TRY(wr_end(&w, "DISK_RECORD"));
    d->state = KNOWN;
    return msg_send(fd, DISK_RECORD, m->seq, body, w.len, 5000);
}

static err on_keys(void *self, int fd, const struct msg *m, int *pass)
{
    struct disk *d = self;
    (void)fd, (void)m, (void)pass;
    loop_first(d->loop, &d->env->peer[ROLE_KEEPER], disk_take_key);
    return OK;
}

err disk_take_key(void *self)
{
    struct disk *d = self;
    uint8_t head[37];
    TRY(msg_recv_secret(d->env->peer[ROLE_KEEPER], DISK_OPEN, head, sizeof head, &d->seal_key, SEAL_KEY, 10000));
    struct rd r = rd_of(head, sizeof head);
    d->fresh = rd_u8(&r) == 1;
    rd_copy(&r, d->service_id, 32);
    d->epoch = rd_u32(&r);
    TRY(msg_recv_secret(d->env->peer[ROLE_KEEPER], DISK_VOLUME, NULL, 0, &d->volume_key, LUKS_KEY, 10000));
    TRY(msg_recv_secret(d->env->peer[ROLE_KEEPER], DISK_LOG_KEY, NULL, 0, &d->log_key, JOURNAL_KEY, 10000));
    d->state = KEYED;
    return OK;
}

static err on_genesis(void *self, int fd, const struct msg *m, int *pass)
{
    struct disk *d = self;
    struct rd r = rd_of(m->body, m->len);
    struct opening o = { .fresh = d->fresh };
    size_t n = 0;
    uint64_t requests = 0;
    (void)pass;
    o.genesis = rd_var(&r, GENESIS_MAX, &o.genesis_len);
    const uint8_t *record = rd_var(&r, RECORD_MAX, &n);
    wire_get_boot(&r, &o.boot);
    TRY(rd_end(&r, "DISK_GENESIS"));
    if (n) {
        TRY(mem_new(&d->record, n));
        memcpy(d->record, record, n);
        d->record_len = n;
    }
    TRY(disk_open(d, &o, &requests));
    uint8_t body[16];
    struct wr w = wr_of(body, sizeof body);
    wr_u64(&w, d->shown.generation);
    wr_u64(&w, requests);
    TRY(msg_send(fd, DISK_OPENED, m->seq, body, w.len, 5000));
    return disk_log_tell(d);
}

#define ALWAYS (IN(STARTING) | IN(KNOWN) | IN(KEYED) | IN(MOUNTED))
static const struct msg_rule keeper_rules[] = {
    { DISK_RECORD_GET, 0, 0, IN(STARTING), MSG_ONCE, on_record_get },
    { DISK_GENESIS, 8 + WIRE_BOOT, 8 + GENESIS_MAX + RECORD_MAX + WIRE_BOOT, IN(KEYED), MSG_ONCE, on_genesis },
    { DISK_STANDING, 0, 0, IN(MOUNTED), 0, disk_on_standing },
    { DISK_KEYS, 0, 0, IN(KNOWN), MSG_ONCE, on_keys },
    { DISK_GRANT_GET, 32, 32, IN(KNOWN), 0, disk_on_grant_get },
    { DISK_STILL, 0, 0, IN(MOUNTED), 0, disk_on_still },
    { DISK_GRANT_PUT, 80, FRAME_MAX, IN(MOUNTED), 0, disk_on_grant_put },
    { DISK_PERMIT, 24, FRAME_MAX, IN(MOUNTED), 0, disk_on_permit },
    { DISK_LOG_SEEN, 0, 0, IN(MOUNTED), 0, disk_on_log_seen },
    { DISK_LOG_ADD, 9, FRAME_MAX, IN(MOUNTED), 0, disk_on_log_add },
};
static const struct msg_rule web_rules[] = {
    { DISK_SEAL, 0, 0, ALWAYS, 0, disk_on_seal }, { DISK_VERIFY, 0, 0, ALWAYS, 0, disk_on_verify }, { DISK_GROW, 8, 8, ALWAYS, 0, disk_on_grow },
    { DISK_LOG_READ, 12, 12, IN(MOUNTED), 0, disk_on_log_read }, { DISK_LOG_PROVE, 17, 17, IN(MOUNTED), 0, disk_on_log_prove },
};
static const struct msg_rule book_rules[] = {
    { BOOK_DIRTY, 0, 0, IN(MOUNTED), 0, disk_on_dirty }, { BOOK_SEAL, 0, 0, IN(MOUNTED), 0, disk_on_book_seal },
};
static const struct msg_table keeper_table = { keeper_rules, 10 }, web_table = { web_rules, 5 }, book_table = { book_rules, 2 };

/* The last seal: the book is closed first, so that what is sealed is a closed database. */
static err finish(struct disk *d)
{
    uint8_t room[64];
    struct msg m;
    int book = d->env->peer[ROLE_BOOK];
    if (d->state != MOUNTED || disk_keeps_still(d)) return OK;
    TRY(msg_send(book, BOOK_CLOSE, 0, NULL, 0, 5000));
    /* A BOOK_DIRTY may still be under way: it is answered by sealing anyway. So may a BOOK_SEAL: its judges end with us. */
    do TRY(msg_recv(book, &m, room, sizeof room, NULL, BOOK_MS));
    while (m.type == BOOK_DIRTY || m.type == BOOK_SEAL);
    if (m.type != BOOK_CLOSED) FAIL(E_FORMAT, "the book did not close");
    err e = seal_now(d);
    /* The parent may have been started anew since the last seal: once more, on a connection of today. */
    if (e.code && d->store_broken && !d->displaced) e = seal_now(d);
    TRY(e);
    log_info("the last seal is durable");
    disk_log_finish(d);
    return OK;
}

void disk_drop(struct disk *d)
{
    secret_drop(&d->seal_key);
    secret_drop(&d->volume_key);
    secret_drop(&d->log_key);
    seal_close(&d->sealer);
    journal_close(&d->journal);
    mem_free_bytes(&d->log.note);
    fd_close(&d->log.fd);
    fd_close(&d->read.fd);
    seal_head_drop(&d->head);
    store_close(&d->store);
    blk_close(&d->image);
    free(d->record);
    d->record = NULL;
}

err disk_main(struct role_env *env)
{
    struct disk d = { .env = env, .log = { .fd = -1, .witnesses = env->warm }, .read = { .fd = -1 } };
    BYTES room = NULL;
    TRY(mem_new(&room, FRAME_MAX));
    struct loop l = { .env = env, .state = &d.state, .self = &d, .room = room, .cap = FRAME_MAX, .tick = tick };
    d.loop = &l;
    loop_add(&l, &env->peer[ROLE_KEEPER], &keeper_table, false);
    loop_add(&l, &env->peer[ROLE_BOOK], &book_table, false);
    loop_add(&l, &env->peer[ROLE_WEB], &web_table, true);
    loop_add(&l, &d.log.fd, NULL, false);
    loop_add(&l, &d.read.fd, NULL, false);
    err e = loop_run(&l);
    if (!e.code) e = finish(&d);
    disk_drop(&d);
    return e;
}
