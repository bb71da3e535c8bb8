/* fuzz_cose.c - attestation documents and the NSM's messages, as a stranger sends them.
 * What parses must also build again and parse to the same. The seed
 * simulated-document.bin was made by holdfast-sim nsm and verifies under its own root. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/log.h"
#include "keystore/attest.h"
#include "keystore/nsm_codec.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_open("fuzz", LOG_ERROR + 1);
    return 0;
}

static err no_signature(void *self, uint8_t sig[static COSE_SIG], const void *message, size_t n)
{
    (void)self, (void)message, (void)n;
    memset(sig, 0, COSE_SIG);
    return OK;
}

static int same(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.p == NULL) == (b.p == NULL) && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static void document(const uint8_t *p, size_t n)
{
    static uint8_t again[2 * ATTEST_MAX];
    struct attest_doc d, e;
    size_t len = 0;
    if (attest_parse(&d, p, n).code) return;
    fuzz_reached("cose");
    MUST(attest_make(again, sizeof again, &len, &d, n & 1, no_signature, NULL).code == E_OK);
    if (len <= ATTEST_MAX) {
        MUST(attest_parse(&e, again, len).code == E_OK);
        MUST(same(d.module_id, e.module_id) && same(d.nonce, e.nonce) && same(d.user_data, e.user_data) && same(d.public_key, e.public_key));
        MUST(d.timestamp_ms == e.timestamp_ms && d.cabundle_count == e.cabundle_count);
    }
    /* Its own first certificate as the root: the chain is then looked at, whoever made it. */
    struct attest_check want = { .root = d.cabundle[0], .at = (int64_t)(d.timestamp_ms / 1000), .allow_debug = true };
    const char *failed = NULL;
    err got = attest_verify(NULL, &failed, p, n, &want);
    MUST((got.code == E_OK) == (failed == NULL));
    if (failed && strcmp(failed, "certificates") == 0) fuzz_reached("cose.certificates");
    if (!failed) fuzz_reached("cose.verified");
}

static void message(const uint8_t *p, size_t n)
{
    uint8_t room[NSM_RESPONSE_MAX];
    struct nsm_request q, q2;
    struct nsm_response a, a2;
    if (nsm_request_parse(&q, p, n).code == E_OK) {
        struct wr w = wr_of(room, sizeof room);
        fuzz_reached("cose.request");
        if (nsm_request_build(&w, &q).code == E_OK) {
            MUST(nsm_request_parse(&q2, room, w.len).code == E_OK);
            MUST(q.op == q2.op && q.index == q2.index && same(q.nonce, q2.nonce) && same(q.data, q2.data));
        }
    }
    if (nsm_response_parse(&a, p, n).code == E_OK) {
        struct wr w = wr_of(room, sizeof room);
        fuzz_reached("cose.response");
        if (nsm_response_build(&w, &a).code == E_OK) {
            MUST(nsm_response_parse(&a2, room, w.len).code == E_OK);
            MUST(a.op == a2.op && a.lock == a2.lock && a.about.locked == a2.about.locked && same(a.data, a2.data));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    document(p, n);
    message(p, n);
    return 0;
}
