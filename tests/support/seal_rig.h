/* seal_rig.h - one service, its store in memory, and images, for the tests of diskcrypt/. */
#ifndef TESTS_SUPPORT_SEAL_RIG_H
#define TESTS_SUPPORT_SEAL_RIG_H
#include "core/blk.h"
#include "core/secret.h"
#include "diskcrypt/seal.h"
#include "tests/support/check_main.h"

struct rig {
    struct store_memory *m;
    struct store_power   power;
    secret  *key;
    uint8_t  service[SERVICE_ID];
    uint32_t epoch;
};

/* Open the arena and warm libcrypto up (once per process), and make an empty store.
 * `who` makes the service id, and with `epoch` and `key_byte` tells rigs apart. */
void rig_open(struct rig *r, uint8_t who, uint32_t epoch);
void rig_close(struct rig *r);
#define RIG __attribute__((cleanup(rig_close))) struct rig

/* A sparse image in memory that knows its holes. */
struct blk *rig_image(unsigned chunks);
/* Fill chunk i with bytes that follow from i and `seed`; never all zero. */
void rig_fill(struct blk *image, unsigned i, uint8_t seed);
/* Fails the test unless both hold the same bytes. */
void rig_same(struct blk *a, struct blk *b);

/* One life of an enclave: look at the head, restore what is there into `image`
 * (which is then kept), and give the sealer for more. Out: *store too, closed by the caller last. */
err rig_boot(struct rig *r, struct store **store, struct sealer **sealer, struct blk *image, uint64_t least);
/* A life that restores (if there is something) into a scratch image, then seals `image`. */
err rig_seal(struct rig *r, struct seal_report *rep, struct blk *image, uint64_t now);
/* A life that restores into the fresh `image`. */
err rig_restore(struct rig *r, struct seal_report *rep, struct blk *image);

/* From now on keep what is logged; rig_said() tells whether it holds `part`, and forgets it all. */
void rig_listen(void);
int  rig_said(const char *part);

#endif
