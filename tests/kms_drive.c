/* kms_drive.c - the KMS client as the fetch role runs it, with a keeper's part before and after.
 *
 * Usage: kms_drive COMMAND NAME=VALUE…
 *   derive | describe | public-key
 *   arn=ARN ca=FILE kms=HOST:PORT imds=HOST:PORT nsm=unix:PATH blockhash=HEX
 *   host=NAME       the endpoint's name (else from the ARN)     fips=1
 *   sandbox=1       run the calls under the fetch role's own filter, with descriptors connected before
 *   times=N         derive so often, and wait for a line on standard input before each but the first
 * Prints NAME=VALUE lines; exit 0 when the call was OK, 1 when not, 2 usage. The key is a
 * simulated one, so the secret is printed too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/crypto.h"
#include "core/io.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/sandbox.h"
#include "core/secret.h"
#include "daemon/roles.h"
#include "keystore/kms.h"
#include "keystore/nsm.h"
#include "keystore/nums.h"
#include "keystore/recipient.h"

enum { READY_MAX = 8, DIAL_MS = 5000 };

struct drive {
    int argc;
    char **argv;
    int ready[2][READY_MAX];         /* connected before the sandbox closed: [0] KMS, [1] IMDS */
    unsigned used[2];
    bool sandboxed;
    struct recipient *recipient;
    uint8_t spki[NUMS_SPKI], document[NSM_RESPONSE_MAX];
    size_t document_len;
    char ca[65536];
    size_t ca_len;
};

static const char *option(const struct drive *d, const char *name)
{
    size_t n = strlen(name);
    for (int i = 2; i < d->argc; i++)
        if (strncmp(d->argv[i], name, n) == 0 && d->argv[i][n] == '=') return d->argv[i] + n + 1;
    return "";
}

static err connect_to(int *fd, const struct drive *d, const char *which)
{
    char address[256];
    snprintf(address, sizeof address, "tcp:%s", option(d, which));
    return fd_connect(fd, address, DIAL_MS);
}

static err dial(void *self, const char *host, uint16_t port, int *fd)
{
    struct drive *d = self;
    bool imds = strcmp(host, "169.254.169.254") == 0;
    if (port != (imds ? 80 : 443)) FAIL(E_STATE, "dialled port %u", port);
    if (!d->sandboxed) return connect_to(fd, d, imds ? "imds" : "kms");
    if (d->used[imds] == READY_MAX) FAIL(E_STATE, "no descriptor is left for %s", host);
    *fd = take_fd(&d->ready[imds][d->used[imds]++]);
    return OK;
}

/* The keeper's part: a document over a fresh recipient key. */
static err attest(struct drive *d)
{
    FD fd = -1;
    struct nsm nsm;
    uint8_t spki[RECIPIENT_SPKI];
    uint32_t counter;
    uint8_t blockhash[NUMS_BLOCKHASH] = { 0 };
    if (option(d, "blockhash")[0]) TRY(hex_to(blockhash, sizeof blockhash, option(d, "blockhash"), strlen(option(d, "blockhash"))));
    TRY(nums_point(d->spki, &counter, blockhash, PROFILE_CONFIDENTIAL_SCRIPT_2));
    if (!option(d, "nsm")[0]) return OK;
    TRY(recipient_new(&d->recipient));
    recipient_spki(d->recipient, spki);
    TRY(nsm_connect(&fd, option(d, "nsm")));
    TRY(nsm_from_fd(&nsm, fd));
    return nsm_attestation(&nsm, d->document, sizeof d->document, &d->document_len,
                           (struct bytes){ spki, sizeof spki }, (struct bytes){ 0 }, (struct bytes){ 0 });
}

static err read_ca(struct drive *d)
{
    FILE *f = fopen(option(d, "ca"), "rb");
    if (!f) FAIL(E_IO, "%s", option(d, "ca"));
    d->ca_len = fread(d->ca, 1, sizeof d->ca, f);
    fclose(f);
    return OK;
}

static err close_sandbox(struct drive *d)
{
    for (int i = 0; i < READY_MAX; i++) {
        TRY(connect_to(&d->ready[0][i], d, "kms"));
        TRY(connect_to(&d->ready[1][i], d, "imds"));
    }
    d->sandboxed = true;
    const struct sandbox s = { .calls = calls_fetch, .refused = calls_refused, .max_fds = 64 };
    return sandbox_enter(&s);
}

static void tell(err e, const struct kms_outcome *how)
{
    printf("result=%s\nstatus=%d\ntype=%s\nmessage=%s\nretryable=%d\nrequest=%s\n", e.code ? err_text(e.code) : "ok",
           how->http_status, how->error_type, how->message, how->retryable, how->request_id);
}

static err derive(struct drive *d, struct kms *k)
{
    static struct kms_answer a;
    SECRET z = NULL;
    char hex[65];
    err e = kms_derive_shared_secret(k, &a, d->spki, sizeof d->spki, d->document, d->document_len);
    tell(e, &a.how);
    TRY(e);
    TRY(recipient_open(&z, d->recipient, a.cms, a.cms_len, 32));
    hex_from(hex, secret_peek(z), 32);
    printf("key=%s\norigin=%s\ncms=%zu\nz=%s\n", a.key_id, a.key_origin, a.cms_len, hex);
    return OK;
}

static err describe(struct kms *k)
{
    struct kms_key key;
    struct kms_outcome how;
    err e = kms_describe_key(k, &how, &key);
    tell(e, &how);
    TRY(e);
    printf("arn=%s\nmanager=%s\nspec=%s\nusage=%s\nstate=%s\norigin=%s\nenabled=%d\nmulti_region=%d\n", key.arn, key.key_manager,
           key.key_spec, key.key_usage, key.key_state, key.origin, key.enabled, key.multi_region);
    return OK;
}

static err public_key(struct kms *k)
{
    uint8_t spki[KMS_SPKI_MAX];
    char hex[2 * KMS_SPKI_MAX + 1];
    size_t n;
    struct kms_outcome how;
    err e = kms_get_public_key(k, &how, spki, &n);
    tell(e, &how);
    TRY(e);
    hex_from(hex, spki, n);
    printf("spki=%s\n", hex);
    return OK;
}

static err run(struct drive *d)
{
    KMS k = NULL;
    const char *what = d->argv[1];
    TRY(secret_arena_open(1 << 16));
    TRY(crypto_warm_up());
    TRY(attest(d));
    TRY(kms_warm_up());
    struct kms_config c = { .key_arn = option(d, "arn"), .endpoint_host = option(d, "host"), .ca_path = option(d, "ca"),
                            .fips = option(d, "fips")[0] != 0, .timeout_ms = 3000 };
    if (option(d, "sandbox")[0]) {
        /* As fetch does: it learns the ARN, and so opens, when its sandbox is long closed. */
        TRY(read_ca(d));
        c.ca_pem = d->ca, c.ca_pem_len = d->ca_len;
        TRY(close_sandbox(d));
    }
    TRY(kms_open(&k, &c, dial, d));
    if (strcmp(what, "describe") == 0) return describe(k);
    if (strcmp(what, "public-key") == 0) return public_key(k);
    err e = derive(d, k);
    for (int left = atoi(option(d, "times")) - 1; left > 0; left--) {
        char line[64];
        fflush(stdout);
        if (!fgets(line, sizeof line, stdin)) break;
        e = derive(d, k);
    }
    return e;
}

int main(int argc, char **argv)
{
    static struct drive d;
    d = (struct drive){ .argc = argc, .argv = argv };
    if (argc < 2) {
        fputs("usage: kms_drive derive|describe|public-key NAME=VALUE...\n", stderr);
        return 2;
    }
    log_open("drive", LOG_DEBUG);
    err e = run(&d);
    recipient_drop(&d.recipient);
    printf("end=%s\n", e.code ? err_text(e.code) : "ok");
    return e.code ? 1 : 0;
}
