/* Judging a release with five SSH signatures, from its bytes and theirs, against its bound: the five Ed25519
 * verifications that it cannot do without, by the same library, with keys and messages ready. */
#include <openssl/evp.h>
#include <string.h>

#include "bench.h"
#include "core/log.h"
#include "policy/judge.h"
#include "policy/sshsig.h"
#include "tests/policy_case.h"

enum { SIGNATURES = 5, RUNS = 11, TIMES = 100 };

struct work {
    char release[DOCUMENT_ROOM], room[SIGNATURES][SIGNATURE_ROOM];
    struct bytes sig[SIGNATURES];
    struct document policy;
    struct situation s;
    EVP_PKEY *key[SIGNATURES];
    uint8_t message[SIGNATURES][256], signature[SIGNATURES][64];
    size_t len[SIGNATURES];
};

static void must(int good, const char *what)
{
    if (good) return;
    fprintf(stderr, "bench_policy: %s\n", what);
    exit(1);
}

static void judged(void *self)
{
    static struct document d;
    static struct judgement j;
    struct work *w = self;
    enum reason why;
    for (int i = 0; i < TIMES; i++) {
        must(!document_parse(&d, &why, w->release, strlen(w->release)).code, "a document");
        must(!judge(&j, &d, w->sig, SIGNATURES, &w->s).code && j.reason == REASON_NONE && j.signers == SIGNATURES, "refused");
    }
}

static void bound(void *self)
{
    struct work *w = self;
    for (int i = 0; i < TIMES * SIGNATURES; i++) {
        const int k = i % SIGNATURES;
        EVP_MD_CTX *c = EVP_MD_CTX_new();
        must(c && EVP_DigestVerifyInit(c, NULL, NULL, NULL, w->key[k]) == 1 && EVP_DigestVerify(c, w->signature[k], 64, w->message[k], w->len[k]) == 1, "a signature does not verify");
        EVP_MD_CTX_free(c);
    }
}

/* The signature's own bytes, and what it is over: the frame of PROTOCOL.sshsig. */
static void take(struct work *w, int i, const struct document *d)
{
    struct sshsig s;
    struct wr m = wr_of(w->message[i], sizeof w->message[i]);
    must(!sshsig_parse(&s, w->sig[i].p, w->sig[i].n), "a signature");
    wr_text(&m, "SSHSIG");
    wr_u32be(&m, (uint32_t)strlen(s.name_space));
    wr_text(&m, s.name_space);
    wr_u32be(&m, 0);
    wr_u32be(&m, 6);
    wr_text(&m, "sha512");
    wr_u32be(&m, 64);
    wr_bytes(&m, d->hash512, 64);
    w->len[i] = m.len;
    memcpy(w->signature[i], s.signature, 64);
    w->key[i] = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, s.who.key, 32);
    must(w->key[i] != NULL, "a key");
}

static void ready(struct work *w)
{
    char text[DOCUMENT_ROOM];
    struct document d;
    enum reason why;
    good_policy(text);
    must(!document_parse(&w->policy, &why, text, strlen(text)).code, "a policy");
    w->policy.keys = (struct maintainers){ .threshold = SIGNATURES, .count = SIGNATURES };
    good_release(w->release);
    must(!document_parse(&d, &why, w->release, strlen(w->release)).code, "a release");
    for (int i = 0; i < SIGNATURES; i++) {
        person_key(&w->policy.keys.one[i], i, MAINTAINER_SSH);
        w->sig[i] = person_sshsig(w->room[i], i, MAINTAINER_SSH, w->release, NULL);
        take(w, i, &d);
    }
    w->s = (struct situation){ .network = "signet", .now = 1500, .policy = &w->policy, .generation = 5 };
    memset(w->s.service, 0x5e, 32);
}

int main(void)
{
    static struct work w;
    log_open("bench", LOG_ERROR);
    ready(&w);
    /* By turns, so that a slow stretch of the machine is in both. */
    double ratio[RUNS], least = 0, taken = 0;
    for (int i = 0; i < RUNS; i++) {
        least = bench_median(bound, &w, 1) / TIMES;
        taken = bench_median(judged, &w, 1) / TIMES;
        ratio[i] = least / taken;
    }
    qsort(ratio, RUNS, sizeof *ratio, bench_compare);
    bench_say("releases of 5 SSHSIG judged, against 5 Ed25519 verified", ratio[RUNS / 2], "x", ">= 0.7");
    bench_say("releases of 5 SSHSIG judged, one core", 1 / taken, "/s", "");
    bench_say("5 Ed25519 verifications, one core", 1 / least, "/s", "");
    for (int i = 0; i < SIGNATURES; i++) EVP_PKEY_free(w.key[i]);
    return 0;
}
