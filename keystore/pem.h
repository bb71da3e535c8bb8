/* pem.h - certificates in PEM (RFC 7468) to the DER inside. Pure; no X.509 is read. */
#ifndef KEYSTORE_PEM_H
#define KEYSTORE_PEM_H
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

/* The first `-----BEGIN CERTIFICATE-----` block of a text; what stands before and after
 * it is ignored. White space inside the base64 is, too; nothing else is.
 * Out:   der[0..*n), *n <= cap.
 * Fails: E_ABSENT (no such block), E_FORMAT (a broken one), E_LIMIT. */
err pem_certificate(uint8_t *der, size_t cap, size_t *n, const void *text, size_t len);

#endif
