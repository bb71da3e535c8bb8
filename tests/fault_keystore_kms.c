/* fault_keystore_kms.c - every allocation of the KMS client fails in turn, libcurl's and jansson's too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/mem.h"
#include "keystore/kms.h"
#include "tests/support/check_main.h"
#include "tests/support/faults.h"

#define ARN "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
#define CREDENTIALS "{\"Code\":\"Success\",\"AccessKeyId\":\"ASIAEXAMPLE\",\"SecretAccessKey\":\"s\",\"Token\":\"t\",\"Expiration\":\"2996-11-21T10:00:00Z\"}"

/* (MUST, not Check, inside the bodies: Check allocates, too.)
 * What the metadata service says, one stream after the other, written before anybody asks. */
static const char *const said[] = {
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nTOKEN",
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nrole",
    ("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" CREDENTIALS),
};
struct ctx { unsigned next; int far[3]; };

static err dial(void *self, const char *host, uint16_t port, int *fd)
{
    struct ctx *c = self;
    int pair[2];
    (void)host, (void)port;
    MUST(c->next < 3 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    size_t n = strlen(said[c->next]);
    MUST(write(pair[1], said[c->next], n) == (ssize_t)n);
    MUST(shutdown(pair[1], SHUT_WR) == 0);
    c->far[c->next++] = pair[1];
    *fd = pair[0];
    return OK;
}

static err fetch_body(void *ctx, unsigned long n)
{
    struct ctx *c = ctx;
    HTTP h = NULL;
    CREDS got = { 0 };
    const struct creds_source s = { .kind = CREDS_IMDS };
    (void)n;
    err e = http_open(&h, NULL, 0, dial, c);
    if (e.code == E_OK) e = creds_fetch(&got, h, &s, 1);
    MUST((got.access_key[0] != 0) == (e.code == E_OK));
    while (c->next > 0) close(c->far[--c->next]);
    return e;
}

static err parse_body(void *ctx, unsigned long n)
{
    static const char json[] = "{\"KeyId\":\"" ARN "\",\"KeyAgreementAlgorithm\":\"ECDH\",\"KeyOrigin\":\"AWS_KMS\",\"CiphertextForRecipient\":\"MIAGCQ==\"}";
    static struct kms_answer a;
    (void)ctx, (void)n;
    return kms_answer_parse(&a, json, sizeof json - 1, ARN);
}

static err no_dial(void *self, const char *host, uint16_t port, int *fd)
{
    (void)self, (void)host, (void)port, (void)fd;
    return (err){ E_CLOSED };
}

/* Opened and asked up to the point where the peer is needed; then E_CLOSED is the success. */
static err open_body(void *ctx, unsigned long n)
{
    static struct kms_answer a;
    KMS k = NULL;
    const struct kms_config c = { .key_arn = ARN, .ca_pem = "x", .ca_pem_len = 1 };
    (void)ctx, (void)n;
    TRY(kms_open(&k, &c, no_dial, NULL));
    err e = kms_derive_shared_secret(k, &a, (const uint8_t *)"p", 1, (const uint8_t *)"d", 1);
    return e.code == E_CLOSED ? OK : e;
}

START_TEST(allocations)
{
    struct ctx c = { 0 };
    ASSERT_OK(kms_warm_up());
    FAULT_LOOP(FAULT_ALLOC_LIBRARY, fetch_body, &c);
    FAULT_LOOP(FAULT_ALLOC, parse_body, NULL);
    FAULT_LOOP(FAULT_ALLOC_LIBRARY, open_body, NULL);
}
END_TEST

static Suite *suite(void) { return CHECK_SUITE("faults of the KMS client", allocations); }
CHECK_MAIN(suite)
