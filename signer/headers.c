/* headers.c - one pass over a run of headers, with the little that the rules look back at. */
#include "signer/headers.h"

#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/hash.h"
#include "signer/target.h"

enum { PERIOD = 2016, MEDIAN = 11, LATE = 20 * 60, WARP = 600 };
#define CLAIM_MAX 0x7fffffffu

struct rules {
    const char *name;
    uint32_t    limit;               /* nBits of the easiest target                          */
    bool        late_is_easy;        /* a block 20 minutes after the last one has the limit  */
    bool        bip94;               /* no warp of time at a retarget                        */
    bool        retargets;
    const char *genesis;             /* as displayed                                         */
};
static const struct rules rules[HEADERS_NETWORKS] = {
    [HEADERS_MAINNET] = { "mainnet", 0x1d00ffff, false, false, true,
                          "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f" },
    [HEADERS_TESTNET4] = { "testnet4", 0x1d00ffff, true, true, true,
                           "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043" },
    [HEADERS_SIGNET] = { "signet", 0x1e0377ae, false, false, true,
                         "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6" },
    [HEADERS_REGTEST] = { "regtest", 0x207fffff, false, false, false,
                          "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206" },
};

/* Mainnet, at retarget heights: the hash of the block before, and the period's nBits. No two stand
 * further apart than a longest run, so that every block from the first to a year after the
 * last can be anchored. Their own work vouches for the hashes: none of them can be made up. */
static const struct checkpoint { uint32_t height, bits; const char *before; } checkpoints[] = {
    { 778176, 0x170689a3, "00000000000000000005c39a2670a916dc4075afaaf8fe30e495c13ba323e141" },
    { 822528, 0x1703e8b3, "0000000000000000000078f4e50a09391670d061deea0b3b87c3fa60cfaaf782" },
    { 874944, 0x170297fa, "0000000000000000000087427d61da6ce8b57e2726a9c62be8637cc906bad7e5" },
    { 927360, 0x1701e63a, "0000000000000000000144a6109dda22b210490144247f34903e23ea98281065" },
    { 931392, 0x1701ebf2, "0000000000000000000159186ff01cb830839027afce1c072816ad1caf6735c2" },
};
enum { CHECKPOINTS = sizeof checkpoints / sizeof *checkpoints };

struct header { uint8_t before[32], hash[32]; uint32_t time, bits; };

struct walk {
    const struct rules *rules;
    struct target  limit;
    enum headers_anchor anchor;
    uint32_t       height;           /* of the header at hand                                */
    uint32_t       count;            /* headers before it in the run                         */
    struct header  last;
    uint32_t       period_bits, period_start;
    bool           has_start;        /* the run holds the first header of this period        */
    uint32_t       times[MEDIAN];    /* of the headers before, as a ring                      */
    struct target  work, work_each;  /* work_each: of a block with work_bits                  */
    uint32_t       work_bits;
};

/* ---- words ---- */

const char *headers_network_text(enum headers_network n)
{
    return (unsigned)n < HEADERS_NETWORKS ? rules[n].name : "?";
}

err headers_network_parse(enum headers_network *out, const char *name)
{
    for (unsigned i = 0; i < HEADERS_NETWORKS; i++) {
        if (strcmp(name, rules[i].name) != 0) continue;
        *out = (enum headers_network)i;
        return OK;
    }
    FAIL(E_FORMAT, "no network has this name");
}

const char *headers_anchor_text(enum headers_anchor a)
{
    static const char *const text[] = { "genesis", "checkpoint", "caller" };
    return (unsigned)a < sizeof text / sizeof *text ? text[a] : "?";
}

void headers_refusal_text(char out[static HEADERS_TEXT], const struct headers_refusal *why)
{
    static const char *const text[] = {
        [HEADERS_FINE] = "there is nothing wrong",
        [HEADERS_LENGTH] = "the headers are not 80 bytes each, or there are none",
        [HEADERS_TOO_MANY] = "there are more headers than are taken",
        [HEADERS_START] = "the run begins neither at the genesis block nor after a checkpoint, and no anchor was given",
        [HEADERS_NOT_THE_ANCHOR] = "this is not the anchor's block, or not its height",
        [HEADERS_CONTRADICTION] = "a checkpoint has another block at this height",
        [HEADERS_LINK] = "it does not name the hash of the header before it",
        [HEADERS_BITS] = "its nBits is malformed or easier than the network allows",
        [HEADERS_DIFFICULTY] = "its nBits is not what the difficulty rule asks for",
        [HEADERS_PERIOD] = "the difficulty changes here: begin the run at a height that 2016 divides",
        [HEADERS_WORK] = "its hash is above its target: no work was done for it",
        [HEADERS_TIME] = "its time is not above the median of those before it",
        [HEADERS_REVERSED] = "the block hash is in the chain with its bytes reversed: give it as block explorers show it",
        [HEADERS_NOT_IN_RUN] = "the chain is good, but the block hash is not in it",
    };
    const char *words = (unsigned)why->fault < sizeof text / sizeof *text ? text[why->fault] : "?";
    const bool one = why->fault >= HEADERS_CONTRADICTION && why->fault < HEADERS_REVERSED;
    if (one) snprintf(out, HEADERS_TEXT, "header %u, height %u: %s", why->index, why->height, words);
    else snprintf(out, HEADERS_TEXT, "%s", words);
}

/* ---- where the run begins ---- */

/* The constant as the hash function gives it. */
static void constant(uint8_t hash[static 32], const char *shown)
{
    uint8_t bytes[32];
    MUST(hex_to(bytes, 32, shown, 64).code == E_OK);
    for (int i = 0; i < 32; i++) hash[i] = bytes[31 - i];
}

static bool is_shown(const uint8_t hash[static 32], const uint8_t shown[static 32])
{
    for (int i = 0; i < 32; i++)
        if (hash[i] != shown[31 - i]) return false;
    return true;
}

static bool follows(const struct header *h, const struct checkpoint *c)
{
    uint8_t before[32];
    constant(before, c->before);
    return memcmp(h->before, before, 32) == 0;
}

static bool on_mainnet(const struct walk *w) { return w->rules == &rules[HEADERS_MAINNET]; }

/* Out: *height and *anchor by what this program knows. False when it does not know the block. */
static bool known_start(const struct walk *w, uint32_t *height, enum headers_anchor *anchor, const struct header *h)
{
    uint8_t genesis[32];
    constant(genesis, w->rules->genesis);
    *height = 0;
    *anchor = HEADERS_GENESIS;
    if (memcmp(h->hash, genesis, 32) == 0) return true;
    *anchor = HEADERS_CHECKPOINT;
    for (size_t i = 0; on_mainnet(w) && i < CHECKPOINTS; i++) {
        if (!follows(h, &checkpoints[i])) continue;
        *height = checkpoints[i].height;
        return true;
    }
    return false;
}

static enum headers_fault begin(struct walk *w, const struct headers_claim *claim, const struct header *h)
{
    uint32_t height;
    const bool known = known_start(w, &height, &w->anchor, h);
    if (!known && !claim->anchored) return HEADERS_START;
    if (claim->anchored && (!is_shown(h->hash, claim->hash) || claim->height > CLAIM_MAX)) return HEADERS_NOT_THE_ANCHOR;
    if (known) {
        w->height = height;
        return claim->anchored && claim->height != height ? HEADERS_NOT_THE_ANCHOR : HEADERS_FINE;
    }
    w->anchor = HEADERS_CALLER;
    w->height = claim->height;
    if (w->height == 0) return HEADERS_NOT_THE_ANCHOR;        /* the genesis block is known */
    /* Under the 20-minute exception, a header within a period does not tell the period's nBits. */
    return w->rules->late_is_easy && w->rules->retargets && w->height % PERIOD ? HEADERS_PERIOD : HEADERS_FINE;
}

/* A run that passes a checkpoint's height has to have its block there, and then hangs on it. */
static enum headers_fault pass_checkpoint(struct walk *w, const struct header *h)
{
    for (size_t i = 0; on_mainnet(w) && i < CHECKPOINTS; i++) {
        if (checkpoints[i].height != w->height) continue;
        if (!follows(h, &checkpoints[i]) || h->bits != checkpoints[i].bits) return HEADERS_CONTRADICTION;
        if (w->anchor == HEADERS_CALLER) w->anchor = HEADERS_CHECKPOINT;
    }
    return HEADERS_FINE;
}

/* ---- the rules ---- */

uint32_t headers_next_bits(enum headers_network network, uint32_t bits, uint32_t first_time, uint32_t last_time)
{
    struct target limit, t;
    MUST(target_from_bits(&limit, rules[network].limit) && target_from_bits(&t, bits));
    target_retarget(&t, (int64_t)last_time - first_time, &limit);
    return target_to_bits(&t);
}

/* What nBits must be at this height. Moves the period on when one begins here. */
static enum headers_fault difficulty(struct walk *w, const struct header *h)
{
    const bool boundary = w->height % PERIOD == 0, first = w->count == 0;
    uint32_t want = w->period_bits;
    if (first) {
        /* Its block is known by its hash, or its nBits by a checkpoint, or it is the caller's word. */
        want = w->rules->retargets ? h->bits : w->rules->limit;
    } else if (!w->rules->retargets) {
        want = w->rules->limit;
    } else if (boundary) {
        if (!w->has_start) return HEADERS_PERIOD;
        /* BIP94 retargets from the period's first block, which the exception never touches; elsewhere
         * all blocks of the period have the same nBits. */
        want = headers_next_bits((enum headers_network)(w->rules - rules), w->period_bits, w->period_start, w->last.time);
    } else if (w->rules->late_is_easy && h->time > (uint64_t)w->last.time + LATE) {
        want = w->rules->limit;
    }
    if (h->bits != want) return HEADERS_DIFFICULTY;
    if (boundary || first) {
        w->period_bits = h->bits;
        w->period_start = h->time;
        w->has_start = boundary;
    }
    return HEADERS_FINE;
}

/* The median of up to 11 times before: fewer only where the chain has no more. */
static enum headers_fault time_rule(const struct walk *w, const struct header *h)
{
    const uint32_t n = w->count < MEDIAN ? w->count : MEDIAN;
    uint32_t above = 0;
    if (w->rules->bip94 && w->count && w->height % PERIOD == 0 && (uint64_t)h->time + WARP < w->last.time) return HEADERS_TIME;
    if (n == 0 || (n < MEDIAN && w->height != w->count)) return HEADERS_FINE;
    /* The time is above the median when more than half of them, so sorted element n/2, lie below it. */
    for (uint32_t i = 0; i < n; i++) above += h->time > w->times[i];
    return above > n / 2 ? HEADERS_FINE : HEADERS_TIME;
}

static enum headers_fault proof(struct walk *w, const struct header *h)
{
    struct target t;
    if (!target_from_bits(&t, h->bits) || target_compare(&t, &w->limit) > 0) return HEADERS_BITS;
    if (!target_met(&t, h->hash)) return HEADERS_WORK;
    if (h->bits != w->work_bits) {             /* the same for whole periods */
        target_work(&w->work_each, &t);
        w->work_bits = h->bits;
    }
    return HEADERS_FINE;
}

/* Cheap tests first; the order decides only which of several faults is told. */
static enum headers_fault step(struct walk *w, const struct header *h)
{
    enum headers_fault f = HEADERS_FINE;
    if (w->count && memcmp(h->before, w->last.hash, 32) != 0) return HEADERS_LINK;
    if ((f = pass_checkpoint(w, h)) != HEADERS_FINE) return f;
    if ((f = proof(w, h)) != HEADERS_FINE) return f;
    if ((f = difficulty(w, h)) != HEADERS_FINE) return f;
    if ((f = time_rule(w, h)) != HEADERS_FINE) return f;
    target_add(&w->work, &w->work_each);
    w->times[w->count % MEDIAN] = h->time;
    w->last = *h;
    return HEADERS_FINE;
}

static void read_header(struct header *h, const uint8_t *p)
{
    struct rd r = rd_of(p, HEADER_SIZE);
    (void)rd_u32(&r);                          /* version */
    rd_copy(&r, h->before, 32);
    (void)rd_bytes(&r, 32);                    /* merkle root */
    h->time = rd_u32(&r);
    h->bits = rd_u32(&r);
    sha256d(h->hash, p, HEADER_SIZE);
}

static err refuse(struct headers_refusal *why, enum err_code code, enum headers_fault fault, const struct walk *w)
{
    char text[HEADERS_TEXT];
    *why = (struct headers_refusal){ .fault = fault, .index = w->count, .height = w->height };
    headers_refusal_text(text, why);
    FAIL(code, "%s", text);
}

err headers_check(struct headers_found *found, struct headers_refusal *why, const struct headers_claim *claim,
                  const uint8_t blockhash[static 32], const uint8_t *bytes, size_t n)
{
    MUST((unsigned)claim->network < HEADERS_NETWORKS);
    struct walk w = { .rules = &rules[claim->network] };
    struct headers_found at = { .network = claim->network };
    uint32_t where = 0;
    bool there = false, reversed = false;
    MUST(target_from_bits(&w.limit, w.rules->limit));
    if (n == 0 || n % HEADER_SIZE) return refuse(why, E_FORMAT, HEADERS_LENGTH, &w);
    const size_t count = n / HEADER_SIZE;
    if (count > HEADERS_MAX) return refuse(why, E_LIMIT, HEADERS_TOO_MANY, &w);
    for (size_t i = 0; i < count; i++, w.count++, w.height++) {
        struct header h;
        read_header(&h, bytes + i * HEADER_SIZE);
        enum headers_fault f = i ? HEADERS_FINE : begin(&w, claim, &h);
        if (f == HEADERS_FINE) f = step(&w, &h);
        if (f != HEADERS_FINE) return refuse(why, E_DENIED, f, &w);
        reversed |= memcmp(h.hash, blockhash, 32) == 0;
        if (!is_shown(h.hash, blockhash)) continue;
        there = true;
        where = w.count;
        at.height = w.height;
        at.time = h.time;
    }
    if (!there) return refuse(why, E_ABSENT, reversed ? HEADERS_REVERSED : HEADERS_NOT_IN_RUN, &w);
    at.anchor = w.anchor;
    at.depth = (uint32_t)count - 1 - where;
    target_bytes(at.work, &w.work);
    *found = at;
    return OK;
}
