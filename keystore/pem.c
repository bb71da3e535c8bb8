#include "keystore/pem.h"

#include <stdbool.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"

static const char begins[] = "-----BEGIN CERTIFICATE-----", ends[] = "-----END CERTIFICATE-----";

static bool space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

err pem_certificate(uint8_t *der, size_t cap, size_t *n, const void *text, size_t len)
{
    BYTES dense = NULL;
    size_t held = 0;
    const char *from = memmem(text, len, begins, sizeof begins - 1);
    if (!from) FAIL(E_ABSENT, "no certificate in PEM");
    from += sizeof begins - 1;
    size_t left = len - (size_t)(from - (const char *)text);
    const char *to = memmem(from, left, ends, sizeof ends - 1);
    if (!to) FAIL(E_FORMAT, "a PEM block without an end");
    TRY(mem_new(&dense, (size_t)(to - from)));
    for (; from < to; from++)
        if (!space(*from)) dense[held++] = (uint8_t)*from;
    TRY(base64_to(der, cap, n, (const char *)dense, held));
    if (*n == 0) FAIL(E_FORMAT, "an empty PEM block");
    return OK;
}
