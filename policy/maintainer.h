/* maintainer.h - who may sign: public keys of three kinds, and sets of them with a threshold. Pure. */
#ifndef POLICY_MAINTAINER_H
#define POLICY_MAINTAINER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/buf.h"
#include "core/err.h"
#include "policy/strict.h"

enum { MAINTAINERS_MAX = 16, MAINTAINER_NAME = 64, MAINTAINER_TEXT = 256, MAINTAINER_APPLICATION = 64 };

enum maintainer_kind {
    MAINTAINER_SSH,                              /* ssh-ed25519                                   */
    MAINTAINER_SK,                               /* sk-ssh-ed25519@openssh.com, a hardware key    */
    MAINTAINER_NOSTR                             /* the x of a secp256k1 point (BIP340)           */
};

struct maintainer {
    char    name[MAINTAINER_NAME + 1];           /* for people; identity is kind and key          */
    enum maintainer_kind kind;
    uint8_t key[32];
    char    application[MAINTAINER_APPLICATION + 1];   /* of an SK key, as "ssh:"; else ""         */
};

struct maintainers { uint64_t threshold; size_t count; struct maintainer one[MAINTAINERS_MAX]; };

/* Read a key as a text: `ssh-ed25519 BASE64` and `sk-ssh-ed25519@openssh.com BASE64` as in a .pub file without its
 * comment, or `nostr ` and 64 lower-case hex digits. The name is left alone. Fails: E_FORMAT (also: no key that somebody could hold). */
err  maintainer_parse(struct maintainer *out, const char *p, size_t n);
/* Write it so. */
void maintainer_write(struct wr *w, const struct maintainer *m);
/* The public key blob of OpenSSH. Out: *out but its name. Returns NULL, or why not; logs nothing, as it reads what anybody sends. */
const char *maintainer_blob(struct maintainer *out, const uint8_t *p, size_t n);
/* Are these the same signer: same kind, same 32 bytes? An SK key's application is no part of who it is. */
bool maintainer_same(const struct maintainer *a, const struct maintainer *b);
/* Where this signer stands in the set, or -1. */
int  maintainers_find(const struct maintainers *set, const struct maintainer *m);
/* Add one. Refused: the same 32 bytes again, under whatever kind (who holds an Ed25519 key can sign as ssh and as sk),
 * or the same name again. Fails: E_FORMAT, E_LIMIT. */
err  maintainers_add(struct maintainers *set, const struct maintainer *m);

/* A u32be length and that many bytes, as SSH writes them. Out: *n. NULL and bad when short. */
const uint8_t *ssh_string(struct rd *r, size_t *n);
/* The same, when it is exactly this text; else bad. */
void ssh_expect(struct rd *r, const char *text);

#endif
