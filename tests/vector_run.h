/* vector_run.h - the runner of published Bitcoin vectors, shared by its files. */
#ifndef TESTS_VECTOR_RUN_H
#define TESTS_VECTOR_RUN_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "signer/script.h"
#include "signer/tx.h"

struct run {
    struct script_engine *engine;
    const char   *kind;
    const char   *text;                  /* the whole file */
    const json_t *root;                  /* the same parsed; NULL for a CSV file */
    unsigned long passed, failed;
};

/* One case: prints a line when it failed. */
void verdict(struct run *r, bool good, size_t row, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The file itself is not what it should be: ends the program with 2. */
void broken(size_t row, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));

/* Bytes that live until the row is done. */
void *row_room(size_t n);
void  row_done(void);
struct span row_hex(size_t row, const json_t *s);
struct span hex_text(size_t row, const char *hex, size_t n);
struct span row_asm(size_t row, const char *text);         /* Core's script assembler */
void  hash_reversed(size_t row, uint8_t out[static 32], const char *hex);
uint64_t row_flags(size_t row, const char *text);           /* "P2SH,WITNESS"; "" is 0 */
const char *flag_words(uint64_t flags);                     /* the same back; until the next call */
const char *row_text(size_t row, const json_t *s);
int64_t row_btc(const json_t *v);                           /* a number in BTC, in satoshi */
/* Witness items as a tx_in holds them. */
struct span row_witness(const struct span *items, size_t count);
struct tx *row_tx(size_t row, const struct span *bytes);    /* NULL when it does not parse; freed by row_done() */

/* One row of script_tests.json. Returns false for a comment. */
struct script_row {
    struct span sig, pubkey, witness;
    uint32_t    witness_count;
    int64_t     amount;
    uint64_t    flags;
    const char *want, *comment, *texts[3];
    uint8_t     output[32];              /* of the #SCRIPT# macro */
    int         parity;
};
bool script_row_read(struct script_row *row, size_t n, const json_t *line);
enum script_error script_row_run(struct script_engine *engine, const struct script_row *row);

/* One entry of a script assets file, and one side of it ("success" or "failure") put into the input. */
struct spend { size_t row; struct tx *tx; struct tx_out *spent; struct sighash_cache cache; };
struct asset { struct spend s; uint32_t index; uint64_t flags; bool final; const char *comment; };
void asset_read(struct asset *a, size_t n, const json_t *entry);
bool asset_side(struct asset *a, const json_t *entry, const char *side);     /* false: the entry has none */
enum script_error asset_run(struct script_engine *engine, const struct asset *a, uint64_t flags);

typedef void runner(struct run *r);
runner run_script_tests, run_tx_valid, run_tx_invalid, run_sighash, run_bip341, run_assets,
    run_bip340, run_ctvhash, run_templatehash;

#endif
