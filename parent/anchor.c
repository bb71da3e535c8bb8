/* anchor.c - see anchor.h. */
#include "parent/anchor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/buf.h"
#include "core/log.h"
#include "core/mem.h"
#include "parent/anchor_wire.h"
#include "policy/checkpoint.h"
#include "policy/witness.h"

enum { AGAIN_FIRST_MS = 100, AGAIN_MOST_MS = 2000, PATH = 32, HASH_LINE = 45, OLD_LINE = 26 };
/* Following a 409 once is the protocol. Once more, because a request that timed out may have been honoured. */
enum { FOLLOWS = 2 };

enum stage { DONE, WAITING, ASKED };
struct one {
    enum stage  stage;
    struct wire wire;
    uint8_t    *body;
    uint64_t    known, old;                  /* what it cosigned last, as far as is known; what was said in the request */
    unsigned    tries, follows;
    int64_t     again;                       /* when WAITING: not before                            */
};
struct anchor {
    const struct witnesses *policy;
    struct wires *wires;
    char origin[CHECKPOINT_ORIGIN + 1];      /* of the log that the sizes are of                    */
    struct one one[WITNESSES_NAMES];
};
/* One run of anchor_ask(). */
struct run {
    struct anchor *a;
    const struct anchor_request *q;
    struct anchor_answer *out;
    struct note note;
    struct checkpoint at;
    int64_t began, until;
    bool settled;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

err anchor_open(struct anchor **out, const struct witnesses *policy)
{
    struct anchor *a = calloc(1, sizeof *a);
    if (!a) FAIL(E_MEMORY, "a client of witnesses");
    a->policy = policy;
    err e = wires_open(&a->wires);
    if (e.code) anchor_close(&a);
    else *out = a;
    return e;
}

static void drop_all(struct anchor *a)
{
    for (size_t i = 0; i < WITNESSES_NAMES; i++) {
        wires_drop(a->wires, &a->one[i].wire);
        mem_free_bytes(&a->one[i].body);
        a->one[i].stage = DONE;
    }
}

void anchor_close(struct anchor **a)
{
    if (!*a) return;
    if ((*a)->wires) drop_all(*a);
    wires_close(&(*a)->wires);
    free(*a);
    *a = NULL;
}

/* "old N", the proof, an empty line, the note. */
static err body_of(struct one *w, size_t *n, const struct run *r)
{
    struct tlog_path proof;
    char line[HASH_LINE + 1];
    mem_free_bytes(&w->body);
    TRY(tlog_prove_growth(&proof, r->q->log, w->old, r->at.size));
    const size_t room = OLD_LINE + proof.n * HASH_LINE + 1 + r->q->note_len;
    TRY(mem_new(&w->body, room));
    struct wr b = wr_of(w->body, room);
    snprintf(line, sizeof line, "old %" PRIu64 "\n", w->old);
    wr_text(&b, line);
    for (size_t i = 0; i < proof.n; i++) {
        base64_from(line, proof.hash[i], TLOG_HASH);
        wr_text(&b, line);
        wr_text(&b, "\n");
    }
    wr_text(&b, "\n");
    wr_bytes(&b, r->q->note, r->q->note_len);
    *n = b.len;
    return wr_end(&b, "add-checkpoint");
}

static err start(struct run *r, size_t i, int64_t now)
{
    struct one *w = &r->a->one[i];
    const char *name = r->a->policy->names[i].url;
    char url[WITNESSES_URL + PATH];
    size_t n = 0, end = strlen(name);
    if (end && name[end - 1] == '/') end--;
    snprintf(url, sizeof url, "%s%.*s/add-checkpoint", strstr(name, "://") ? "" : "https://", (int)end, name);
    /* Ahead of this checkpoint when it was last heard of: let it say so again. */
    w->old = w->known <= r->at.size ? w->known : 0;
    TRY(body_of(w, &n, r));
    const int64_t left = r->until - now;
    TRY(wires_post(r->a->wires, &w->wire, url, (const char *)w->body, n, (long)(left < ANCHOR_REQUEST_MS ? left : ANCHOR_REQUEST_MS)));
    w->stage = ASKED;
    w->tries++;
    r->out->words[i] = ANCHOR_LATE;          /* until it answers */
    return OK;
}

static err verdict_of(struct anchor_verdict *out, const struct run *r, size_t i)
{
    static const enum anchor_word words[] = { [WIRE_LOST] = ANCHOR_AWAY, [WIRE_LATE] = ANCHOR_LATE, [WIRE_STRANGER] = ANCHOR_STRANGER, [WIRE_LONG] = ANCHOR_ODD,
                                               [WIRE_NOWHERE] = ANCHOR_NOWHERE };
    const struct one *w = &r->a->one[i];
    const struct wire *h = &w->wire;
    *out = (struct anchor_verdict){ 0 };
    if (h->end == WIRE_ANSWERED)
        return anchor_read(out, &(struct anchor_heard){ h->status, h->type, h->answer, h->len },
                           &(struct anchor_asked){ r->note.text, r->note.text_len, r->at.size, w->old, &r->a->policy->names[i].key });
    out->word = words[h->end];
    return OK;
}

/* A witness has answered, or its request has failed. */
static err on_end(struct run *r, size_t i)
{
    struct anchor_verdict v;
    struct one *w = &r->a->one[i];
    TRY(verdict_of(&v, r, i));
    w->wire.end = WIRE_NONE;
    w->stage = DONE;
    r->out->words[i] = v.word;
    if (v.word == ANCHOR_COSIGNED) {
        r->out->got[r->out->count++] = v.cosignature;
        w->known = r->at.size;
    }
    if (v.word == ANCHOR_AHEAD && v.told > r->out->largest) r->out->largest = v.told;
    /* Another tree of this very size, or one that this longer one does not begin with (each start of an old store makes its log longer):
     * this log has a twin. */
    if ((v.word == ANCHOR_PARTED || v.word == ANCHOR_UNPROVED) && r->at.size > r->out->largest) r->out->largest = r->at.size;
    if (v.word == ANCHOR_BEHIND && w->follows < FOLLOWS) {
        w->known = v.told;
        w->follows++;
        w->again = 0;
        w->stage = WAITING;
    }
    if (anchor_passing(v.word)) {
        const unsigned doubled = (unsigned)AGAIN_FIRST_MS << (w->tries > 5 ? 5 : w->tries - 1);
        w->again = now_ms() + (doubled < AGAIN_MOST_MS ? doubled : AGAIN_MOST_MS);
        w->stage = WAITING;
    }
    return OK;
}

/* Is the quorum there, or out of reach? Then what fails is not tried again, and who is slow has until the end of the grace. */
static void settle(struct run *r, int64_t now)
{
    bool seen[WITNESSES_NAMES], could[WITNESSES_NAMES];
    if (r->settled) return;
    for (size_t i = 0; i < WITNESSES_NAMES; i++) {
        seen[i] = r->out->words[i] == ANCHOR_COSIGNED;
        could[i] = seen[i] || r->a->one[i].stage != DONE;
    }
    /* Where none is needed, the first one settles it. */
    const bool none = r->a->policy->quorum == WITNESSES_NONE;
    r->settled = (none ? r->out->count > 0 : witnesses_enough(r->a->policy, seen)) || !witnesses_enough(r->a->policy, could);
    if (!r->settled) return;
    const int64_t took = now - r->began, until = now + (took > ANCHOR_GRACE_MS ? took : ANCHOR_GRACE_MS);
    if (until < r->until) r->until = until;
}

/* Begin what is due. Out: whether anything is under way still; *next, when something is due again at the latest. */
static err step(bool *busy, int64_t *next, struct run *r, int64_t now)
{
    *busy = false;
    *next = r->until;
    for (size_t i = 0; i < WITNESSES_NAMES; i++) {
        struct one *w = &r->a->one[i];
        if (w->stage == WAITING && r->settled && w->tries && anchor_passing(r->out->words[i])) w->stage = DONE;
        if (w->stage == WAITING && w->again <= now) TRY(start(r, i, now));
        if (w->stage == WAITING && w->again < *next) *next = w->again;
        if (w->stage != DONE) *busy = true;
    }
    return OK;
}

static err ask_all(struct run *r)
{
    for (;;) {
        bool busy = false;
        int64_t next = 0;
        const int64_t now = now_ms();
        settle(r, now);
        if (now >= r->until) return OK;
        TRY(step(&busy, &next, r, now));
        if (!busy) return OK;
        TRY(wires_run(r->a->wires, next > now ? (int)(next - now) : 0));
        for (size_t i = 0; i < WITNESSES_NAMES; i++)
            if (r->a->one[i].wire.end != WIRE_NONE) TRY(on_end(r, i));
    }
}

static void begin(struct run *r)
{
    struct anchor *a = r->a;
    const bool same = strcmp(a->origin, r->at.origin) == 0;
    r->began = now_ms();
    r->until = r->began + r->q->deadline_ms;
    memcpy(a->origin, r->at.origin, sizeof a->origin);
    for (size_t i = 0; i < a->policy->name_count; i++) {
        const struct witnesses_name *w = &a->policy->names[i];
        const bool asked = !w->threshold && w->url[0];
        a->one[i] = (struct one){ .stage = asked ? WAITING : DONE, .known = same ? a->one[i].known : 0 };
        if (asked) r->out->words[i] = ANCHOR_LATE;
    }
}

static void tell(const struct run *r)
{
    for (size_t i = 0; i < r->a->policy->name_count; i++) {
        const enum anchor_word w = r->out->words[i];
        if (w == ANCHOR_UNASKED) continue;
        log_line(w == ANCHOR_COSIGNED ? LOG_INFO : LOG_WARN, "witness %s: %s at size %" PRIu64, r->a->policy->names[i].name, anchor_text(w), r->at.size);
    }
    if (r->out->largest) log_error("a witness has cosigned %" PRIu64 " entries of %s; this log has %" PRIu64, r->out->largest, r->at.origin, r->at.size);
}

err anchor_ask(struct anchor *a, struct anchor_answer *out, const struct anchor_request *q)
{
    struct run r = { .a = a, .q = q, .out = out };
    bool seen[WITNESSES_NAMES];
    memset(out, 0, sizeof *out);
    if (q->note_len > NOTE_MAX) FAIL(E_LIMIT, "a checkpoint of %zu bytes", q->note_len);
    TRY(note_parse(&r.note, q->note, q->note_len));
    TRY(checkpoint_parse(&r.at, r.note.text, r.note.text_len));
    begin(&r);
    err e = ask_all(&r);
    drop_all(a);
    TRY(e);
    for (size_t i = 0; i < WITNESSES_NAMES; i++) seen[i] = out->words[i] == ANCHOR_COSIGNED;
    out->enough = witnesses_enough(a->policy, seen);
    tell(&r);
    return OK;
}
