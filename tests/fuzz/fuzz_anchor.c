/* fuzz_anchor.c - what a witness may answer: u16 status, u8 old size, u8 whether the type is that of a size, the body. Only what verifies is a cosignature. */
#include <stdint.h>
#include <string.h>

#include "core/log.h"
#include "parent/anchor_read.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* The checkpoint of c2sp.org/tlog-checkpoint; the key's seed is 0x0a and zeros. */
static const char TEXT[] = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
static const char KEY[] = "witness.example.com/w1+33ea7e09+BFE1I8i0gxm2SdfU1OYTIy/ZwT9BAp1LxfdNbs65Gv6f";

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_open("fuzz", LOG_ERROR + 1);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct note_key k;
    struct anchor_verdict v;
    struct rd r = rd_of(p, n);
    const long status = rd_u16(&r);
    const uint64_t old = rd_u8(&r);
    const bool sized = rd_u8(&r) & 1;
    if (!rd_ok(&r)) return 0;
    MUST(!note_key_parse(&k, KEY, strlen(KEY)).code);
    const struct anchor_heard heard = { status, sized ? "text/x.tlog.size" : "text/plain", (const char *)r.p, r.left };
    const struct anchor_asked asked = { TEXT, strlen(TEXT), 20852163, old, &k };
    if (anchor_read(&v, &heard, &asked).code) return 0;
    MUST(v.word < ANCHOR_WORDS && anchor_text(v.word)[0]);
    MUST(v.word != ANCHOR_COSIGNED || (v.cosignature.key_id == k.id && v.cosignature.time));
    MUST(v.word != ANCHOR_AHEAD || v.told > 20852163);
    if (v.word == ANCHOR_COSIGNED) fuzz_reached("anchor");
    if (v.word == ANCHOR_AHEAD) fuzz_reached("anchor.ahead");
    if (v.word == ANCHOR_BEHIND) fuzz_reached("anchor.behind");
    return 0;
}
