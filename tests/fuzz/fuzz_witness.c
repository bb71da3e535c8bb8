/* fuzz_witness.c - add-checkpoint requests, from anybody. Nobody's key has signed them, so none may ever move a witness. */
#include <stdint.h>
#include <string.h>

#include "core/log.h"
#include "policy/witness.h"
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
    static struct witness_request r;
    struct witness_state known = { 0 }, next;
    struct note_key k = { .name = "example.com/behind-the-sofa", .type = NOTE_ED25519, .id = 0x033de0ae, .key = { 1 } };
    uint8_t empty[TLOG_HASH] = { 0 };
    int status = 0;
    if (witness_parse(&r, (const char *)p, n).code) return 0;
    fuzz_reached("witness");
    MUST(r.proof.n <= TLOG_PATH_MAX && r.checkpoint.size <= TLOG_SIZE_MAX);
    known.size = r.old;
    err e = witness_decide(&status, &next, &r, &known, &k, 1);
    MUST(!e.code && status == 403 && next.size == known.size);
    for (size_t i = 0; i < r.note.count; i++)
        if (note_key_is(&k, &r.note.signatures[i])) fuzz_reached("witness.signed");
    /* Behind the signature: the proof alone. */
    err_drop(tlog_check_growth(&r.proof, r.old, empty, r.checkpoint.size, r.checkpoint.root));
    err_drop(tlog_check_entry(&r.proof, empty, r.old, r.checkpoint.size, r.checkpoint.root));
    if (r.proof.n > 1) fuzz_reached("witness.proof");
    return 0;
}
