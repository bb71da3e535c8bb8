/* fuzz_record.c - service records, as a parent may hand them out: one encoding for one meaning. */
#include <stdint.h>
#include <string.h>

#include "core/log.h"
#include "policy/record.h"
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
    static const uint8_t none[32];
    static uint8_t again[RECORD_MAX];
    struct record r;
    uint8_t id[SERVICE_ID_LEN];
    if (record_parse(&r, p, n).code) return 0;
    fuzz_reached("record");
    struct wr w = wr_of(again, sizeof again);
    record_write_bound(&w, &r);
    MUST(!w.full && w.len == r.bound_len && memcmp(again, p, w.len) == 0);
    record_write_keyring(&w, r.keyring, r.keyring_len);
    MUST(!w.full && w.len == n && memcmp(again, p, n) == 0);
    if (memcmp(r.release, none, 32) == 0) MUST(record_is_of_genesis_key(&r));
    else fuzz_reached("record.upgraded");
    if (!record_check(id, &r, "", r.build_arn).code) fuzz_reached("record.id");
    return 0;
}
