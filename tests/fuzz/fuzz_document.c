/* fuzz_document.c - documents of maintainers, from anybody. What is accepted is bounded, and agrees with itself. */
#include <stdint.h>
#include <string.h>

#include "core/hash.h"
#include "core/log.h"
#include "policy/judge.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_open("fuzz", LOG_ERROR + 1);
    return 0;
}

static void keys(const struct maintainers *set)
{
    MUST(set->count <= MAINTAINERS_MAX);
    for (size_t i = 0; i < set->count; i++) {
        char text[MAINTAINER_TEXT];
        struct maintainer again = { 0 };
        struct wr w = wr_of(text, sizeof text);
        maintainer_write(&w, &set->one[i]);
        MUST(!w.full && !maintainer_parse(&again, text, w.len).code && maintainer_same(&again, &set->one[i]));
        MUST(maintainers_find(set, &set->one[i]) == (int)i && memchr(set->one[i].name, 0, sizeof set->one[i].name));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct document d;
    static struct judgement j;
    static const struct situation empty;
    enum reason why;
    uint8_t hash[32];
    if (document_parse(&d, &why, p, n).code) {
        MUST(why == REASON_FORM || why == REASON_UNKNOWN_FORMAT);
        if (why == REASON_UNKNOWN_FORMAT) fuzz_reached("document.unknown");
        return 0;
    }
    MUST(why == REASON_NONE && d.not_before <= d.expires && n <= DOCUMENT_MAX);
    sha256(hash, p, n);
    MUST(memcmp(hash, d.hash, 32) == 0);
    keys(&d.keys);
    keys(&d.veto_keys);
    /* Without a signature nothing is agreed. */
    MUST(!judge(&j, &d, NULL, 0, &empty).code && j.reason != REASON_NONE && j.count <= JUDGE_LINES);
    fuzz_reached("document");
    if (d.kind == DOCUMENT_POLICY) fuzz_reached("document.policy");
    if (d.kind == DOCUMENT_RELEASE) fuzz_reached("document.release");
    return 0;
}
