#include "signer/child.h"
#include <stddef.h>
#include <string.h>
#include "core/hash.h"
#include "core/mem.h"

/* n of secp256k1 (SEC 2, section 2.4.1), big-endian. */
static const uint8_t ORDER[32] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
};

/* t is public, so a branch on it tells nobody anything. 2^256 < 2n: once is enough. */
void child_reduce(uint8_t t[static 32])
{
    if (memcmp(t, ORDER, 32) < 0)
        return;
    unsigned borrow = 0;
    for (size_t i = 32; i-- > 0;) {
        unsigned d = 0x100u + t[i] - ORDER[i] - borrow;
        t[i] = (uint8_t)d;
        borrow = d < 0x100u;
    }
}

void child_tweak(uint8_t t[static 32], const uint8_t master[static 33], const uint8_t root[static 32])
{
    uint8_t mac[64];
    hmac_sha512(mac, master, 33, root, 32);
    memcpy(t, mac, 32);            /* the right half would be BIP32's chain code; here there is none */
    child_reduce(t);
    mem_wipe(mac, sizeof mac);
}

void child_tweak_bound(uint8_t t[static 32], const uint8_t master[static 33], const uint8_t rules[static 32],
                       const uint8_t output_key[static 32])
{
    const struct bytes pieces[3] = { { master, 33 }, { rules, 32 }, { output_key, 32 } };
    tagged_hash(t, "holdfast/child", pieces, 3);
    child_reduce(t);
}

bool child_kind_of(enum child_kind *out, const char *profile)
{
    static const struct { const char *profile; enum child_kind kind; } kinds[] = {
        { "reproducible-key", CHILD_OF_ROOT },
        { "confidential-script-1", CHILD_OF_ROOT },
        { "confidential-script-2", CHILD_OF_ROOT },
        { "holdfast-1", CHILD_OF_OUTPUT },
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(profile, kinds[i].profile) != 0)
            continue;
        *out = kinds[i].kind;
        return true;
    }
    return false;
}
