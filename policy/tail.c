#include "policy/tail.h"

#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "policy/signature.h"

static const uint8_t MAGIC[8] = { 'h', 'f', '-', 't', 'a', 'i', 'l', '\n' };
static const char LABEL[] = "holdfast/1 log segment";
_Static_assert(sizeof LABEL - 1 == TAIL_MESSAGE - 32, "the label's length is part of the message's");

void tail_name(char out[static TAIL_NAME], uint64_t from, const uint8_t salt[static 8])
{
    char hex[17];
    hex_from(hex, salt, 8);
    snprintf(out, TAIL_NAME, "log-%016llx-%s", (unsigned long long)from, hex);
}

bool tail_name_ok(const char *name)
{
    if (strlen(name) != 37 || memcmp(name, "log-", 4) != 0 || name[20] != '-') return false;
    return strspn(name + 4, "0123456789abcdef") == 16 && strspn(name + 21, "0123456789abcdef") == 16;
}

static void make_message(struct tail *t, const void *p, size_t n)
{
    memcpy(t->message, LABEL, sizeof LABEL - 1);
    sha256(t->message + sizeof LABEL - 1, p, n);
}

/* The tree before the segment: a root for each bit of its size, the largest first. */
static void read_before(struct rd *r, struct tail *t)
{
    t->before.size = t->from;
    for (unsigned level = TLOG_LEVELS; level-- > 0;)
        if (t->from >> level & 1) rd_copy(r, t->before.node[level], TLOG_HASH);
}

static void write_before(struct wr *w, const struct tail *t)
{
    for (unsigned level = TLOG_LEVELS; level-- > 0;)
        if (t->from >> level & 1) wr_bytes(w, t->before.node[level], TLOG_HASH);
}

/* Where the entries are; each must be there and have a legal length. */
static void read_entries(struct rd *r, struct tail *t)
{
    size_t n = 0;
    t->entries = r->p;
    const size_t before = r->left;
    for (uint32_t i = 0; i < t->count && rd_ok(r); i++) {
        (void)rd_var(r, TAIL_ENTRY_MAX, &n);
        if (n == 0) r->bad = true;
    }
    t->entries_len = before - r->left;
}

static bool zeros(const uint8_t p[static 32])
{
    static const uint8_t none[32];
    return memcmp(p, none, sizeof none) == 0;
}

static err check_shape(const struct tail *t)
{
    if (!t->epoch || t->count == 0 || t->count > TAIL_ENTRIES) FAIL(E_FORMAT, "a log segment without an epoch or of %u entries", t->count);
    if (t->from > TLOG_SIZE_MAX - t->count) FAIL(E_LIMIT, "a log segment beyond what a log can hold");
    if (t->from == 0 ? t->previous[0] != 0 || !zeros(t->previous_sha256) : !tail_name_ok(t->previous))
        FAIL(E_FORMAT, "a log segment that does not say rightly what comes before it");
    return OK;
}

/* All before the entries. */
static err read_head(struct rd *r, struct tail *out)
{
    uint8_t magic[sizeof MAGIC];
    size_t name_len = 0;
    memset(out, 0, sizeof *out);
    rd_copy(r, magic, sizeof magic);
    if (!rd_ok(r) || memcmp(magic, MAGIC, sizeof magic) != 0) FAIL(E_FORMAT, "not a log segment");
    const uint32_t version = rd_u32(r);
    if (version != TAIL_VERSION) FAIL(E_FORMAT, "a log segment of format %u: this program knows format %d", version, TAIL_VERSION);
    rd_copy(r, out->service, sizeof out->service);
    out->epoch = rd_u32(r);
    out->number = rd_u32(r);
    out->from = rd_u64(r);
    const uint8_t *name = rd_var(r, TAIL_NAME - 1, &name_len);
    if (name && name_len && !memchr(name, 0, name_len)) memcpy(out->previous, name, name_len);
    rd_copy(r, out->previous_sha256, sizeof out->previous_sha256);
    read_before(r, out);
    out->count = rd_u32(r);
    if (!rd_ok(r)) FAIL(E_FORMAT, "a log segment that ends early");
    return check_shape(out);
}

err tail_peek(struct tail *out, const void *p, size_t n)
{
    struct rd r = rd_of(p, n);
    return read_head(&r, out);
}

err tail_parse(struct tail *out, const void *p, size_t n)
{
    if (n > TAIL_MAX) FAIL(E_LIMIT, "a log segment of %zu bytes", n);
    struct rd r = rd_of(p, n);
    TRY(read_head(&r, out));
    read_entries(&r, out);
    out->state = rd_var(&r, TAIL_STATE_MAX, &out->state_len);
    make_message(out, p, n - r.left);
    rd_copy(&r, out->signature, sizeof out->signature);
    return rd_end(&r, "a log segment");
}

err tail_write(struct wr *w, struct tail *t)
{
    MUST(w->len == 0);
    TRY(check_shape(t));
    wr_bytes(w, MAGIC, sizeof MAGIC);
    wr_u32(w, TAIL_VERSION);
    wr_bytes(w, t->service, sizeof t->service);
    wr_u32(w, t->epoch);
    wr_u32(w, t->number);
    wr_u64(w, t->from);
    wr_var(w, t->previous, strlen(t->previous));
    wr_bytes(w, t->previous_sha256, sizeof t->previous_sha256);
    write_before(w, t);
    wr_u32(w, t->count);
    wr_bytes(w, t->entries, t->entries_len);
    wr_var(w, t->state, t->state_len);
    TRY(wr_end(w, "a log segment"));
    if (w->len + sizeof t->signature > TAIL_MAX) FAIL(E_LIMIT, "a log segment of %zu bytes", w->len);
    make_message(t, w->p, w->len);
    return OK;
}

err tail_check(const struct tail *t, const uint8_t key[static 32])
{
    bool good = false;
    TRY(ed25519_check(&good, key, t->signature, t->message, sizeof t->message));
    if (!good) FAIL(E_AUTH, "the log's segment from entry %llu is not signed by this service", (unsigned long long)t->from);
    return OK;
}

struct rd tail_entries(const struct tail *t)
{
    return rd_of(t->entries, t->entries_len);
}

const uint8_t *tail_next(struct rd *r, size_t *n)
{
    *n = 0;
    return r->left ? rd_var(r, TAIL_ENTRY_MAX, n) : NULL;
}

err tail_tree(struct tlog *out, const struct tail *t)
{
    struct rd r = tail_entries(t);
    size_t n = 0;
    *out = t->before;
    for (const uint8_t *p; (p = tail_next(&r, &n));) {
        uint8_t leaf[TLOG_HASH];
        tlog_leaf(leaf, p, n);
        TRY(tlog_append(out, leaf));
    }
    return OK;
}

bool tail_full(const struct tail *t)
{
    return t->count >= TAIL_ENTRIES || t->entries_len >= TAIL_FULL;
}
