/* fuzz_document.c - what maintainers sign, and their signatures, from anybody. The first byte says which reader gets the rest.
 * A document that is taken has nothing that could be written another way: its hash is of these very bytes. */
#include <stdint.h>
#include <string.h>

#include "core/hash.h"
#include "core/log.h"
#include "policy/document.h"
#include "policy/nostr.h"
#include "policy/sshsig.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_open("fuzz", LOG_ERROR + 1);
    return 0;
}

static void document(const uint8_t *p, size_t n)
{
    static const uint8_t zero[DOCUMENT_PCR];
    struct document d;
    enum reason why = REASON_NONE;
    uint8_t hash[32];
    if (document_parse(&d, &why, p, n).code) {
        MUST(why == REASON_FORM || why == REASON_UNKNOWN_FORMAT);
        return;
    }
    sha256(hash, p, n);
    MUST(memcmp(hash, d.hash, sizeof hash) == 0 && d.kind < DOCUMENT_KINDS && d.not_before <= d.expires);
    fuzz_reached("document");
    if (d.kind == DOCUMENT_POLICY) {
        MUST(d.keys.count && d.keys.threshold && d.keys.threshold <= d.keys.count && d.keys.count <= MAINTAINERS_MAX);
        for (size_t i = 0; i < d.keys.count; i++) MUST(maintainers_find(&d.keys, &d.keys.one[i]) == (int)i);
        fuzz_reached("document.policy");
    }
    if (d.kind == DOCUMENT_RELEASE) {
        for (int i = 0; i < 3; i++) MUST(memcmp(d.pcr[i], zero, sizeof zero) != 0);
        fuzz_reached("document.release");
    }
}

static void ssh(const char *p, size_t n)
{
    static const uint8_t sha[64];
    const char *why = NULL;
    struct sshsig s;
    if (sshsig_parse(&s, p, n)) return;
    MUST(!sshsig_check(&why, &s, "holdfast-release@holdfast", &(struct sshsig_message){ sha, sha }).code);
    MUST(why);                                   /* nobody signed that */
    fuzz_reached("document.ssh");
}

static void nostr(const char *p, size_t n)
{
    struct nostr_event e;
    if (nostr_parse(&e, p, n)) return;
    MUST(strlen(e.content) <= NOSTR_CONTENT);
    (void)nostr_check(&e, e.kind, e.content);
    fuzz_reached("document.nostr");
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n < 1) return 0;
    if (p[0] == 'd') document(p + 1, n - 1);
    if (p[0] == 's') ssh((const char *)p + 1, n - 1);
    if (p[0] == 'n') nostr((const char *)p + 1, n - 1);
    return 0;
}
