/* fuzz_sshsig.c - SSH signatures, from anybody. Only the one of the seeds' key may verify. */
#include <stdint.h>
#include <string.h>

#include "core/hash.h"
#include "core/log.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct sshsig s;
    uint8_t h256[32], h512[64];
    const char *why = sshsig_parse(&s, (const char *)p, n);
    if (why) return 0;
    MUST(strlen(s.name_space) > 0 && strlen(s.name_space) <= SSHSIG_NAMESPACE && (s.who.kind == MAINTAINER_SK) == (s.who.application[0] != 0));
    fuzz_reached("sshsig");
    if (s.who.kind == MAINTAINER_SK) fuzz_reached("sshsig.sk");
    sha256(h256, "document", 8);
    sha512(h512, "document", 8);
    if (!sshsig_check(&why, &s, "holdfast-release@holdfast", &(struct sshsig_message){ h256, h512 }).code && !why) fuzz_reached("sshsig.good");
    return 0;
}
