/* upgrade_announced.c - the new build's announcement: fetched or read, and judged before it is sent on. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/hash.h"
#include "core/mem.h"
#include "keystore/announce.h"
#include "keystore/key_finding.h"
#include "keystore/pem.h"
#include "parent/ask.h"
#include "parent/file.h"
#include "keystore/nitro_root.h"
#include "parent/say.h"
#include "parent/upgrade.h"
#include "parent/verify.h"
#include "policy/statement.h"

enum { NONCE = 32, FILE_CAP = 64 << 10, ASK_S = 60, MAX_AGE_ONLINE = 300 };

/* What the announcement is judged by. */
struct bench { uint8_t root[ATTEST_CERT_MAX], nonce[NONCE], master[ANNOUNCE_PUBLIC], service_pcr[ATTEST_PCR]; size_t root_len; bool online; };

static enum exits take_root(struct bench *b, const struct call *c)
{
    const char *path = call_value(c, "root");
    BYTES text = NULL;
    size_t n = 0;
    memcpy(b->root, nitro_root_g1, sizeof nitro_root_g1);
    b->root_len = sizeof nitro_root_g1;
    if (!path) return EXIT_DONE;
    if (file_read(&text, &n, path, FILE_CAP).code || pem_certificate(b->root, sizeof b->root, &b->root_len, text, n).code)
        return say_failure(c, EXIT_USAGE, NULL, NULL, "upgrade: --root %s is not a certificate in PEM", path);
    return EXIT_DONE;
}

static bool take_base64(struct upgrade *u, const char *text)
{
    const size_t n = text ? strlen(text) : 0;
    return n && !mem_new(&u->document, n).code && base64_read(u->document, n, &u->n, text, n);
}

/* The answer of GET /announcement, or the document alone. */
static enum exits load(struct upgrade *u, const struct call *c, const char *path)
{
    if (file_read(&u->document, &u->n, path, FILE_CAP).code) return say_failure(c, EXIT_USAGE, NULL, NULL, "upgrade: --announcement %s cannot be read", path);
    if (!u->n || u->document[0] != '{') return EXIT_DONE;
    JSON kept = json_loadb((const char *)u->document, u->n, JSON_REJECT_DUPLICATES, NULL);
    mem_free_bytes(&u->document);
    if (take_base64(u, json_string_value(json_object_get(kept, "document")))) return EXIT_DONE;
    return say_failure(c, EXIT_USAGE, NULL, NULL, "upgrade: %s is no answer of GET /announcement", path);
}

static enum exits fetch(struct upgrade *u, struct bench *b, const struct call *c, const char *url)
{
    char path[32 + 2 * NONCE + 1] = "/announcement?nonce=";
    HTTP_ANSWER a = { 0 };
    if (random_bytes(b->nonce, NONCE).code) return say_failure(c, EXIT_REFUSED, NULL, NULL, "no random bytes for a nonce");
    hex_from(path + strlen(path), b->nonce, NONCE);
    err e = http_call(&a, &(struct http_request){ .url = url, .path = path, .timeout_s = ASK_S, .progress = "asking the new build" });
    if (e.code == E_FORMAT) return say_failure(c, EXIT_USAGE, NULL, NULL, "`%s` is no address: http://HOST:PORT or unix:PATH", url);
    if (e.code)
        return say_failure(c, EXIT_REACH, NULL, "Start the new build beside the old one, in announce mode; then run this again.",
                           "cannot reach the new build at %s: %s", url, a.reason);
    JSON body = a.json ? json_loadb((const char *)a.body, a.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (a.status == 200 && take_base64(u, json_string_value(json_object_get(body, "document")))) return EXIT_DONE;
    const char *words = json_string_value(json_object_get(body, "error"));
    return say_failure(c, a.status >= 500 ? EXIT_SERVER : EXIT_REFUSED, NULL, "Is it the new build, and still without keys?",
                       "the new build at %s announces nothing: %s (HTTP %ld)", url, words ? words : "no document in its answer", a.status);
}

/* What the running service's master is: its own word, as the check is its own in the end. */
static enum exits take_master(struct bench *b, const struct call *c)
{
    JSON body = NULL;
    enum exits code = call_ask(c, &body, &(struct http_request){ .url = call_url(c), .path = "/public-key", .timeout_s = ASK_S });
    const char *hex = json_string_value(json_object_get(body, "public_key"));
    if (code != EXIT_DONE) return code;
    if (hex && !hex_to(b->master, sizeof b->master, hex, strlen(hex)).code) return EXIT_DONE;
    return say_failure(c, EXIT_SERVER, NULL, NULL, "the answer of %s has no public_key", call_url(c));
}

static enum exits refuse(struct upgrade *u, const struct call *c, const char *name, const char *reason, const char *why)
{
    upgrade_line(u, c, name, "failed", why);
    JSON detail = upgrade_json(u);
    json_object_set_new(detail, "reason", json_string(reason));
    return say_failure(c, EXIT_REFUSED, &detail, NULL, "the new build's announcement is refused: %s: %s", reason, why);
}

/* By name, what the build itself holds against its KMS key. */
static void say_findings(struct upgrade *u, const struct call *c, uint32_t findings)
{
    for (unsigned f = 0; f < KEY_FINDINGS; f++)
        if (findings >> f & 1) upgrade_line(u, c, "key-finding", "noted", key_finding_row((enum key_finding)f)->id);
    if (!findings) upgrade_line(u, c, "key-finding", "ok", "the new build found nothing that breaks custody of its KMS key");
}

static enum exits judge(struct upgrade *u, const struct bench *b, const struct call *c)
{
    const struct attest_check check = {
        .root = { b->root, b->root_len }, .at = (int64_t)time(NULL), .max_age = b->online ? MAX_AGE_ONLINE : 0,
        .nonce = { b->online ? b->nonce : NULL, b->online ? NONCE : 0 },
    };
    const struct document *r = &u->release.d;
    const struct announce_want want = {
        .service_id = r->service, .public_key = b->master, .service_pcr = b->service_pcr, .pcr = { r->pcr[0], r->pcr[1], r->pcr[2] },
        .pcr8 = r->has_pcr8 ? r->pcr8 : NULL, .not_before = r->not_before, .expires = r->expires, .accepted = UINT32_MAX,
    };
    struct attest_doc doc;
    struct announcement a;
    enum announce_reason why;
    const char *failed = NULL;
    char words[320], when[32], key[2 * ANNOUNCE_KEY + 1];
    if (attest_verify(&doc, &failed, u->document, u->n, &check).code)
        return refuse(u, c, "attestation", failed, "its attestation document does not verify; the line before says why");
    verify_time_text(when, doc.timestamp_ms / 1000);
    snprintf(words, sizeof words, "genuine%s, made at %s", call_value(c, "root") ? " under the root that was named" : "", when);
    upgrade_line(u, c, "attestation", "ok", words);
    if (announce_check(&a, &why, &doc, &want).code) return refuse(u, c, "new build", announce_reason_name(why), announce_reason_text(why));
    hex_from(key, a.build_key, ANNOUNCE_KEY);
    snprintf(words, sizeof words, "it is the release's; build key %s, KMS key %s", key, a.arn);
    upgrade_line(u, c, "new build", "ok", words);
    say_findings(u, c, a.findings);
    return EXIT_DONE;
}

enum exits upgrade_announcement(struct upgrade *u, const struct call *c)
{
    const char *url = call_value(c, "new-url"), *file = call_value(c, "announcement");
    struct bench b = { .online = url != NULL };
    enum exits code = take_root(&b, c);
    if (code == EXIT_DONE) code = take_master(&b, c);
    if (code == EXIT_DONE) code = url ? fetch(u, &b, c, url) : load(u, c, file);
    if (code != EXIT_DONE) return code;
    statement_service_pcr(b.service_pcr, u->release.d.service);
    return judge(u, &b, c);
}
