/* sshsig.h - detached signatures as `ssh-keygen -Y sign` makes them (OpenSSH's PROTOCOL.sshsig). Pure.
 *
 * Ed25519 keys, in software and in hardware (PROTOCOL.u2f). Parsing proves nothing; it tells which key is claimed,
 * so that only signatures of known keys cost a verification. Nothing is logged: anybody may send these. */
#ifndef POLICY_SSHSIG_H
#define POLICY_SSHSIG_H
#include "core/err.h"
#include "policy/maintainer.h"

enum { SSHSIG_MAX = 2048, SSHSIG_NAMESPACE = 64 };

struct sshsig {
    struct maintainer who;                       /* as the signature claims; no name              */
    char     name_space[SSHSIG_NAMESPACE + 1];
    bool     sha512;                             /* else SHA-256                                  */
    uint8_t  signature[64];
    uint8_t  flags;                              /* of an SK key: bit 0, its user was present     */
    uint32_t counter;                            /* of an SK key                                  */
};

/* The message, hashed once for many signatures. */
struct sshsig_message { const uint8_t *sha256, *sha512; };

/* Does it begin as one? */
bool sshsig_is(const char *p, size_t n);
/* Parse the armoured form, whole. Returns NULL, or why it is none (a literal). */
const char *sshsig_parse(struct sshsig *out, const char *p, size_t n);
/* Verify, in this namespace; an SK key's user must have been present. Out: *why, NULL when it is good. Fails: E_MEMORY. */
err  sshsig_check(const char **why, const struct sshsig *s, const char *name_space, const struct sshsig_message *m);

#endif
