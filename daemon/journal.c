#include "daemon/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/crypto.h"
#include "core/hash.h"
#include "core/mem.h"
#include "policy/cosign.h"

enum { STATE_VERSION = 1, STATE_HEAD = 1 + 8 + 32 + 8, SEAL_ENTRY = 10 + 8 + 32 + 4 };

/* The log at one point: the newest segment and what follows from it. */
struct point {
    uint8_t    *bytes;                    /* the segment, whole; NULL: no entry yet           */
    size_t      len;
    char        name[TAIL_NAME];
    uint8_t     sha256[32];
    struct tail tail;                     /* borrows from bytes                               */
    struct tlog tree;
    uint64_t    generation, boot;
    uint8_t     manifest[32];
    struct rd   state;                    /* the keeper's, in bytes                           */
};

struct journal {
    secret  *key;
    struct note_key vouches;
    uint8_t  service[32];
    uint32_t epoch, number;
    struct store *store;
    struct point now, staged;
    uint8_t *waiting;                     /* entries, each a var                              */
    size_t   waiting_len;
    uint32_t waiting_count;
    bool     reopens;                     /* what waits begins a new log                      */
    bool     boot_waits;                  /* the newest boot entry is among them ...          */
    uint32_t boot_place;                  /* ... as this one                                  */
    uint8_t *state;                       /* that is to be kept; NULL: the same as now        */
    size_t   state_len;
};

static void point_drop(struct point *p)
{
    mem_free_bytes(&p->bytes);
    *p = (struct point){ .boot = ENTRY_NO_BOOT };
}

/* The log's verifier key: its name is the origin of the checkpoints. */
static err name_key(struct journal *j)
{
    char hex[65], origin[NOTE_NAME + 1];
    uint8_t public[32];
    hex_from(hex, j->service, 32);
    if (j->number) snprintf(origin, sizeof origin, "holdfast/%s/%" PRIu32, hex, j->number);
    else snprintf(origin, sizeof origin, "holdfast/%s", hex);
    TRY(ed25519_public(public, j->key));
    return note_key_make(&j->vouches, origin, NOTE_ED25519, public);
}

err journal_new(struct journal **out, const secret *log_key, const uint8_t service_id[static 32], uint32_t epoch, struct store *store)
{
    *out = NULL;
    JOURNAL j = calloc(1, sizeof *j);
    if (!j)
        FAIL(E_MEMORY, "no memory for the log");
    TRY(mem_new(&j->waiting, JOURNAL_WAITING));
    TRY(secret_copy(&j->key, log_key));
    memcpy(j->service, service_id, 32);
    j->epoch = epoch;
    j->store = store;
    j->now.boot = j->staged.boot = ENTRY_NO_BOOT;
    TRY(name_key(j));
    *out = j;
    j = NULL;
    return OK;
}

void journal_close(struct journal **j)
{
    if (!*j)
        return;
    point_drop(&(*j)->now);
    point_drop(&(*j)->staged);
    mem_free_bytes(&(*j)->waiting);
    mem_free_bytes(&(*j)->state);
    secret_drop(&(*j)->key);
    free(*j);
    *j = NULL;
}

void journal_use_store(struct journal *j, struct store *store)
{
    j->store = store;
}

/* ---- reading ---- */

/* What the enclave itself wrote, so that a fault here is this program's or another format's. */
static err read_state(struct point *p)
{
    struct rd r = rd_of(p->tail.state, p->tail.state_len);
    size_t n = 0;
    const uint8_t version = rd_u8(&r);
    if (version != STATE_VERSION)
        FAIL(E_FORMAT, "a log state of format %u: this program knows format %d", version, STATE_VERSION);
    p->generation = rd_u64(&r);
    rd_copy(&r, p->manifest, 32);
    p->boot = rd_u64(&r);
    const uint8_t *state = rd_var(&r, TAIL_STATE_MAX, &n);
    TRY(rd_end(&r, "the log's state"));
    p->state = rd_of(state, n);
    return OK;
}

/* Takes the bytes, whatever comes of it. */
static err point_of(struct point *p, uint8_t **bytes, size_t len)
{
    point_drop(p);
    p->bytes = take_bytes(bytes);
    p->len = len;
    sha256(p->sha256, p->bytes, len);
    TRY(tail_parse(&p->tail, p->bytes, len));
    return tail_tree(&p->tree, &p->tail);
}

static err is_ours(struct journal *j, const struct point *p)
{
    if (memcmp(p->tail.service, j->service, 32) != 0)
        FAIL(E_AUTH, "the log's segment is of another service");
    if (p->tail.epoch != j->epoch)
        FAIL(E_AUTH, "the log's segment is of epoch %u, the key of epoch %u", p->tail.epoch, j->epoch);
    return tail_check(&p->tail, j->vouches.key);
}

err journal_resume(struct journal *j, const struct head *head)
{
    BYTES room = NULL;
    size_t n = 0;
    struct point p = { .boot = ENTRY_NO_BOOT };
    if (!head->log[0])
        FAIL(E_ABSENT, "the head of generation %llu names no log: it was left out, or the store is of an earlier program", (unsigned long long)head->generation);
    TRY(mem_new(&room, TAIL_MAX));
    err e = store_get_all(j->store, room, &n, head->log, TAIL_MAX);
    if (e.code == E_ABSENT)
        FAIL(E_ABSENT, "the head needs the log's segment %s, and the store does not have it", head->log);
    TRY(e);
    uint8_t hash[32];
    sha256(hash, room, n);
    if (memcmp(hash, head->log_sha256, 32) != 0)
        FAIL(E_AUTH, "the log's segment %s is not the one the head names: damaged or exchanged", head->log);
    e = point_of(&p, &room, n);
    if (!e.code)
        e = is_ours(j, &p);
    if (!e.code)
        e = read_state(&p);                /* not before it is authentic */
    if (e.code) {
        point_drop(&p);
        return e;
    }
    memcpy(p.name, head->log, TAIL_NAME);
    j->now = p;
    j->number = p.tail.number;
    return name_key(j);
}

/* ---- writing ---- */

err journal_add(struct journal *j, const struct entry *e)
{
    if (JOURNAL_WAITING - j->waiting_len < 4)
        FAIL(E_LIMIT, "too much waits for the log");
    struct wr one = wr_of(j->waiting + j->waiting_len + 4, JOURNAL_WAITING - j->waiting_len - 4), length = wr_of(j->waiting + j->waiting_len, 4);
    entry_write(&one, e);
    TRY(wr_end(&one, "an entry beside those that wait for the log"));
    wr_u32(&length, (uint32_t)one.len);
    if (e->kind == ENTRY_BOOT) {
        j->boot_waits = true;
        j->boot_place = j->waiting_count;
    }
    j->waiting_len += 4 + one.len;
    j->waiting_count++;
    return OK;
}

err journal_set_state(struct journal *j, const uint8_t *p, size_t n)
{
    BYTES copy = NULL;
    if (n > TAIL_STATE_MAX - STATE_HEAD - 4)
        FAIL(E_LIMIT, "a state of %zu bytes for the log", n);
    TRY(mem_new(&copy, n ? n : 1));
    memcpy(copy, p, n);
    mem_free_bytes(&j->state);
    j->state = take_bytes(&copy);
    j->state_len = n;
    return OK;
}

void journal_forget(struct journal *j)
{
    j->waiting_len = j->waiting_count = 0;
    j->boot_waits = j->reopens = false;
    mem_free_bytes(&j->state);
}

void journal_reopen(struct journal *j)
{
    j->reopens = true;
}

/* The new segment goes on with the one that is there, or begins behind it when it is full. */
static void begin(struct tail *t, const struct journal *j)
{
    const struct point *now = &j->now;
    const bool more = now->bytes && !tail_full(&now->tail);
    if (j->reopens) *t = (struct tail){ .number = j->number + 1 };
    else if (more) *t = now->tail;
    else {
        *t = (struct tail){ .number = j->number, .from = now->tree.size, .before = now->tree };
        if (now->bytes) {
            memcpy(t->previous, now->name, TAIL_NAME);
            memcpy(t->previous_sha256, now->sha256, 32);
        }
    }
    memcpy(t->service, j->service, 32);
    t->epoch = j->epoch;
}

static void write_state(struct wr *w, const struct journal *j, const struct head *next)
{
    const bool same = !j->state;
    wr_u8(w, STATE_VERSION);
    wr_u64(w, next->generation);
    wr_bytes(w, next->manifest_sha256, 32);
    wr_u64(w, !j->boot_waits ? j->now.boot : j->reopens ? j->boot_place : j->now.tree.size + j->boot_place);
    wr_var(w, same ? j->now.state.p : j->state, same ? j->now.state.left : j->state_len);
}

/* A generation's own entry stands behind all that waits. */
static void write_seal_entry(struct wr *w, const struct journal *j, const struct head *next, uint64_t now)
{
    struct entry e = { .kind = ENTRY_SEAL, .time = now, .generation = next->generation, .epoch = j->epoch };
    memcpy(e.manifest, next->manifest_sha256, 32);
    wr_u32(w, SEAL_ENTRY);
    entry_write(w, &e);
}

/* Out: the new segment's bytes, signed. */
static err make_segment(uint8_t **out, size_t *len, const struct journal *j, const struct head *next, bool sealed, uint64_t now)
{
    BYTES entries = NULL;
    BYTES state = NULL;
    BYTES bytes = NULL;
    struct tail t;
    begin(&t, j);
    const size_t room = t.entries_len + j->waiting_len + 4 + SEAL_ENTRY, state_room = STATE_HEAD + 4 + TAIL_STATE_MAX;
    TRY(mem_new(&entries, room));
    TRY(mem_new(&state, state_room));
    TRY(mem_new(&bytes, TAIL_MAX));
    struct wr w = wr_of(entries, room), s = wr_of(state, state_room), b = wr_of(bytes, TAIL_MAX);
    wr_bytes(&w, t.entries, t.entries_len);
    wr_bytes(&w, j->waiting, j->waiting_len);
    if (sealed) write_seal_entry(&w, j, next, now);
    write_state(&s, j, next);
    TRY(wr_end(&w, "the log's entries"));
    TRY(wr_end(&s, "the log's state"));
    t.count += j->waiting_count + sealed;
    t.entries = entries, t.entries_len = w.len;
    t.state = state, t.state_len = s.len;
    TRY(tail_write(&b, &t));
    TRY(ed25519_sign(t.signature, j->key, t.message, sizeof t.message));
    wr_bytes(&b, t.signature, sizeof t.signature);
    TRY(wr_end(&b, "a log segment"));
    *len = b.len;
    *out = take_bytes(&bytes);
    return OK;
}

static err stage(void *self, struct head *next, uint64_t now)
{
    struct journal *j = self;
    BYTES bytes = NULL;
    size_t len = 0;
    uint8_t salt[8];
    const bool sealed = next->generation != j->now.generation || memcmp(next->manifest_sha256, j->now.manifest, 32) != 0;
    TRY(make_segment(&bytes, &len, j, next, sealed, now));
    TRY(point_of(&j->staged, &bytes, len));
    TRY(read_state(&j->staged));
    TRY(random_bytes(salt, sizeof salt));
    tail_name(j->staged.name, j->staged.tail.from, salt);
    memcpy(next->log, j->staged.name, TAIL_NAME);
    memcpy(next->log_sha256, j->staged.sha256, 32);
    return store_put_all(j->store, next->log, j->staged.bytes, len);
}

static void settled(void *self, const struct head *now)
{
    struct journal *j = self;
    if (!j->staged.bytes)
        return;
    if (strcmp(now->log, j->staged.name) == 0) {
        point_drop(&j->now);
        j->now = j->staged;
        j->staged = (struct point){ .boot = ENTRY_NO_BOOT };
        j->number = j->now.tail.number;
        MUST(!name_key(j).code);          /* it could be named before */
        journal_forget(j);
    }
    else point_drop(&j->staged);
}

static uint64_t position(void *self)
{
    const struct journal *j = self;
    return j->now.tree.size + j->waiting_count;
}

struct seal_journal journal_hooks(struct journal *j)
{
    return (struct seal_journal){ j, position, stage, settled };
}

/* ---- asking ---- */

uint64_t journal_last(const struct journal *j, uint8_t manifest[static 32])
{
    memcpy(manifest, j->now.manifest, 32);
    return j->now.generation;
}

bool journal_fits(const struct journal *j, const struct head *head)
{
    return j->now.generation == head->generation && memcmp(j->now.manifest, head->manifest_sha256, 32) == 0;
}

uint64_t journal_size(const struct journal *j)
{
    return j->now.tree.size;
}

void journal_root(uint8_t out[static 32], const struct journal *j)
{
    tlog_root(out, &j->now.tree);
}

uint32_t journal_number(const struct journal *j)
{
    return j->number;
}

uint64_t journal_boot(const struct journal *j)
{
    return j->now.boot;
}

const uint8_t *journal_state(const struct journal *j, size_t *n)
{
    *n = j->now.state.left;
    return j->now.state.p;
}

const char *journal_name(const struct journal *j)
{
    return j->now.name;
}

const struct note_key *journal_key(const struct journal *j)
{
    return &j->vouches;
}

static err sign_note(void *self, uint8_t out[static 64], const void *message, size_t n)
{
    const struct journal *j = self;
    return ed25519_sign(out, j->key, message, n);
}

err journal_checkpoint(struct wr *w, const struct journal *j)
{
    struct checkpoint c = { .size = j->now.tree.size };
    if (!c.size)
        FAIL(E_STATE, "the log has no entry yet");
    /* The signing callback takes no const: it changes nothing. */
    union { const struct journal *in; void *out; } holder = { j };
    const struct cosign_key key = { holder.out, sign_note };
    snprintf(c.origin, sizeof c.origin, "%s", j->vouches.name);
    journal_root(c.root, j);
    const size_t from = w->len;
    checkpoint_write(w, &c);
    TRY(wr_end(w, "a checkpoint"));
    const size_t text = w->len - from;
    wr_text(w, "\n");
    TRY(cosign_write(w, &j->vouches, &key, 0, (const char *)w->p + from, text));
    return wr_end(w, "a checkpoint");
}
