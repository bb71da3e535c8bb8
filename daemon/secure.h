/* secure.h - requests that come encrypted, as the keeper sees them: bytes in, bytes out.
 *
 * Two protocols: the earlier systems' (static Diffie-Hellman with the master key; facts of their API)
 * and the channel (keystore/channel.h). The keeper opens a request, hands the plaintext to web under
 * a handle, and seals the one answer to that handle. It parses neither. Session keys and the
 * channel's key stay here, in the arena; web never has one. */
#ifndef DAEMON_SECURE_H
#define DAEMON_SECURE_H
#include "daemon/keeper.h"
#include "keystore/channel.h"

enum {
    SECURE_SESSIONS = 512,                   /* requests opened and not yet answered, at most          */
    SECURE_SESSION_MS = 300000,              /* then one that was never answered is forgotten          */
    SECURE_REMEMBERED = 65536                /* requests of the channel within any two windows, at most */
};

struct secure;
/* Make a channel key for as long as there is no service, and this start's boot number.
 * Fails: E_MEMORY, E_IO. */
err  secure_open(struct secure **out);
void secure_close(struct secure **s);
#define SECURE __attribute__((cleanup(secure_close))) struct secure *
/* Put the channel's public key and the boot number where web is told them from. */
err  secure_show(const struct secure *s, struct wire_state *shown);
/* From here on the channel's key is the service's: the keyring's child "channel" of its epoch. */
err  secure_service(struct secure *s, const struct keyring *ring);

/* Rules for web's frames KEEPER_SECURE, KEEPER_CHANNEL and KEEPER_SEAL; self is the keeper. */
err  secure_on_secure(void *self, int fd, const struct msg *m, int *pass);
err  secure_on_channel(void *self, int fd, const struct msg *m, int *pass);
err  secure_on_seal(void *self, int fd, const struct msg *m, int *pass);

#endif
