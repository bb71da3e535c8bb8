/* seal_manifest.c - the manifest that the head names, fetched once and authenticated as a whole. */
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/mem.h"
#include "diskcrypt/sealer.h"

void seal_manifest_drop(struct sealer *s)
{
    mem_free_bytes(&s->list_bytes);
    s->list = (struct manifest_clear){ 0 };
    s->entries = NULL;
}

/* Room that grows with what comes: the longest manifest there can be is far longer than the usual one. */
struct growing { uint8_t *p; size_t n, room, most; };

static err take(void *self, const uint8_t *p, size_t n)
{
    struct growing *g = self;
    if (n > g->most - g->n)
        FAIL(E_LIMIT, "a manifest came with more bytes than the %zu that may be", g->most);
    if (n > g->room - g->n) {
        size_t room = g->room < g->most / 2 ? 2 * g->room : g->most;
        if (room < g->n + n)
            room = g->n + n;
        uint8_t *more = realloc(g->p, room);
        if (!more)
            FAIL(E_MEMORY, "no memory for a manifest of %zu bytes", room);
        g->p = more;
        g->room = room;
    }
    memcpy(g->p + g->n, p, n);
    g->n += n;
    return OK;
}

static err fetch(uint8_t **bytes, size_t *len, const struct sealer *s, size_t most)
{
    const struct head *h = &s->now.head;
    struct growing g = { .most = most };
    uint64_t total = 0;
    err e = s->store->get(s->store, &total, h->manifest, most, (struct store_sink){ take, &g });
    *bytes = g.p;                         /* the caller's, whatever came of it */
    *len = g.n;
    if (e.code == E_ABSENT)
        FAIL(E_ABSENT, "generation %llu needs its manifest %s, and the store does not have it",
             (unsigned long long)h->generation, h->manifest);
    TRY(e);
    if (!*bytes)
        FAIL(E_FORMAT, "manifest %s is empty", h->manifest);
    uint8_t hash[32];
    sha256(hash, *bytes, *len);
    if (!bytes_equal(hash, h->manifest_sha256, sizeof hash))
        FAIL(E_AUTH, "manifest %s is not the one the head names: damaged or exchanged", h->manifest);
    return OK;
}

/* What is said in the clear against what we know. */
static err fits(const struct sealer *s, const struct manifest_clear *m)
{
    const struct head *h = &s->now.head;
    if (!bytes_equal(m->service, s->service, SERVICE_ID))
        FAIL(E_AUTH, "manifest %s is of another service", h->manifest);
    if (m->epoch != s->epoch)
        FAIL(E_AUTH, "manifest %s is of epoch %u, the key of epoch %u", h->manifest, m->epoch, s->epoch);
    if (m->generation != h->generation)
        FAIL(E_AUTH, "manifest %s is of generation %llu: an older one under a newer name", h->manifest,
             (unsigned long long)m->generation);
    if (!bytes_equal(m->record, h->record_sha256, sizeof m->record))
        FAIL(E_AUTH, "manifest %s goes with another service record than the head names", h->manifest);
    return OK;
}

/* Open the entries in place, right behind the clear header. */
static err unseal(const struct sealer *s, const struct manifest_clear *m, uint8_t *bytes, size_t len)
{
    static const uint8_t nonce[GCM_NONCE] = { 0 };        /* one message under this key */
    const char *name = s->now.head.manifest;
    if (m->total_size != len)
        FAIL(E_FORMAT, "manifest %s has %zu bytes and should have %llu", name, len, (unsigned long long)m->total_size);
    uint8_t *entries = bytes + m->clear_size;
    size_t body = (size_t)m->stored * MANIFEST_ENTRY;
    GCM key = NULL;
    TRY(seal_manifest_key(&key, s->key, m));
    err e = gcm_unseal(key, entries, entries + body, nonce, bytes, m->clear_size, entries, body);
    if (e.code == E_AUTH)
        FAIL(E_AUTH, "manifest %s does not verify under this service's key", name);
    TRY(e);
    return manifest_entries_check(m, entries);
}

err seal_manifest_open(struct sealer *s, uint64_t largest_image)
{
    if (s->list_bytes)
        return OK;
    struct manifest_clear m;
    BYTES bytes = NULL;
    size_t len = 0;
    TRY(fetch(&bytes, &len, s, (size_t)manifest_size_max(largest_image)));
    TRY(manifest_clear_parse(&m, bytes, len));
    TRY(fits(s, &m));
    TRY(unseal(s, &m, bytes, len));
    s->list = m;                          /* its list of packs points into the bytes */
    s->entries = bytes + m.clear_size;
    s->list_bytes = take_bytes(&bytes);
    return OK;
}

err seal_image_size(uint64_t *out, struct sealer *s)
{
    *out = 0;
    if (s->restored)
        FAIL(E_STATE, "there is no generation to restore, or it is already");
    TRY(seal_manifest_open(s, (uint64_t)CHUNK_COUNT_MAX * CHUNK_SIZE));
    *out = s->list.image_size;
    return OK;
}
