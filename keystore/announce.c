#include "keystore/announce.h"

#include <string.h>

#include "core/buf.h"

static const uint8_t magic[4] = { 'H', 'F', 'A', '1' };
enum { SERVICE_PCR = 16, IMAGE_SIGNER_PCR = 8 };

static const struct { const char *name, *text; } table[ANNOUNCE_REASONS] = {
    [ANNOUNCE_GOOD]            = { "accepted", "It is the build of the release." },
    [ANNOUNCE_FORM]            = { "form", "The document announces no build." },
    [ANNOUNCE_UNKNOWN_VERSION] = { "unknown-version", "The announcement's format version is unknown to this build." },
    [ANNOUNCE_DEBUG]           = { "debug", "The new build runs in debug mode: its host can read its memory. Start it without." },
    [ANNOUNCE_OTHER_PCR0]      = { "other-pcr0", "Its PCR0 is not the release's: it is another image." },
    [ANNOUNCE_OTHER_PCR1]      = { "other-pcr1", "Its PCR1 is not the release's: it has another kernel or boot ramdisk." },
    [ANNOUNCE_OTHER_PCR2]      = { "other-pcr2", "Its PCR2 is not the release's: it has another application." },
    [ANNOUNCE_OTHER_PCR8]      = { "other-pcr8", "Its PCR8 is not the release's: its image is signed by another certificate, or not signed." },
    [ANNOUNCE_OTHER_SERVICE]   = { "other-service", "It is built for another service." },
    [ANNOUNCE_BOUND]           = { "bound", "That boot is tied to another service (PCR16). Start the new build again." },
    [ANNOUNCE_OTHER_MASTER]    = { "other-public-key", "It is built to accept another master public key than this service's." },
    [ANNOUNCE_FINDINGS]        = { "key-findings", "Others may use its KMS key, in a way that this service never accepted. See `holdfast key check`." },
    [ANNOUNCE_EARLY]           = { "early", "It was attested before the release is valid." },
    [ANNOUNCE_LATE]            = { "late", "It was attested after the release has expired." },
};

const char *announce_reason_name(enum announce_reason r) { return r < ANNOUNCE_REASONS ? table[r].name : "unknown"; }
const char *announce_reason_text(enum announce_reason r) { return r < ANNOUNCE_REASONS ? table[r].text : "Unknown."; }

/* A multi-Region key has replicas, each with a policy and grants of its own. */
static bool arn_is_good(const char *text, size_t n)
{
    struct arn parsed;
    return !arn_parse(&parsed, text, n).code && !parsed.multi_region;
}

err announce_write(uint8_t out[static ANNOUNCE_USER_DATA], size_t *n, const struct announcement *a)
{
    const size_t len = strnlen(a->arn, ARN_MAX);
    if (!arn_is_good(a->arn, len)) FAIL(E_FORMAT, "a build cannot be announced without a KMS key of one Region");
    struct wr w = wr_of(out, ANNOUNCE_USER_DATA);
    wr_bytes(&w, magic, sizeof magic);
    wr_u16(&w, ANNOUNCE_VERSION);
    wr_u16(&w, 0);
    wr_u32(&w, a->findings);
    wr_bytes(&w, a->service_id, 32);
    wr_bytes(&w, a->public_key, ANNOUNCE_PUBLIC);
    wr_var(&w, a->arn, len);
    *n = w.len;
    return wr_end(&w, "announcement");
}

static err read_user_data(struct announcement *a, enum announce_reason *why, struct bytes user_data)
{
    struct rd r = rd_of(user_data.p, user_data.n);
    uint8_t head[4];
    size_t n = 0;
    rd_copy(&r, head, sizeof head);
    const unsigned version = rd_u16(&r), zero = rd_u16(&r);
    if (!rd_ok(&r) || memcmp(head, magic, sizeof magic) != 0) FAIL(E_FORMAT, "the document announces no build");
    if (version != ANNOUNCE_VERSION) {
        *why = ANNOUNCE_UNKNOWN_VERSION;
        FAIL(E_FORMAT, "announcement of version %u: this build knows version %d", version, ANNOUNCE_VERSION);
    }
    a->findings = rd_u32(&r);
    rd_copy(&r, a->service_id, 32);
    rd_copy(&r, a->public_key, ANNOUNCE_PUBLIC);
    const uint8_t *arn = rd_var(&r, ARN_MAX - 1, &n);
    TRY(rd_end(&r, "announcement"));
    if (zero || (a->public_key[0] != 2 && a->public_key[0] != 3)) FAIL(E_FORMAT, "announcement with a reserved field set, or without a public key");
    if (!arn_is_good((const char *)arn, n)) FAIL(E_FORMAT, "announcement without a KMS key of one Region");
    memcpy(a->arn, arn, n);
    return OK;
}

err announce_read(struct announcement *out, enum announce_reason *why, const struct attest_doc *d)
{
    *out = (struct announcement){ 0 };
    *why = ANNOUNCE_FORM;
    if (!d->user_data.p || !d->public_key.p || d->public_key.n != ANNOUNCE_KEY) FAIL(E_FORMAT, "the document announces no build");
    TRY(read_user_data(out, why, d->user_data));
    memcpy(out->build_key, d->public_key.p, ANNOUNCE_KEY);
    *why = ANNOUNCE_GOOD;
    return OK;
}

static bool pcr_is(const struct attest_doc *d, unsigned index, const uint8_t *want)
{
    return d->pcr[index] && memcmp(d->pcr[index], want, ATTEST_PCR) == 0;
}

static enum announce_reason judge_build(const struct attest_doc *d, const struct announce_want *want)
{
    /* Asked for here too, whatever attest_verify() was told to allow: a debug build gets no keys. */
    if (attest_is_debug(d)) return ANNOUNCE_DEBUG;
    for (unsigned i = 0; i < 3; i++)
        if (!pcr_is(d, i, want->pcr[i])) return (enum announce_reason)(ANNOUNCE_OTHER_PCR0 + i);
    if (want->pcr8 && !pcr_is(d, IMAGE_SIGNER_PCR, want->pcr8)) return ANNOUNCE_OTHER_PCR8;
    return ANNOUNCE_GOOD;
}

static enum announce_reason judge(const struct announcement *a, const struct attest_doc *d, const struct announce_want *want)
{
    const enum announce_reason build = judge_build(d, want);
    const uint64_t at = d->timestamp_ms / 1000;
    if (build != ANNOUNCE_GOOD) return build;
    if (memcmp(a->service_id, want->service_id, 32) != 0) return ANNOUNCE_OTHER_SERVICE;
    /* Only locked PCRs are in a document: absent is a boot that is tied to nothing yet. */
    if (d->pcr[SERVICE_PCR] && !pcr_is(d, SERVICE_PCR, want->service_pcr)) return ANNOUNCE_BOUND;
    if (memcmp(a->public_key, want->public_key, ANNOUNCE_PUBLIC) != 0) return ANNOUNCE_OTHER_MASTER;
    if (a->findings & ~want->accepted) return ANNOUNCE_FINDINGS;
    if (at < want->not_before) return ANNOUNCE_EARLY;
    if (at > want->expires) return ANNOUNCE_LATE;
    return ANNOUNCE_GOOD;
}

err announce_check(struct announcement *out, enum announce_reason *why, const struct attest_doc *d, const struct announce_want *want)
{
    TRY(announce_read(out, why, d));
    *why = judge(out, d, want);
    if (*why != ANNOUNCE_GOOD) FAIL(E_DENIED, "announcement refused: %s", announce_reason_text(*why));
    return OK;
}
