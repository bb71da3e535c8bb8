/* keeper.h - what the role keeper knows while it runs. */
#ifndef DAEMON_KEEPER_H
#define DAEMON_KEEPER_H
#include "core/secret.h"
#include "daemon/loop.h"
#include "daemon/wire.h"
#include "keystore/keyring.h"
#include "keystore/nsm.h"
#include "keystore/profile.h"
#include "keystore/recipient.h"
#include "policy/record.h"

struct keeper {
    struct role_env  *env;
    unsigned          state;             /* one of enum phase                          */
    struct nsm        nsm;
    struct recipient *recipient;
    struct secure    *secure;            /* daemon/secure.h                            */
    struct wire_state shown;             /* what web was told last                     */
};

/* derive.c: ask KMS, through fetch, for the secret of (key, block hash): attested to this
 * boot's recipient key, opened here. Bounded attempts. Out: *z, 32 bytes.
 * Fails: E_DENIED (KMS says no; or the answer's key or origin is not what it must be),
 *        E_AUTH (the envelope), E_CLOSED or E_TIMEOUT (KMS not to be had), E_FORMAT. */
err keeper_derive(struct keeper *k, secret **z, const char *arn, const uint8_t blockhash[static 32], enum profile profile);
/* begin.c: make a service, or open the one in `record`. */
err keeper_genesis(struct keeper *k, const struct genesis *g, secret **z);
err keeper_open_record(struct keeper *k, const uint8_t *bytes, size_t n);
/* attest.c: answer KEEPER_ATTEST. */
err keeper_on_attest(void *self, int fd, const struct msg *m, int *pass);
/* Extend PCR16 with the service id and lock it, or find it so: from here on, every document of
 * this boot names the service. Fails: E_STATE (it holds something else), as the NSM's calls. */
err keeper_bind_service(const struct keeper *k, const uint8_t service_id[static 32]);
/* Tell web (and, through init, the log) where we are. */
err keeper_tell(struct keeper *k, enum phase phase);

#endif
