/* kms_auth.c - who signed this request: Signature Version 4, from the checking side.
 *
 * In AWS's order: is it signed at all, is the header whole, are the credentials known
 * and alive, is the scope ours, is the date near, and last the signature itself. */
#include <stdlib.h>
#include <string.h>
#include "core/hash.h"
#include "core/mem.h"
#include "sim/files.h"
#include "sim/kms_call.h"

enum { SKEW = 300, CREDENTIALS_MAX = 16 << 10 };

static const char mismatch[] = "The request signature we calculated does not match the signature you provided. "
                               "Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";

struct known { json_t *j; const char *access_key, *secret_key, *token, *expiration; };
static void drop_known(struct known *k) { json_decref(k->j); }

/* The credentials that imds gave out last. */
static err read_known(struct known *out, const char *dir)
{
    char path[PATH_LONGEST];
    TEXT text = NULL;
    size_t n = 0;
    json_error_t why;
    TRY(file_path(path, dir, "credentials.json"));
    TRY(file_read(&text, &n, path, CREDENTIALS_MAX));
    out->j = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    if (!out->j || json_unpack_ex(out->j, &why, 0, "{s:s, s:s, s:s, s:s}", "AccessKeyId", &out->access_key, "SecretAccessKey",
                                  &out->secret_key, "Token", &out->token, "Expiration", &out->expiration) != 0)
        FAIL(E_FORMAT, "%s: %s", path, why.text);
    return OK;
}

/* "2026-11-21T04:00:00Z" is the basic form with its separators. */
static err parse_expiration(int64_t *out, const char *text)
{
    char basic[SIGV4_TIME];
    size_t n = 0;
    for (; *text && n < sizeof basic - 1; text++)
        if (*text != '-' && *text != ':') basic[n++] = *text;
    basic[n] = 0;
    return sigv4_time_parse(out, basic);
}

static bool is_signed(const struct sigv4_claim *claim, const char *name)
{
    for (size_t i = 0; i < claim->signed_count; i++)
        if (strcmp(claim->signed_headers[i], name) == 0) return true;
    return false;
}

static err check_headers(struct kms_call *c, const struct sigv4_claim *claim)
{
    static const char *const needed[] = { "host", "x-amz-date", "x-amz-target", "content-type" };
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!is_signed(claim, needed[i]))
            return kms_refuse(c, "InvalidSignatureException", "'%s' must be a 'SignedHeader' in the AWS Authorization.", needed[i]);
    for (size_t i = 0; i < c->http->header_count; i++) {
        const char *name = c->http->headers[i].name;
        if (strncmp(name, "x-amz-", 6) == 0 && !is_signed(claim, name))
            return kms_refuse(c, "InvalidSignatureException", "There were headers present in the request which were not signed: %.60s", name);
    }
    return OK;
}

static err check_credentials(struct kms_call *c, const struct sigv4_claim *claim, const struct known *k)
{
    static const char invalid[] = "The security token included in the request is invalid.";
    const char *token = serve_header(c->http, "x-amz-security-token");
    int64_t until = 0;
    if (strcmp(claim->access_key, k->access_key) != 0) return kms_refuse(c, "UnrecognizedClientException", "%s", invalid);
    if (!token || strcmp(token, k->token) != 0) return kms_refuse(c, "UnrecognizedClientException", "%s", invalid);
    TRY(parse_expiration(&until, k->expiration));
    if (c->now >= until) return kms_refuse(c, "ExpiredTokenException", "The security token included in the request is expired");
    return OK;
}

/* The region in an AWS host name (kms.REGION.…, kms-fips.REGION.…); any other host is this machine, with no region. */
static void host_region(char out[static 32], const char *host)
{
    out[0] = 0;
    if (strncmp(host, "kms.", 4) != 0 && strncmp(host, "kms-fips.", 9) != 0) return;
    const char *start = strchr(host, '.') + 1;
    size_t n = strcspn(start, ".:");
    if (n == 0 || n >= 32) return;
    memcpy(out, start, n);
    out[n] = 0;
}

static err check_scope(struct kms_call *c, const struct sigv4_claim *claim)
{
    char region[32];
    host_region(region, serve_header(c->http, "host"));
    if (strcmp(claim->scope.service, "kms") != 0)
        return kms_refuse(c, "InvalidSignatureException", "Credential should be scoped to correct service: 'kms'.");
    if (region[0] && strcmp(claim->scope.region, region) != 0)
        return kms_refuse(c, "InvalidSignatureException", "Credential should be scoped to a valid region.");
    memcpy(c->region, claim->scope.region, sizeof c->region);
    return OK;
}

static err check_date(struct kms_call *c, const struct sigv4_claim *claim, const char *date)
{
    int64_t at = 0;
    char now[SIGV4_TIME], edge[SIGV4_TIME];
    if (!date || sigv4_time_parse(&at, date).code)
        return kms_refuse(c, "IncompleteSignature", "Date must be in ISO-8601 'basic format'.");
    if (strncmp(claim->scope.date, date, 8) != 0)
        return kms_refuse(c, "InvalidSignatureException", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                          "'%.8s' != '%.8s', from '%s'.", claim->scope.date, date, date);
    sigv4_time(now, c->now);
    sigv4_time(edge, c->now + (at < c->now ? -SKEW : SKEW));
    if (c->now - at > SKEW)
        return kms_refuse(c, "InvalidSignatureException", "Signature expired: %s is now earlier than %s (%s - 5 min.)", date, edge, now);
    if (at - c->now > SKEW)
        return kms_refuse(c, "InvalidSignatureException", "Signature not yet current: %s is still later than %s (%s + 5 min.)", date, edge, now);
    return OK;
}

static err check_signature(struct kms_call *c, const struct sigv4_claim *claim, const char *date, const char *secret)
{
    struct sigv4_header signed_headers[SIGV4_HEADERS_MAX];
    char own[SIGV4_HEX];
    for (size_t i = 0; i < claim->signed_count; i++) {
        signed_headers[i] = (struct sigv4_header){ claim->signed_headers[i], serve_header(c->http, claim->signed_headers[i]) };
        if (!signed_headers[i].value) return kms_refuse(c, "InvalidSignatureException", "%s", mismatch);
    }
    struct sigv4_request q = { .method = c->http->method, .path = c->http->path, .query = c->http->query, .headers = signed_headers,
                               .header_count = claim->signed_count, .body = c->http->body, .body_len = c->http->body_len };
    TRY(sigv4_sign(own, &q, date, &claim->scope, secret));
    if (strlen(claim->signature) != SIGV4_HEX - 1 || !bytes_equal(own, claim->signature, SIGV4_HEX - 1))
        return kms_refuse(c, "InvalidSignatureException", "%s", mismatch);
    return OK;
}

err kms_authenticate(struct kms_call *c)
{
    struct sigv4_claim claim;
    __attribute__((cleanup(drop_known))) struct known known = { NULL, NULL, NULL, NULL, NULL };
    const char *authorization = serve_header(c->http, "authorization"), *date = serve_header(c->http, "x-amz-date");
    if (!authorization) return kms_refuse(c, "MissingAuthenticationToken", "Missing Authentication Token");
    if (sigv4_claim_parse(&claim, authorization).code)
        return kms_refuse(c, "IncompleteSignature", "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters.");
    if (read_known(&known, c->server->dir).code)
        return kms_refuse(c, "UnrecognizedClientException", "The security token included in the request is invalid.");
    TRY(check_credentials(c, &claim, &known));
    TRY(check_headers(c, &claim));
    if (!serve_header(c->http, "host")) return kms_refuse(c, "InvalidSignatureException", "%s", mismatch);
    TRY(check_scope(c, &claim));
    TRY(check_date(c, &claim, date));
    return check_signature(c, &claim, date, known.secret_key);
}
