/* creds.h - session credentials for KMS, from the instance or the container.
 *
 * They come through the untrusted parent, and that is fine: they say who pays and
 * who is asked for permission; what protects the key is the attestation condition in
 * its policy. They never choose the key. Never logged; wiped when replaced. */
#ifndef KEYSTORE_CREDS_H
#define KEYSTORE_CREDS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "keystore/http.h"

enum { CREDS_KEY_MAX = 129, CREDS_TOKEN_MAX = 8193 };      /* with the NUL */

struct creds {
    char access_key[CREDS_KEY_MAX];
    char secret_key[CREDS_KEY_MAX];
    char token[CREDS_TOKEN_MAX];         /* empty: long-lived credentials */
    int64_t expires;                     /* unix seconds                  */
};
void creds_wipe(struct creds *c);
#define CREDS __attribute__((cleanup(creds_wipe))) struct creds

enum creds_kind { CREDS_IMDS, CREDS_CONTAINER, CREDS_GIVEN };
struct creds_source {
    enum creds_kind kind;
    char host[ARN_HOST_MAX];             /* empty: 169.254.169.254 (IMDS)  */
    uint16_t port;                       /* 0: 80                          */
    char path[256];                      /* container: path of the credentials document */
    char authorization[1024];            /* container: Authorization header, or empty   */
    struct creds given;                  /* CREDS_GIVEN: these, for as long as the process lives */
};

/* Fetch from the source. IMDS: version 2 only (token, role name, credentials), never
 * the tokenless version 1. Out: *out, untouched on failure.
 * Fails: E_FORMAT (a strange answer), E_DENIED (401, 403), E_ABSENT (404: no role),
 *        E_STATE (already expired), and what http_call() fails with. */
err creds_fetch(struct creds *out, struct http *h, const struct creds_source *s, int64_t now);
/* The JSON document of either source: {"AccessKeyId","SecretAccessKey","Token","Expiration",…}.
 * Fails: E_FORMAT (also an empty key or token: a role always has one), E_LIMIT. */
err creds_parse(struct creds *out, const char *json, size_t n);
/* True when there are none or they end within ten minutes of `now`. */
bool creds_stale(const struct creds *c, int64_t now);
/* A container's credentials URI (AWS_CONTAINER_CREDENTIALS_FULL_URI, or _RELATIVE_URI when it
 * begins with '/') into *out. Plain http only, and only to loopback, 169.254.170.2 or
 * 169.254.170.23, as the AWS tools do. Fails: E_FORMAT, E_DENIED (another host). */
err creds_container_uri(struct creds_source *out, const char *uri);

#endif
