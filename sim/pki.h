/* pki.h - the simulator's certificate authority for attestation documents.
 *
 * A development root made once and kept, and under it a chain shaped as AWS's:
 * root (30 years), region (20 days), zone (6 days), instance (24 hours), and the
 * enclave's own certificate (3 hours and 3 seconds). All P-384, ECDSA-SHA384. */
#ifndef SIM_PKI_H
#define SIM_PKI_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "core/hash.h"
#include "keystore/cose.h"

enum { PKI_CHAIN = 5, PKI_CERT_MAX = 1024 };

struct pki;
/* Open the root of DIR: nsm-root.key (PEM, mode 0600), nsm-root.der, nsm-root.pem. When none of
 * the three is there they are made; when some are, that is E_ABSENT and nothing is made:
 * others have pinned the root. Fails: E_FORMAT (a file does not parse, or the key is another's), E_IO. */
err  pki_open(struct pki **out, const char *dir);
void pki_close(struct pki **p);
#define PKI __attribute__((cleanup(pki_close))) struct pki *

/* A key with its certificates, root first, its own last. */
struct pki_chain;
/* Issue a fresh chain for an instance and an enclave (its module id), valid from `now` (unix seconds). */
err  pki_issue(struct pki_chain **out, const struct pki *p, const char *instance, const char *module_id, int64_t now);
void pki_chain_free(struct pki_chain **c);
/* DER of certificate i < PKI_CHAIN; borrowed from the chain. */
struct bytes pki_certificate(const struct pki_chain *c, size_t i);
/* The last second at which the enclave's certificate is valid. */
int64_t pki_until(const struct pki_chain *c);
/* A cose_signer over the enclave's key; self is the struct pki_chain. */
err  pki_sign(void *self, uint8_t sig[static COSE_SIG], const void *message, size_t n);

#endif
