#include "signer/address.h"
#include <string.h>
#include "core/mem.h"
#include "signer/child.h"
#include "signer/ec.h"
#include "signer/taproot.h"

/* BIP173: 5 bits to a character, and a checksum that is a remainder over GF(32). BIP350
 * changed only the constant the remainder must come to, for versions from 1 on. */
static const char CHARSET[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
enum { CHECKSUM = 6, TEXT_MAX = ADDRESS_TEXT - 1, GROUPS_MAX = 65 };
static const uint32_t BECH32 = 1, BECH32M = 0x2bc830a3;

err address_network_parse(enum address_network *out, const char *name)
{
    static const char *const names[] = { "mainnet", "testnet", "signet", "regtest" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum address_network)i;
            return OK;
        }
    FAIL(E_FORMAT, "no network of that name: mainnet, testnet, signet or regtest");
}

const char *address_hrp(enum address_network net)
{
    static const char *const hrps[] = { "bc", "tb", "tb", "bcrt" };
    MUST((size_t)net < sizeof hrps / sizeof *hrps);
    return hrps[net];
}

static uint32_t polymod(uint32_t state, uint8_t group)
{
    static const uint32_t gen[5] = { 0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3 };
    uint32_t top = state >> 25;
    state = (state & 0x1ffffff) << 5 ^ group;
    for (int i = 0; i < 5; i++)
        if (top >> i & 1)
            state ^= gen[i];
    return state;
}

/* The state after the human-readable part, expanded as BIP173 says. */
static uint32_t polymod_hrp(const char *hrp)
{
    uint32_t state = 1;
    for (const char *c = hrp; *c; c++)
        state = polymod(state, (uint8_t)(*c >> 5 & 7));
    state = polymod(state, 0);
    for (const char *c = hrp; *c; c++)
        state = polymod(state, (uint8_t)(*c & 31));
    return state;
}

static err program_check(uint8_t version, size_t n)
{
    if (version > 16 || n < 2 || n > 40 || (version == 0 && n != 20 && n != 32))
        FAIL(E_FORMAT, "no witness program: version %u, %zu bytes", version, n);
    return OK;
}

/* Bytes to groups of five bits, padded with zeros. Returns how many. */
static size_t to_groups(uint8_t out[static GROUPS_MAX], const uint8_t *p, size_t n)
{
    size_t count = 0;
    uint32_t acc = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < n; i++) {
        acc = (acc << 8 | p[i]) & 0xfff;
        for (bits += 8; bits >= 5; bits -= 5)
            out[count++] = (uint8_t)(acc >> (bits - 5) & 31);
    }
    if (bits)
        out[count++] = (uint8_t)(acc << (5 - bits) & 31);
    return count;
}

err address_encode(char out[static ADDRESS_TEXT], enum address_network net,
                   uint8_t version, const uint8_t *program, size_t n)
{
    uint8_t groups[GROUPS_MAX];
    struct wr w = wr_of(out, TEXT_MAX);
    const char *hrp = address_hrp(net);
    out[0] = 0;
    TRY(program_check(version, n));
    size_t count = to_groups(groups, program, n);
    uint32_t state = polymod(polymod_hrp(hrp), version);
    wr_text(&w, hrp);
    wr_u8(&w, '1');
    wr_u8(&w, (uint8_t)CHARSET[version]);
    for (size_t i = 0; i < count; i++) {
        state = polymod(state, groups[i]);
        wr_u8(&w, (uint8_t)CHARSET[groups[i]]);
    }
    for (int i = 0; i < CHECKSUM; i++)
        state = polymod(state, 0);
    state ^= version ? BECH32M : BECH32;
    for (int i = 0; i < CHECKSUM; i++)
        wr_u8(&w, (uint8_t)CHARSET[state >> 5 * (5 - i) & 31]);
    TRY(wr_end(&w, "address"));
    out[w.len] = 0;
    return OK;
}

/* Lower case of the text in `low`. Mixed case and characters outside ASCII are refused. */
static err lower(char low[static ADDRESS_TEXT], size_t *n, const char *text)
{
    bool upper = false, small = false;
    *n = strnlen(text, ADDRESS_TEXT);
    if (*n > TEXT_MAX)
        FAIL(E_FORMAT, "an address of more than 90 characters");
    for (size_t i = 0; i <= *n; i++) {
        char c = text[i];
        upper |= c >= 'A' && c <= 'Z';
        small |= c >= 'a' && c <= 'z';
        low[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        if (i < *n && (c < 33 || c > 126))
            FAIL(E_FORMAT, "an address with a character that is none");
    }
    if (upper && small)
        FAIL(E_FORMAT, "an address in mixed case");
    return OK;
}

/* Characters after the separator to groups, checksum included. Out: the checksum's remainder. */
static err read_groups(uint8_t *out, size_t n, uint32_t *state, const char *data)
{
    for (size_t i = 0; i < n; i++) {
        const char *at = strchr(CHARSET, data[i]);
        if (!at)
            FAIL(E_FORMAT, "an address with a character outside bech32");
        out[i] = (uint8_t)(at - CHARSET);
        *state = polymod(*state, out[i]);
    }
    return OK;
}

/* Five-bit groups to bytes: at most four bits of padding, all zero. */
static err from_groups(uint8_t program[static 40], size_t *n, const uint8_t *groups, size_t count)
{
    uint32_t acc = 0;
    unsigned bits = 0;
    *n = 0;
    for (size_t i = 0; i < count; i++) {
        acc = (acc << 5 | groups[i]) & 0xfff;
        bits += 5;
        if (bits < 8)
            continue;
        bits -= 8;
        if (*n == 40)
            FAIL(E_FORMAT, "a witness program of more than 40 bytes");
        program[(*n)++] = (uint8_t)(acc >> bits);
    }
    if (bits >= 5 || (acc & ((1u << bits) - 1)))
        FAIL(E_FORMAT, "an address with padding that is not zero");
    return OK;
}

static err network_check(const char *low, size_t hrp_len, enum address_network net)
{
    const char *hrp = address_hrp(net);
    if (strlen(hrp) != hrp_len || memcmp(low, hrp, hrp_len) != 0)
        FAIL(E_DENIED, "an address of another network than %s", hrp);
    return OK;
}

err address_decode(uint8_t *version, uint8_t program[static 40], size_t *n,
                   enum address_network net, const char *text)
{
    char low[ADDRESS_TEXT];
    uint8_t groups[ADDRESS_TEXT];
    size_t len;
    TRY(lower(low, &len, text));
    char *one = strrchr(low, '1');
    if (!one || one == low || len - (size_t)(one - low) - 1 < CHECKSUM + 1)
        FAIL(E_FORMAT, "no bech32 address");
    size_t hrp_len = (size_t)(one - low), count = len - hrp_len - 1;
    *one = 0;                              /* low is now the human-readable part */
    uint32_t state = polymod_hrp(low);
    TRY(read_groups(groups, count, &state, one + 1));
    if (state != (groups[0] ? BECH32M : BECH32))
        FAIL(E_FORMAT, "an address whose checksum is wrong");
    TRY(from_groups(program, n, groups + 1, count - 1 - CHECKSUM));
    TRY(program_check(groups[0], *n));
    *version = groups[0];
    return network_check(low, hrp_len, net);
}

void address_p2tr(char out[static ADDRESS_TEXT], enum address_network net, const uint8_t output_key[static 32])
{
    MUST(!address_encode(out, net, 1, output_key, 32).code);
}

err address_child_key(uint8_t child[static 33], const uint8_t master[static 33], const uint8_t root[static 32])
{
    uint8_t t[32];
    child_tweak(t, master, root);
    return ec_pubkey_add(child, master, t);
}

err address_output_key(uint8_t output_key[static 32], const uint8_t master[static 33],
                       const uint8_t root[static 32], const uint8_t *backup)
{
    uint8_t child[33];
    TRY(address_child_key(child, master, root));
    return taproot_output_key(output_key, NULL, child + 1, backup);   /* BIP340 takes the even y */
}

err address_output_key_bound(uint8_t output_key[static 32], const uint8_t master[static 33], const uint8_t rules[static 32],
                             const uint8_t emulated_key[static 32], const uint8_t *backup)
{
    uint8_t t[32], child[33];
    child_tweak_bound(t, master, rules, emulated_key);
    TRY(ec_pubkey_add(child, master, t));
    return taproot_output_key(output_key, NULL, child + 1, backup);
}

err address_output_key_tree(uint8_t output_key[static 32], uint8_t emulated_key[static 32], const uint8_t master[static 33],
                            const uint8_t rules[static 32], const uint8_t internal[static 32], const uint8_t root[static 32],
                            const uint8_t *backup)
{
    TRY(taproot_output_key(emulated_key, NULL, internal, root));
    return address_output_key_bound(output_key, master, rules, emulated_key, backup);
}

err address_emulated(char out[static ADDRESS_TEXT], enum address_network net,
                     const uint8_t master[static 33], const uint8_t root[static 32], const uint8_t *backup)
{
    uint8_t key[32];
    out[0] = 0;
    TRY(address_output_key(key, master, root, backup));
    address_p2tr(out, net, key);
    return OK;
}
