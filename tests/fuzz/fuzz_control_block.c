/* An output key, a control block and a script: u8 length of the control block in units of 32 above 33,
 * and its offset; then 32 bytes of key, the block, and the script. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "core/log.h"
#include "signer/ec.h"
#include "signer/taproot.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_open("fuzz", LOG_ERROR + 1);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct rd r = rd_of(data, n);
    struct taproot_control c;
    uint8_t leaf[32], root[32], key[32];
    int parity;
    const uint8_t *output = rd_bytes(&r, 32);
    size_t len = rd_u16(&r) % 4200;
    const uint8_t *block = rd_bytes(&r, len);
    if (!rd_ok(&r) || !taproot_control_parse(&c, block, len))
        return 0;
    fuzz_reached("control_block");
    MUST(c.depth <= TAPROOT_MAX_DEPTH && len == 33 + 32 * c.depth && !(c.leaf_version & 1));
    taproot_leaf_hash(leaf, c.leaf_version, r.p, r.left);
    taproot_control_root(root, &c, leaf);
    bool yes = taproot_commits(output, NULL, &c, leaf);
    /* The check and the making agree. */
    bool made = ec_xonly_valid(c.internal) && taproot_output_key(key, &parity, c.internal, root).code == E_OK;
    MUST(yes == (made && parity == c.parity && memcmp(key, output, 32) == 0));
    if (made)
        fuzz_reached("control_block.point");
    if (yes)
        fuzz_reached("control_block.commits");
    return 0;
}
