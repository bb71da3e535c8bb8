/* Runs of headers, as the keeper checks them. Hashes need no work here (as in tests/models/headers.py with
 * soft=True), so that whole periods can be had. The first byte chooses: the rest is a run as it comes, or a
 * list of 8-byte orders that builds one, thousands of headers long.
 *
 * What must hold: the answer's height, time and depth are those of the header that has the hash; the
 * headers before a bad one are good, and one before the end of a good run too. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/hash.h"
#include "core/log.h"
#include "signer/headers.h"
#include "signer/target.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
void __wrap_sha256d(uint8_t out[static 32], const void *p, size_t n);
void __real_sha256d(uint8_t out[static 32], const void *p, size_t n);

enum { MOST = 6000 };

void __wrap_sha256d(uint8_t out[static 32], const void *p, size_t n)
{
    static const uint8_t chosen[4] = { 0xff, 0xff, 0xff, 0x7f };
    __real_sha256d(out, p, n);
    memset(out + 20, 0, 12);
    if (memcmp(p, chosen, 4) == 0) memcpy(out, (const uint8_t *)p + 36, 32);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    log_open("fuzz", LOG_ERROR);
    return 0;
}

static void displayed(uint8_t out[static 32], const uint8_t *header)
{
    uint8_t hash[32];
    __wrap_sha256d(hash, header, HEADER_SIZE);
    for (int i = 0; i < 32; i++) out[i] = hash[31 - i];
}

static void put(uint8_t *header, uint32_t version, const uint8_t before[static 32], uint32_t time, uint32_t bits, uint32_t nonce)
{
    struct wr w = wr_of(header, HEADER_SIZE);
    wr_u32(&w, version);
    wr_bytes(&w, before, 32);
    memset(wr_room(&w, 32), 0, 32);
    wr_u32(&w, time);
    wr_u32(&w, bits);
    wr_u32(&w, nonce);
}

/* Each order: u16 how many, u16 seconds between them, u32: nBits (0: as before, 1: as the rule for a
 * period from 2016 back has it). */
static size_t build(uint8_t *run, enum headers_network network, uint32_t bits, uint32_t height, struct rd r)
{
    uint32_t time[MOST], count = 0, now = 1500000000;
    struct target t;
    uint8_t before[32] = { 0x11 };
    while (r.left >= 8 && count < MOST) {
        const uint32_t many = rd_u16(&r), step = rd_u16(&r), order = rd_u32(&r);
        for (uint32_t i = 0; i < many && count < MOST; i++, count++) {
            if (order == 1 && count >= 2016 && (height + count) % 2016 == 0 && target_from_bits(&t, bits))
                bits = headers_next_bits(network, bits, time[count - 2016], time[count - 1]);
            else if (order > 1) bits = order;
            now += step;
            time[count] = now;
            put(run + (size_t)count * HEADER_SIZE, 2, before, now, bits, count);
            __wrap_sha256d(before, run + (size_t)count * HEADER_SIZE, HEADER_SIZE);
        }
        if (many && order > 1) break;          /* a wilful nBits is judged; the rule cannot go on from every one */
    }
    return (size_t)count * HEADER_SIZE;
}

static void check_good(const struct headers_claim *claim, const struct headers_found *f, const uint8_t *hash, const uint8_t *run, size_t n)
{
    const size_t count = n / HEADER_SIZE, at = count - 1 - f->depth;
    uint8_t own[32];
    struct headers_found shorter;
    struct headers_refusal why;
    MUST(f->depth < count && f->network == claim->network && (unsigned)f->anchor <= HEADERS_CALLER);
    displayed(own, run + at * HEADER_SIZE);
    MUST(memcmp(own, hash, 32) == 0);
    struct rd r = rd_of(run + at * HEADER_SIZE + 68, 4);
    MUST(rd_u32(&r) == f->time);
    if (f->anchor == HEADERS_CALLER) MUST(f->height == claim->height + at);
    if (f->anchor == HEADERS_GENESIS) MUST(f->height == at);
    MUST(!headers_check(&shorter, &why, claim, hash, run, (at + 1) * HEADER_SIZE).code);
    MUST(shorter.height == f->height && shorter.time == f->time && shorter.depth == 0);
    MUST(count == at + 1 || memcmp(shorter.work, f->work, 32) < 0);
    if (count > 2016) fuzz_reached("headers.retargeted");
    if (f->anchor == HEADERS_CHECKPOINT) fuzz_reached("headers.checkpoint");
}

static void check_bad(const struct headers_claim *claim, const struct headers_refusal *why, const uint8_t *hash, const uint8_t *run, size_t n)
{
    char text[HEADERS_TEXT];
    struct headers_found f;
    struct headers_refusal again;
    headers_refusal_text(text, why);
    MUST(strlen(text) > 10);
    if (why->fault <= HEADERS_TOO_MANY || why->fault == HEADERS_NOT_IN_RUN || why->index == 0) return;
    MUST((size_t)why->index * HEADER_SIZE < n);
    err e = headers_check(&f, &again, claim, hash, run, (size_t)why->index * HEADER_SIZE);
    MUST(!e.code || again.fault == HEADERS_NOT_IN_RUN);
}

static void judge(const struct headers_claim *claim, const uint8_t *hash, const uint8_t *run, size_t n)
{
    struct headers_found f;
    struct headers_refusal why = { 0 };
    err e = headers_check(&f, &why, claim, hash, run, n);
    if (e.code) check_bad(claim, &why, hash, run, n);
    else check_good(claim, &f, hash, run, n);
}

/* u8 how (low two bits: network; 4: built, 8: anchored), u16 which header's hash is asked for, u32 height, u32 nBits */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static uint8_t run[MOST * HEADER_SIZE];
    struct rd r = rd_of(data, n);
    const uint8_t how = rd_u8(&r);
    const uint32_t which = rd_u16(&r), height = rd_u32(&r), bits = rd_u32(&r);
    if (!rd_ok(&r)) return 0;
    struct headers_claim claim = { .network = (enum headers_network)(how & 3), .anchored = how & 8, .height = height };
    size_t len = r.left < sizeof run ? r.left : sizeof run;
    if (how & 4) len = build(run, claim.network, bits, height, r);
    else if (len) memcpy(run, rd_bytes(&r, len), len);
    uint8_t hash[32] = { 0 };
    const size_t count = len / HEADER_SIZE;
    if (count) displayed(hash, run + which % count * HEADER_SIZE);
    if (count) displayed(claim.hash, run);
    judge(&claim, hash, run, len);
    if (!(how & 4) && count) fuzz_reached("headers.raw");
    fuzz_reached("headers");
    return 0;
}
