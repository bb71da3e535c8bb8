/* script_case.h - one input over a script made up by a test. */
#ifndef TESTS_SCRIPT_CASE_H
#define TESTS_SCRIPT_CASE_H
#include "signer/script.h"
#include "signer/taproot.h"
#include "tests/vector_run.h"          /* row_asm(), row_hex() and their memory */

/* The test key: secret 00..01, so x of the generator. */
#define CASE_KEY "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"

/* Version 2, lock time 0, one input with sequence fffffffd, one output of 1000 to 6a; a spent value of
 * 1000. Set what differs, then script_run(). */
struct script_case {
    struct tx     tx;
    struct tx_in  in[3];
    struct tx_out out[3], spent[3];
    struct sighash_cache cache;
    struct script_engine *engine;
    struct script_result  res;
    err           said;
    uint8_t       leaf[32], internal[32];
};
void case_open(struct script_case *c);
void case_close(struct script_case *c);
#define SCRIPT_CASE __attribute__((cleanup(case_close))) struct script_case

struct span asm_of(const char *words);
struct span hex_of(const char *hex);
struct span fill_of(uint8_t byte, size_t n);
/* The items as input 0's stack. */
void case_witness(struct script_case *c, const struct span *items, size_t count);
/* Input 0 spends a taproot output of one leaf, by script path: the items, the script, the control block,
 * and the annex unless it is NULL. */
void case_leaf(struct script_case *c, uint8_t version, struct span script, const struct span *items, size_t count,
               const struct span *annex);
/* The same in short: words and hex items, NULL-terminated. */
void case_words(struct script_case *c, const char *script, const char *const *hex_items);
/* Input 0 spends P2WSH of the script. */
void case_p2wsh(struct script_case *c, struct span script, const struct span *items, size_t count);
/* A BIP340 signature of the test key over what a tapscript checks (case_leaf() first, for the leaf). Of 64 bytes, or
 * of 65 when type is not 0. */
struct span case_sign(struct script_case *c, uint8_t type, uint32_t codesep, uint8_t key_version,
                      const struct span *annex);
struct span case_sign_bytes(const void *msg, size_t n);

/* Run input 0. Fails the test when the code and the error disagree. */
enum script_error case_run(struct script_case *c, uint64_t flags, struct script_budget *budget);
/* Fails the test unless it ends so. */
void case_expect(struct script_case *c, uint64_t flags, enum script_error want);

#endif
