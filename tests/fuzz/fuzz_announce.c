/* fuzz_announce.c - the user_data of announcements: what is accepted is written again as it was. */
#include <stdint.h>
#include <string.h>

#include "core/log.h"
#include "keystore/announce.h"
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
    static const uint8_t key[ANNOUNCE_KEY] = { 7 }, pcr[ATTEST_PCR] = { 1 };
    struct attest_doc d = { .timestamp_ms = 1000, .pcr = { pcr, pcr, pcr }, .user_data = { p, n }, .public_key = { key, sizeof key } };
    struct announcement a;
    enum announce_reason why;
    uint8_t again[ANNOUNCE_USER_DATA];
    size_t len = 0;
    if (announce_read(&a, &why, &d).code) {
        MUST(why == ANNOUNCE_FORM || why == ANNOUNCE_UNKNOWN_VERSION);
        if (why == ANNOUNCE_UNKNOWN_VERSION) fuzz_reached("announce.unknown");
        return 0;
    }
    fuzz_reached("announce");
    MUST(!announce_write(again, &len, &a).code && len == n && memcmp(again, p, n) == 0);
    const struct announce_want own = { .service_id = a.service_id, .public_key = a.public_key, .service_pcr = pcr, .pcr = { pcr, pcr, pcr },
                                       .accepted = ~a.findings, .expires = 1 };
    MUST((announce_check(&a, &why, &d, &own).code == E_OK) == (a.findings == 0));
    return 0;
}
