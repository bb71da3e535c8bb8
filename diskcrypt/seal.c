/* seal.c - the sealing end's state: whose it is, which head it continues. */
#include "diskcrypt/seal.h"

#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "diskcrypt/sealer.h"

enum { INFO_MAX = 24 + SERVICE_ID + 4 + 8 };

static err derive(struct gcm **out, const secret *seal_key, const char *label, const uint8_t *salt,
                  const uint8_t *service, uint32_t epoch, uint64_t generation)
{
    uint8_t info[INFO_MAX];
    struct wr w = wr_of(info, sizeof info);
    wr_text(&w, label);
    wr_bytes(&w, service, SERVICE_ID);
    wr_u32(&w, epoch);
    wr_u64(&w, generation);
    MUST(!w.full);
    SECRET key = NULL;
    TRY(hkdf_sha256(&key, GCM_KEY, seal_key, salt, SALT, info, w.len));
    return gcm_open_key(out, key);
}

err seal_pack_key(struct gcm **out, const secret *seal_key, const struct pack_head *h)
{
    return derive(out, seal_key, "holdfast/1 pack", h->salt, h->service, h->epoch, h->generation);
}

err seal_manifest_key(struct gcm **out, const secret *seal_key, const struct manifest_clear *m)
{
    return derive(out, seal_key, "holdfast/1 manifest", m->salt, m->service, m->epoch, m->generation);
}

err seal_digest_key(struct gcm **out, const secret *seal_key)
{
    static const uint8_t nobody[SERVICE_ID];
    uint8_t salt[SALT];
    TRY(random_bytes(salt, sizeof salt));
    return derive(out, seal_key, "holdfast/1 digest", salt, nobody, 0, 0);
}

void seal_tell(const struct sealer *s, uint64_t done, uint64_t total)
{
    if (s->on_progress)
        s->on_progress(s->progress_self, done, total);
}

void seal_head_drop(struct seal_head *h)
{
    mem_free_bytes(&h->record);
    *h = (struct seal_head){ 0 };
}

static err record_get(struct seal_head *h, struct store *s)
{
    BYTES room = NULL;
    TRY(mem_new(&room, SEAL_RECORD_MAX));
    size_t n = 0;
    err e = store_get_all(s, room, &n, h->head.record, SEAL_RECORD_MAX);
    if (e.code == E_ABSENT)
        FAIL(E_ABSENT, "the head of generation %llu needs the service record %s, and the store does not have it",
             (unsigned long long)h->head.generation, h->head.record);
    TRY(e);
    uint8_t hash[32];
    sha256(hash, room, n);
    if (!bytes_equal(hash, h->head.record_sha256, sizeof hash))
        FAIL(E_FORMAT, "the service record %s is not the one the head names: damaged or exchanged", h->head.record);
    h->record = take_bytes(&room);
    h->record_len = n;
    return OK;
}

/* An empty store is a new beginning; one with objects and no head has lost it. */
static err no_head(struct store *s)
{
    uint32_t objects = 0;
    bool head = false;
    TRY(s->list(s, &objects, &head));
    if (head)
        FAIL(E_FORMAT, "the store says that it has a head and gives none");
    if (objects > 0)
        FAIL(E_ABSENT, "the store holds %u objects and no head: the head is missing", objects);
    return OK;
}

err seal_head_get(struct seal_head *h, struct store *s)
{
    *h = (struct seal_head){ 0 };
    SEAL_HEAD got = { 0 };
    TRY(s->head_get(s, got.raw, &got.raw_len));
    if (got.raw_len == 0)
        return no_head(s);
    TRY(head_parse(&got.head, got.raw, got.raw_len));
    if (got.head.generation > 0) {
        TRY(record_get(&got, s));
        got.present = true;
    }
    *h = got;
    got.record = NULL;
    return OK;
}

err seal_open(struct sealer **out, const secret *seal_key, const uint8_t service_id[static SERVICE_ID],
              uint32_t epoch, struct store *store, const struct seal_head *found)
{
    *out = NULL;
    MUST(secret_len(seal_key) == SEAL_KEY);
    /* The head of an unfinished first generation may be of a service that never came to be. */
    if (found->present && !bytes_equal(found->head.service, service_id, SERVICE_ID))
        FAIL(E_AUTH, "the store's head is of another service");
    if (found->present && found->head.epoch != epoch)
        FAIL(E_AUTH, "the store's head is of epoch %u, the key of epoch %u", found->head.epoch, epoch);
    SEALER s = calloc(1, sizeof *s);
    if (!s)
        FAIL(E_MEMORY, "no memory for a sealer");
    TRY(secret_copy(&s->key, seal_key));
    TRY(seal_digest_key(&s->digest, s->key));
    memcpy(s->service, service_id, SERVICE_ID);
    s->epoch = epoch;
    s->store = store;
    s->restored = !found->present;
    s->now.head = found->head;
    s->now.len = found->raw_len;
    memcpy(s->now.raw, found->raw, found->raw_len);
    *out = s;
    s = NULL;
    return OK;
}

void seal_close(struct sealer **s)
{
    if (!*s)
        return;
    seal_manifest_drop(*s);
    secret_drop(&(*s)->key);
    gcm_close_key(&(*s)->digest);
    map_drop(&(*s)->map);
    map_drop(&(*s)->tried_map);
    free(*s);
    *s = NULL;
}

void seal_use_store(struct sealer *s, struct store *store)
{
    s->store = store;
}

void seal_use_journal(struct sealer *s, const struct seal_journal *journal)
{
    s->journal = *journal;
}

static void tell_journal(struct sealer *s)
{
    if (s->journal.stage)
        s->journal.settled(s->journal.self, &s->now.head);
}

void seal_on_progress(struct sealer *s, void (*on)(void *self, uint64_t done, uint64_t total), void *self)
{
    s->on_progress = on;
    s->progress_self = self;
}

void seal_manifest_hash(uint8_t out[static 32], const struct sealer *s)
{
    memcpy(out, s->now.head.manifest_sha256, 32);
}

uint64_t seal_generation(const struct sealer *s)
{
    return s->now.head.generation;
}

static bool is_head(const struct head_state *h, const uint8_t *raw, size_t len)
{
    return h->len == len && memcmp(h->raw, raw, len) == 0;
}

/* What was tried is the present generation. */
static void adopt(struct sealer *s)
{
    s->now = s->tried;
    s->tried.len = 0;
    if (!s->tried_map) return;            /* an unfinished first one has none */
    map_drop(&s->map);
    s->map = s->tried_map;
    s->tried_map = NULL;
}

err seal_settle(struct sealer *s)
{
    uint8_t raw[LINK_HEAD_MAX];
    size_t len = 0;
    TRY(s->store->head_get(s->store, raw, &len));
    if (s->tried.len > 0 && is_head(&s->tried, raw, len)) {
        log_info("generation %llu is durable: its answer was lost, the head is there",
                 (unsigned long long)s->tried.head.generation);
        adopt(s);
    }
    else if (!is_head(&s->now, raw, len))
        FAIL(E_STATE, "the store's head is not the one left there (generation %llu): another enclave wrote it, or it was put back",
             (unsigned long long)s->now.head.generation);
    s->tried.len = 0;
    map_drop(&s->tried_map);
    tell_journal(s);
    return OK;
}

err seal_move_head(struct sealer *s, const struct head *next, struct seal_map **map)
{
    map_drop(&s->tried_map);
    s->tried.head = *next;
    TRY(head_build(s->tried.raw, &s->tried.len, next));
    if (map) {
        s->tried_map = *map;
        *map = NULL;
    }
    err e = s->store->head_put(s->store, s->now.raw, s->now.len, s->tried.raw, s->tried.len);
    if (e.code == E_STATE) {
        s->tried.len = 0;                 /* refused: it cannot have become the head */
        map_drop(&s->tried_map);
    }
    TRY(e);
    adopt(s);
    tell_journal(s);
    return OK;
}
