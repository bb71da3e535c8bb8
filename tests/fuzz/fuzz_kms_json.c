/* What KMS, or somebody in its place, answers: first byte the kind, then the body (for errors: a status
 * before it). What is taken must hold what its contract says, and nothing unprintable may get on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/log.h"
#include "keystore/kms.h"
#include "tests/fuzz/reach.h"

#define ARN "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    log_open("fuzz", LOG_ERROR);
    return 0;
}

static void check_text(const char *s, size_t cap)
{
    size_t n = strnlen(s, cap);
    MUST(n < cap);
    for (size_t i = 0; i < n; i++) MUST(s[i] >= ' ' && s[i] <= '~');
}

static void try_derive(const char *p, size_t n)
{
    static struct kms_answer a;
    memset(&a, 0, sizeof a);
    if (kms_answer_parse(&a, p, n, ARN).code) return;
    MUST(strcmp(a.key_id, ARN) == 0 && a.cms_len > 0 && a.cms_len <= sizeof a.cms);
    check_text(a.key_origin, sizeof a.key_origin);
    fuzz_reached("kms_json");
}

static void try_others(uint8_t kind, const char *p, size_t n)
{
    static struct kms_key k;
    static struct creds c;
    static uint8_t spki[KMS_SPKI_MAX];
    size_t len = 0;
    if (kind == 1 && kms_describe_parse(&k, p, n, ARN).code == E_OK) {
        MUST(strcmp(k.arn, ARN) == 0);
        fuzz_reached("kms_json.describe");
    }
    if (kind == 2 && kms_public_key_parse(spki, &len, p, n, ARN).code == E_OK) MUST(len <= sizeof spki);
    if (kind == 3 && creds_parse(&c, p, n).code == E_OK) {
        check_text(c.access_key, sizeof c.access_key);
        check_text(c.token, sizeof c.token);
        MUST(c.access_key[0] && strchr(c.access_key, '/') == NULL);
        fuzz_reached("kms_json.creds");
    }
}

static void try_error(const uint8_t *p, size_t n)
{
    static struct http_answer a;
    struct kms_outcome o;
    if (n < 2 || n - 2 > HTTP_BODY_MAX) return;
    a.status = 100 + (p[0] | (p[1] & 1) << 8);
    a.len = n - 2;
    memcpy(a.body, p + 2, a.len);
    a.body[a.len] = 0;
    enum err_code code = kms_outcome_parse(&o, &a).code;
    MUST((code == E_OK) == (a.status == 200));
    check_text(o.error_type, sizeof o.error_type);
    check_text(o.message, sizeof o.message);
    if (o.error_type[0] && o.message[0]) fuzz_reached("kms_json.error");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0) return 0;
    uint8_t kind = data[0] % 5;
    char *copy = malloc(n);              /* of its own size, so that one byte too far is seen */
    MUST(copy != NULL);
    memcpy(copy, data + 1, n - 1);
    if (kind == 0) try_derive(copy, n - 1);
    else if (kind == 4) try_error(data + 1, n - 1);
    else try_others(kind, copy, n - 1);
    free(copy);
    return 0;
}
