#include "daemon/wire.h"

#include <string.h>

/* Texts travel with their length; a longer one than the room marks the reader bad. */
static void put_text(struct wr *w, const char *s) { wr_var(w, s, strlen(s)); }

static void get_text(struct rd *r, char *out, size_t room)
{
    size_t n = 0;
    const uint8_t *p = rd_var(r, room - 1, &n);
    memset(out, 0, room);
    if (!p) return;
    if (memchr(p, 0, n)) r->bad = true;
    memcpy(out, p, n);
}

void wire_put_setup(struct wr *w, const struct wire_setup *s)
{
    wr_u8(w, s->limited);
    wr_u64(w, s->max_weight);
    put_text(w, s->key_id);
    wr_bytes(w, s->blockhash, 32);
    wr_u32(w, s->accepted);
}

void wire_get_setup(struct rd *r, struct wire_setup *s)
{
    uint8_t limited = rd_u8(r);
    if (limited > 1) r->bad = true;
    s->limited = limited == 1;
    s->max_weight = rd_u64(r);
    get_text(r, s->key_id, sizeof s->key_id);
    rd_copy(r, s->blockhash, 32);
    s->accepted = rd_u32(r);
}

void wire_put_headers(struct wr *w, const struct wire_headers *h)
{
    wr_u8(w, h->given);
    if (!h->given) return;
    wr_u8(w, h->network);
    wr_u8(w, h->anchored);
    wr_u32(w, h->height);
    wr_bytes(w, h->hash, 32);
    wr_var(w, h->bytes, h->n);
}

void wire_get_headers(struct rd *r, struct wire_headers *h)
{
    const uint8_t given = rd_u8(r);
    *h = (struct wire_headers){ .given = given == 1 };
    if (given > 1) r->bad = true;
    if (!h->given) return;
    h->network = rd_u8(r);
    const uint8_t anchored = rd_u8(r);
    if (h->network >= HEADERS_NETWORKS || anchored > 1) r->bad = true;
    h->anchored = anchored == 1;
    h->height = rd_u32(r);
    rd_copy(r, h->hash, 32);
    h->bytes = rd_var(r, HEADERS_MAX * HEADER_SIZE, &h->n);
}

void wire_put_state(struct wr *w, const struct wire_state *s)
{
    wr_u8(w, s->phase);
    wr_u8(w, s->simulated);
    wr_u8(w, s->has_service);
    wr_bytes(w, s->public_key, 33);
    wr_bytes(w, s->service_id, 32);
    wr_bytes(w, s->channel_key, sizeof s->channel_key);
    wr_bytes(w, s->boot, sizeof s->boot);
    wr_u32(w, s->epoch);
    wr_u32(w, s->releases);
    put_text(w, s->profile);
    rules_list_write(w, &s->rules);
    wire_put_setup(w, &s->settings);
    block_check_write(w, &s->check);
}

void wire_get_state(struct rd *r, struct wire_state *s)
{
    s->phase = rd_u8(r);
    if (s->phase >= PHASES) r->bad = true;
    s->simulated = rd_u8(r);
    s->has_service = rd_u8(r);
    rd_copy(r, s->public_key, 33);
    rd_copy(r, s->service_id, 32);
    rd_copy(r, s->channel_key, sizeof s->channel_key);
    rd_copy(r, s->boot, sizeof s->boot);
    s->epoch = rd_u32(r);
    s->releases = rd_u32(r);
    get_text(r, s->profile, sizeof s->profile);
    rules_list_read(r, &s->rules);
    wire_get_setup(r, &s->settings);
    block_check_read(r, &s->check);
}

void wire_put_terms(struct wr *w, const struct wire_terms *t)
{
    wr_bytes(w, t->master, sizeof t->master);
    wr_u64(w, t->max_weight);
    wr_u8(w, t->kind);
    rules_list_write(w, &t->rules);
}

void wire_get_terms(struct rd *r, struct wire_terms *t)
{
    rd_copy(r, t->master, sizeof t->master);
    t->max_weight = rd_u64(r);
    t->kind = rd_u8(r);
    rules_list_read(r, &t->rules);
    if (t->kind > CHILD_OF_OUTPUT || !t->rules.count) r->bad = true;
}

void wire_put_entry(struct wr *w, const struct wire_entry *e)
{
    wr_u64(w, e->row);
    wr_u64(w, e->time);
    wr_bytes(w, e->txid, 32);
    wr_bytes(w, e->request_hash, 32);
    wr_u16(w, e->status);
    wr_u32(w, e->inputs);
    wr_u32(w, e->signed_inputs);
    put_text(w, e->text);
    put_text(w, e->which);
    put_text(w, e->rules);
}

void wire_get_entry(struct rd *r, struct wire_entry *e)
{
    e->row = rd_u64(r);
    e->time = rd_u64(r);
    rd_copy(r, e->txid, 32);
    rd_copy(r, e->request_hash, 32);
    e->status = rd_u16(r);
    e->inputs = rd_u32(r);
    e->signed_inputs = rd_u32(r);
    get_text(r, e->text, sizeof e->text);
    get_text(r, e->which, sizeof e->which);
    get_text(r, e->rules, sizeof e->rules);
}

void wire_put_spend(struct wr *w, const struct wire_spend *s)
{
    wr_bytes(w, s->message, 32);
    wr_bytes(w, s->key, 32);
    wr_u64(w, s->value);
}

void wire_get_spend(struct rd *r, struct wire_spend *s)
{
    rd_copy(r, s->message, 32);
    rd_copy(r, s->key, 32);
    s->value = rd_u64(r);
}

void wire_put_disk(struct wr *w, const struct wire_disk *d)
{
    wr_u8(w, d->mounted);
    wr_u8(w, d->dirty);
    wr_u8(w, d->last_failed);
    wr_bytes(w, d->backend, sizeof d->backend);
    const uint64_t all[] = { d->generation, d->sealed_at, d->image_size, d->sealed_bytes,
                             d->sealed_chunks, d->written_chunks, d->sealed_ms, d->freeze_us };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) wr_u64(w, all[i]);
}

void wire_get_disk(struct rd *r, struct wire_disk *d)
{
    d->mounted = rd_u8(r);
    d->dirty = rd_u8(r);
    d->last_failed = rd_u8(r);
    rd_copy(r, d->backend, sizeof d->backend);
    d->backend[sizeof d->backend - 1] = 0;
    uint64_t *all[] = { &d->generation, &d->sealed_at, &d->image_size, &d->sealed_bytes,
                        &d->sealed_chunks, &d->written_chunks, &d->sealed_ms, &d->freeze_us };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) *all[i] = rd_u64(r);
}

void wire_put_boot(struct wr *w, const struct wire_boot *b)
{
    wr_bytes(w, b->pcr, sizeof b->pcr);
    wr_u8(w, b->simulated);
    wr_bytes(w, b->random, sizeof b->random);
    wr_bytes(w, b->release, sizeof b->release);
    wr_u64(w, b->time);
}

void wire_get_boot(struct rd *r, struct wire_boot *b)
{
    rd_copy(r, b->pcr, sizeof b->pcr);
    b->simulated = rd_u8(r);
    rd_copy(r, b->random, sizeof b->random);
    rd_copy(r, b->release, sizeof b->release);
    b->time = rd_u64(r);
}

void wire_put_log(struct wr *w, const struct wire_log *l)
{
    wr_u8(w, l->freshness);
    wr_bytes(w, l->key, sizeof l->key);
    wr_bytes(w, l->root, sizeof l->root);
    wr_u32(w, l->number);
    wr_u64(w, l->size);
    wr_u64(w, l->cosigned);
    wr_u64(w, l->unanchored);
    wr_u64(w, l->told);
    wr_u64(w, l->generation);
    wr_u64(w, l->sealed);
    wr_bytes(w, l->head, sizeof l->head);
}

void wire_get_log(struct rd *r, struct wire_log *l)
{
    l->freshness = rd_u8(r);
    if (l->freshness >= FRESHNESSES) r->bad = true;
    rd_copy(r, l->key, sizeof l->key);
    rd_copy(r, l->root, sizeof l->root);
    l->number = rd_u32(r);
    l->size = rd_u64(r);
    l->cosigned = rd_u64(r);
    l->unanchored = rd_u64(r);
    l->told = rd_u64(r);
    l->generation = rd_u64(r);
    l->sealed = rd_u64(r);
    rd_copy(r, l->head, sizeof l->head);
}
