#include "policy/standing.h"

#include <string.h>

static void write_paper(struct wr *w, const struct standing_paper *p)
{
    wr_var(w, p->document.p, p->document.n);
    wr_u32(w, p->signatures);
    wr_var(w, p->list.p, p->list.n);
    wr_u64(w, p->accepted);
    wr_u8(w, p->granted);
}

static void read_paper(struct rd *r, struct standing_paper *p)
{
    p->document.p = rd_var(r, DOCUMENT_MAX, &p->document.n);
    p->signatures = rd_u32(r);
    p->list.p = rd_var(r, STANDING_LIST, &p->list.n);
    p->accepted = rd_u64(r);
    p->granted = rd_u8(r);
    if (p->signatures > STANDING_SIGNATURES || p->granted > 1) r->bad = true;
}

static size_t read_count(struct rd *r, size_t most)
{
    const uint32_t n = rd_u32(r);
    if (n <= most) return n;
    r->bad = true;
    return 0;
}

err standing_read(struct standing *out, const void *p, size_t n)
{
    memset(out, 0, sizeof *out);
    if (n == 0) return OK;
    struct rd r = rd_of(p, n);
    const uint8_t version = rd_u8(&r);
    if (version != STANDING_VERSION) FAIL(E_FORMAT, "the log's state of documents has format %u: this program knows format %d", version, STANDING_VERSION);
    read_paper(&r, &out->policy);
    read_paper(&r, &out->next);
    out->release_count = read_count(&r, STANDING_RELEASES);
    for (size_t i = 0; i < out->release_count; i++) read_paper(&r, &out->release[i]);
    out->vetoed_count = read_count(&r, STANDING_VETOED);
    for (size_t i = 0; i < out->vetoed_count; i++) rd_copy(&r, out->vetoed[i], sizeof out->vetoed[i]);
    out->spent_count = read_count(&r, STANDING_SPENT);
    for (size_t i = 0; i < out->spent_count; i++) rd_copy(&r, out->spent[i], sizeof out->spent[i]);
    out->sequence = rd_u64(&r);
    rd_copy(&r, out->release_hash, 32);
    return rd_end(&r, "the log's state of documents");
}

void standing_write(struct wr *w, const struct standing *s)
{
    wr_u8(w, STANDING_VERSION);
    write_paper(w, &s->policy);
    write_paper(w, &s->next);
    wr_u32(w, (uint32_t)s->release_count);
    for (size_t i = 0; i < s->release_count; i++) write_paper(w, &s->release[i]);
    wr_u32(w, (uint32_t)s->vetoed_count);
    for (size_t i = 0; i < s->vetoed_count; i++) wr_bytes(w, s->vetoed[i], sizeof s->vetoed[i]);
    wr_u32(w, (uint32_t)s->spent_count);
    for (size_t i = 0; i < s->spent_count; i++) wr_bytes(w, s->spent[i], sizeof s->spent[i]);
    wr_u64(w, s->sequence);
    wr_bytes(w, s->release_hash, 32);
}

static err parse(struct document *d, const struct standing_paper *p)
{
    enum reason why;
    return document_parse(d, &why, p->document.p, p->document.n);
}

err standing_situation(struct situation *out, struct document *policy, const struct standing *s, const struct standing_place *at)
{
    *out = (struct situation){ .now = at->now, .sequence = s->sequence, .generation = at->generation, .log_size = at->log_size,
                               .vetoed = s->vetoed, .vetoed_count = s->vetoed_count, .spent = s->spent, .spent_count = s->spent_count };
    memcpy(out->service, at->service, 32);
    memcpy(out->release, s->release_hash, 32);
    memcpy(out->head, at->head, 32);
    if (!s->policy.document.n) return OK;
    TRY(parse(policy, &s->policy));
    out->policy = policy;
    return OK;
}

err standing_judge(struct document *d, struct judgement *j, const struct standing_paper *p, const struct standing *s, const struct standing_place *at)
{
    struct document policy;
    struct situation where;
    struct bytes list[STANDING_SIGNATURES];
    struct rd r = rd_of(p->list.p, p->list.n);
    for (uint32_t i = 0; i < p->signatures; i++) list[i].p = rd_var(&r, STANDING_LIST, &list[i].n);
    TRY(rd_end(&r, "signatures of a document"));
    TRY(parse(d, p));
    TRY(standing_situation(&where, &policy, s, at));
    where.accepted = p->accepted;
    return judge(j, d, list, p->signatures, &where);
}

err standing_settle(struct standing *s, bool *changed, const struct standing_place *at)
{
    struct document d;
    struct judgement j;
    *changed = false;
    if (!s->next.document.n) return OK;
    TRY(standing_judge(&d, &j, &s->next, s, at));
    if (j.reason == REASON_PENDING) return OK;
    /* In force, or (expired while it waited) never to be. */
    *changed = true;
    if (!j.reason) {
        s->policy = s->next;
        s->release_count = 0;
    }
    s->next = (struct standing_paper){ 0 };
    return OK;
}

static void push_release(struct standing *s, const struct document *d, const struct standing_paper *p)
{
    struct document other;
    for (size_t i = 0; i < s->release_count; i++)
        if (!parse(&other, &s->release[i]).code && memcmp(other.hash, d->hash, 32) == 0) return;
    if (s->release_count == STANDING_RELEASES) {
        memmove(s->release, s->release + 1, (STANDING_RELEASES - 1) * sizeof *s->release);
        s->release_count--;
    }
    s->release[s->release_count++] = *p;
}

/* A set of `size` bytes each; the oldest goes when it is full. */
static void push(void *set, size_t *count, size_t most, size_t size, const void *one)
{
    uint8_t *at = set;
    if (*count == most) {
        memmove(at, at + size, (most - 1) * size);
        --*count;
    }
    memcpy(at + *count * size, one, size);
    ++*count;
}

void standing_take(struct standing *s, const struct document *d, const struct standing_paper *p)
{
    switch (d->kind) {
    case DOCUMENT_POLICY: s->next = *p; break;
    case DOCUMENT_RELEASE: push_release(s, d, p); break;
    case DOCUMENT_VETO: push(s->vetoed, &s->vetoed_count, STANDING_VETOED, 32, d->release); break;
    case DOCUMENT_PERMIT: push(s->spent, &s->spent_count, STANDING_SPENT, DOCUMENT_NONCE, d->nonce); break;
    case DOCUMENT_GENESIS: case DOCUMENT_KINDS: break;
    }
}
