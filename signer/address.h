/* address.h - addresses of emulated scripts, from public keys alone.
 *
 * No secret comes near this: the command line links it to work offline. */
#ifndef SIGNER_ADDRESS_H
#define SIGNER_ADDRESS_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "signer/tx.h"

enum address_network { ADDRESS_MAINNET, ADDRESS_TESTNET, ADDRESS_SIGNET, ADDRESS_REGTEST };
enum { ADDRESS_TEXT = 91 };            /* the longest segwit address and its NUL (BIP173) */

/* From "mainnet", "testnet", "signet", "regtest". Fails: E_FORMAT. */
err address_network_parse(enum address_network *out, const char *name);
/* Its human-readable part: bc, tb, tb, bcrt. */
const char *address_hrp(enum address_network net);

/* A segwit address: version 0 in bech32 (BIP173), 1..16 in bech32m (BIP350).
 * Fails: E_FORMAT (version above 16, program not of 2..40 bytes, v0 not of 20 or 32). */
err address_encode(char out[static ADDRESS_TEXT], enum address_network net,
                   uint8_t version, const uint8_t *program, size_t n);
/* Out: version, program[0..*n). Fails: E_FORMAT (characters, mixed case, checksum of the wrong kind,
 * padding, lengths), E_DENIED (well formed, but of another network). */
err address_decode(uint8_t *version, uint8_t program[static 40], size_t *n,
                   enum address_network net, const char *text);

/* P2TR address of an output key. Cannot fail. */
void address_p2tr(char out[static ADDRESS_TEXT], enum address_network net, const uint8_t output_key[static 32]);

/* Child public key for the emulated merkle root `root`: master + t*G (child.h).
 * Fails: E_FORMAT (master is no point; or, never seen, the sum is infinity). */
err address_child_key(uint8_t child[static 33], const uint8_t master[static 33], const uint8_t root[static 32]);
/* Output key on chain: BIP341 of the child's x and the backup root (NULL: none). Fails: as above. */
err address_output_key(uint8_t output_key[static 32], const uint8_t master[static 33],
                       const uint8_t root[static 32], const uint8_t *backup);
/* The same with holdfast-1: the child is that of the rule set's id and the emulated output key. */
err address_output_key_bound(uint8_t output_key[static 32], const uint8_t master[static 33], const uint8_t rules[static 32],
                             const uint8_t emulated_key[static 32], const uint8_t *backup);
/* The same from the tree: its root under `internal` (x-only). Out: the emulated output key too. */
err address_output_key_tree(uint8_t output_key[static 32], uint8_t emulated_key[static 32], const uint8_t master[static 33],
                            const uint8_t rules[static 32], const uint8_t internal[static 32], const uint8_t root[static 32],
                            const uint8_t *backup);
/* Both, to text: where to pay so that the emulated tree with this root can spend. */
err address_emulated(char out[static ADDRESS_TEXT], enum address_network net,
                     const uint8_t master[static 33], const uint8_t root[static 32], const uint8_t *backup);

/* A script tree as its leaves from left to right, each with its depth (BIP386's order): one
 * leaf alone has depth 0; {A,{B,C}} is A at 1, B at 2, C at 2. */
struct tree_leaf { uint8_t depth, version; struct span script; };
enum { TREE_MAX_LEAVES = 1024 };
/* Root of the tree. Fails: E_FORMAT (depths that make no tree, an odd version, none), E_LIMIT
 * (deeper than 128, or more than TREE_MAX_LEAVES). */
err tree_root(uint8_t root[static 32], const struct tree_leaf *leaves, size_t count);
/* The control block of leaf `which` under `internal`, with the parity of the output key.
 * Out: control[0..*n), at most 33 + 32*128 bytes. Fails: as tree_root(); E_FORMAT (internal is no point). */
enum { TREE_CONTROL_MAX = 33 + 32 * 128 };
err tree_control(uint8_t control[static TREE_CONTROL_MAX], size_t *n, const uint8_t internal[static 32],
                 const struct tree_leaf *leaves, size_t count, size_t which);

/* Root of a tree written as BIP386 writes one, with scripts in hex (leaf version c0): `51`, `{51,{52ac,53}}`.
 * Fails: E_FORMAT, E_LIMIT (depth, leaves), E_MEMORY. */
err tree_text_root(uint8_t root[static 32], const char *text, size_t n);
/* A leaf that gets coins back without the service: `blocks` after the output was mined (BIP68, BIP112: 1 to 65535), signed
 * for by `key` (x-only). Out: out[0..*n): blocks CHECKSEQUENCEVERIFY DROP key CHECKSIG. Fails: E_FORMAT (blocks; key is no point). */
enum { RECOVERY_SCRIPT = 4 + 1 + 1 + 33 + 1 };
err recovery_script(uint8_t out[static RECOVERY_SCRIPT], size_t *n, uint32_t blocks, const uint8_t key[static 32]);

#endif
