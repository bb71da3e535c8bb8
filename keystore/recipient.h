/* recipient.h - the key that KMS encrypts its answer to, one per boot.
 *
 * The public half goes into the attestation document of a KMS request; the
 * answer (CiphertextForRecipient) is a CMS EnvelopedData (RFC 5652) for it. The
 * envelope is confidential, NOT authentic: anyone who saw the document can make one.
 * Authenticity comes from TLS to KMS and from the keyring's commitment. */
#ifndef KEYSTORE_RECIPIENT_H
#define KEYSTORE_RECIPIENT_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "core/secret.h"

enum { RECIPIENT_SPKI = 294, RECIPIENT_CMS_MAX = 6144 };

struct recipient;
/* Make an RSA-2048 key pair. Its numbers live in libcrypto's locked heap, which this
 * sets up if nobody has: call it before sandbox_enter(). Takes some 100 ms.
 * Fails: E_IO (memory could not be locked), E_MEMORY. */
err  recipient_new(struct recipient **out);
/* The same over a given private key (PKCS#1 or PKCS#8 DER): for published vectors. */
err  recipient_from_der(struct recipient **out, const void *der, size_t n);
void recipient_drop(struct recipient **r);
#define RECIPIENT __attribute__((cleanup(recipient_drop))) struct recipient *
/* The public key as DER SubjectPublicKeyInfo. */
void recipient_spki(const struct recipient *r, uint8_t out[static RECIPIENT_SPKI]);

/* Open an envelope that must hold exactly plain_len bytes.
 * BER: definite and indefinite lengths, primitive and constructed strings. Everything
 * else is fixed, as AWS sends it: EnvelopedData v2, one KeyTransRecipientInfo v2 whose
 * subjectKeyIdentifier is SHA-256 of our SPKI, RSAES-OAEP with SHA-256, MGF1-SHA-256 and
 * an empty label, AES-256-CBC with a 16-byte IV, PKCS#7 padding, no attributes, no byte after the end.
 * Out:   *out, the caller's to drop. The plaintext is decrypted straight into it.
 * Fails: E_FORMAT or E_LIMIT (structure, or an algorithm that is not the one above);
 *        E_AUTH for everything after that: another recipient, OAEP, padding,
 *        length. Which of these is not told, and takes the same path. */
err  recipient_open(secret **out, const struct recipient *r, const void *cms, size_t n, size_t plain_len);

#endif
