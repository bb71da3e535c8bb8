/* signer_case.h - the vectors of the rule `confidential-script`, and what the signer's tests build from.
 *
 * Common to all: master scalar 32 x 01, aux_rand 32 x 01, version 2, lock time 0, one input with the
 * null outpoint and sequence fffffffd, one output of 100000 sat to 6a00, a spent value of 100000 sat. */
#ifndef TESTS_SIGNER_CASE_H
#define TESTS_SIGNER_CASE_H
#include <stdint.h>
#include <string.h>
#include "core/buf.h"
#include "core/hash.h"
#include "core/secret.h"
#include "signer/emulate.h"

#define CASE_MASTER   "031b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd078f"
#define CASE_INTERNAL "1b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd078f"
#define CASE_INTERNAL2 "4d4b6cd1361032ca9bd2aeb9d900aa4d45d9ead80ac9423374c451a7254d0766"   /* 32 x 02 */
#define CASE_ROOT     "a85b2107f791b26a84e7586c28cec7cb61202ed3d01944d832500f363782d675"
#define CASE_EMULATED "5120687b7e1ec3444e558157bfddb024caa0c60be8f4abef1eadf70b55ac55fc63c8"
#define CASE_ACTUAL   "5120fa33dccbd0877cc7e33d4655b5dbe28cf4ad81d1f110e4492c7634ff430ce21f"
#define CASE_SIGHASH  "1a95636220543691de7acc7ab215268ba06d3f7a0de3a0bdc2e1bd06bf4019ae"
#define CASE_AUX      "1267c212fa828e9e500a5fc4307138c9150a9427f4782881716ac8595a4ac718"
#define CASE_SIG      "c454b67127d37dc6acd4ddb88fdd2d2ad9a66e3a1f404d081bd159e5c2e0086b" \
                      "86ac7d86bfc1fb1091a68e9a701d4677dd4bae152fd4cac979c2c3b8a1bc92aa"
#define CASE_SISTER   "e7e4d593fcb72926eedbe0d1e311f41acd6f6ef161dcba081a75168ec4dcd379"    /* leaf hash of OP_FALSE */

/* One request of one input, or of two with the emulated one last. Hex throughout; NULL = absent. */
struct signer_case {
    const char *name;
    const char *witness[4];       /* ended by NULL */
    const char *actual;           /* spent scriptPubKey */
    const char *backup;           /* for the emulated input */
    int         two;              /* put an input without a witness before it (vector F) */
    const char *root, *emulated, *sighash, *aux, *sig;
    uint32_t    items;            /* of the witness after signing */
};

static const struct signer_case SIGNER_CASES[] = {
    { "A", { "51", "c1" CASE_INTERNAL }, CASE_ACTUAL, NULL, 0, CASE_ROOT, CASE_EMULATED, CASE_SIGHASH, CASE_AUX, CASE_SIG, 1 },
    { "B", { "51", "c1" CASE_INTERNAL CASE_SISTER },
      "51202601acfcf199e578b964f86e703d07f875f03db8bc0604b8052b175db7272794", NULL, 0,
      "15526cd6108b4765640abe555e75f4bd11d9b1453b9db4cd36cf4189577a6f63",
      "5120affd8d4fd899c568f3789cf5a8b553c4081a01785478ef12babdb6424c166a0c",
      "220f8afb95233b913192763d9a1934f30849b93770ddae35c76692506ac1c1b6", CASE_AUX,
      "b5468b78a6425162c9ad2bb3e833bcdf59939a693d1b561a6bd2e09e85e5cea0"
      "c7614f2ffb2e5805d3a287c51ea851901b87ea8de63f2c6f8eac9da0c508aefe", 1 },
    { "C", { "51", "c1" CASE_INTERNAL },
      "5120fa7f66478e75f66dbd8d7a74aea635c6a3ebf3f312391cbc13fa274429c8b51b", CASE_ROOT, 0, CASE_ROOT, CASE_EMULATED,
      "1fab485a220bd806548b73de6e931f744c4c1f80344c3de60fc0312376ee483b", CASE_AUX,
      "f9182a686f7c330f2af67151d16547523d2782cae176f9ffdaa3095807df6706"
      "198738ccd77e41c4f45a8cdf42344e5ade13c6f3f1c4c9153ad37d30ea479952", 1 },
    { "D", { "51", "c1" CASE_INTERNAL, "5000010203" }, CASE_ACTUAL, NULL, 0, CASE_ROOT, CASE_EMULATED,
      "71d69374fc5502a902ed90d2155f60aedfb882d99e0cf534e05b8f2400764cb1", CASE_AUX,
      "39eecb3557bda6f0127b45a18466a71b073eedc0ae45fc9a219ad4a41dd52bfc"
      "52aecf186971cb878a439b2227ccf6964d570e74198d85507b952fbe876d3ca8", 2 },
    { "E", { "51", "c1" CASE_INTERNAL, "50010203" }, CASE_ACTUAL, NULL, 0, CASE_ROOT, CASE_EMULATED,
      CASE_SIGHASH, CASE_AUX, CASE_SIG, 1 },
    { "F", { "51", "c1" CASE_INTERNAL }, CASE_ACTUAL, NULL, 1, CASE_ROOT, CASE_EMULATED,
      "51ed52c2c07163241927750a1ccda0341bb01cce66c2ce783d9b596fc2dde59d",
      "73559e81919cf8fdd44655ad8344ee6d93e02cebeb888f9811ade18e2e0fbd6a",
      "044b7672fa892157cfa95dfefe3a1dffa3fa7ab2cd2eb35cd06f02b4b0ab7ea5"
      "7d42527fc9806c41a5bdb03f4c27a31e0bd785da87def05a4b0fe4e4f827c158", 1 },
    { "G", { "51", "c0" CASE_INTERNAL2 }, CASE_ACTUAL, NULL, 0, CASE_ROOT, NULL, CASE_SIGHASH, CASE_AUX, CASE_SIG, 1 },
};
enum { SIGNER_CASE_COUNT = sizeof SIGNER_CASES / sizeof *SIGNER_CASES };

/* The bytes of hex text; its length comes back. Aborts on bad hex: the tables are ours. */
static inline size_t case_hex(uint8_t *out, size_t cap, const char *hex)
{
    size_t n = strlen(hex) / 2;
    MUST(n <= cap && !hex_to(out, n, hex, strlen(hex)).code);
    return n;
}

/* A bench to lay out one emulation request: fill the fields, then bench_bytes(). The first
 * `inputs` of in[] and `spents` of spent[] count; everything is borrowed from `room`. */
enum { BENCH_INPUTS = 6, BENCH_ROOM = 200 * 1024 };
struct bench {
    uint8_t  room[BENCH_ROOM];
    size_t   used;
    struct tx_in  in[BENCH_INPUTS];
    struct tx_out out[1];
    struct tx     tx;
    struct { uint64_t value; struct span script; } spent[BENCH_INPUTS];
    struct { uint32_t index; uint8_t root[32]; }   backup[BENCH_INPUTS];
    size_t   spents, backups;
    const char *rules;             /* the rule set's name; NULL: none is asked for */
    uint8_t  bytes[BENCH_ROOM];
    size_t   len;
};

static inline struct span bench_hex(struct bench *b, const char *hex)
{
    uint8_t *at = b->room + b->used;
    size_t n = case_hex(at, sizeof b->room - b->used, hex);
    b->used += n;
    return (struct span){ at, n };
}

static inline void bench_start(struct bench *b)
{
    memset(b, 0, sizeof *b);
    b->out[0] = (struct tx_out){ 100000, bench_hex(b, "6a00") };
    b->tx = (struct tx){ .version = 2, .in = b->in, .out = b->out, .out_count = 1 };
}

/* One more input spending 100000 sat from `actual`, with these witness items. Returns its index. */
static inline uint32_t bench_input(struct bench *b, const char *const *witness, const char *actual)
{
    size_t i = b->tx.in_count++;
    struct tx_in *in = &b->in[i];
    MUST(i < BENCH_INPUTS);
    struct wr w = wr_of(b->room + b->used, sizeof b->room - b->used);
    in->vout = i ? (uint32_t)i : 0xffffffff;
    in->sequence = 0xfffffffd;
    for (; witness && *witness; witness++) {
        static uint8_t item[8192];
        size_t n = case_hex(item, sizeof item, *witness);
        tx_item_write(&w, item, n);
        in->witness_count++;
    }
    MUST(!wr_end(&w, "bench").code);
    in->witness = (struct span){ w.p, w.len };
    b->used += w.len;
    b->spent[i].value = 100000;
    b->spent[i].script = bench_hex(b, actual);
    b->spents = b->tx.in_count;
    return (uint32_t)i;
}

static inline void bench_backup(struct bench *b, uint32_t index, const char *root)
{
    b->backup[b->backups].index = index;
    case_hex(b->backup[b->backups++].root, 32, root);
}

static inline void bench_bytes(struct bench *b)
{
    struct wr w = wr_of(b->bytes, sizeof b->bytes);
    emulate_write_tx(&w, &b->tx);
    emulate_write_count(&w, (uint32_t)b->spents);
    for (size_t i = 0; i < b->spents; i++)
        emulate_write_output(&w, b->spent[i].value, b->spent[i].script.p, b->spent[i].script.n);
    emulate_write_count(&w, (uint32_t)b->backups);
    for (size_t i = 0; i < b->backups; i++)
        emulate_write_backup(&w, b->backup[i].index, b->backup[i].root);
    emulate_write_rules(&w, b->rules ? b->rules : "", b->rules ? strlen(b->rules) : 0);
    MUST(!wr_end(&w, "bench").code);
    b->len = w.len;
}

/* The request of one case. Returns the index of the emulated input. */
static inline uint32_t bench_case(struct bench *b, const struct signer_case *c)
{
    bench_start(b);
    if (c->two)
        bench_input(b, NULL, CASE_ACTUAL);
    uint32_t at = bench_input(b, c->witness, c->actual);
    if (c->two)
        b->spent[0].value = 200000;
    if (c->backup)
        bench_backup(b, at, c->backup);
    bench_bytes(b);
    return at;
}

/* A secret of 32 equal bytes. */
static inline void case_scalar(secret **out, uint8_t byte)
{
    MUST(!secret_new(out, 32).code);
    memset(secret_reveal(*out), byte, 32);
}

#endif
