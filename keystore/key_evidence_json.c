/* key_evidence_json.c - evidence as a file, written and read. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "keystore/json.h"
#include "keystore/key_evidence.h"

/* ---- writing -------------------------------------------------------------- */

static json_t *pack_document(const struct key_document *d)
{
    json_t *body = d->status == 200 ? json_stringn(d->body.p, d->body.n) : NULL;
    /* An answer that is not even UTF-8 was judged unreadable, and is so again without its bytes. */
    if (!body) body = json_string("");
    return json_pack("{s:i, s:s, s:s, s:o}", "status", d->status, "error", d->error, "request_id", d->request_id, "body", body);
}

static json_t *pack_documents(const struct key_document *d, unsigned count)
{
    json_t *list = json_array();
    for (unsigned i = 0; list && i < count; i++)
        if (json_array_append_new(list, pack_document(&d[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *pack_builds(const struct key_builds *b)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < b->count; i++) {
        char hex[2 * KEY_PCR + 1];
        hex_from(hex, b->pcr0[i], KEY_PCR);
        json_array_append_new(list, json_string(hex));
    }
    return list;
}

static json_t *pack_findings(const struct key_report *r)
{
    json_t *list = json_array();
    for (unsigned i = 0; list && i < r->count; i++) {
        const struct key_finding_row *row = key_finding_row(r->found[i].finding);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "id", row->id, "severity", key_severity_text(row->severity),
                                              "where", r->found[i].where, "explanation", row->explanation));
    }
    return list;
}

err key_evidence_write(char **out, size_t *n, const struct key_evidence *e, const struct key_report *r)
{
    JSON j = json_pack("{s:s, s:i, s:s, s:I, s:o, s:o, s:{s:o, s:o, s:o, s:o}}", "type", "holdfast-key-evidence", "version", 1, "key", e->arn,
                       "checked_at", (json_int_t)e->checked_at, "measurements", pack_builds(&e->builds), "findings", pack_findings(r),
                       "documents", "describe_key", pack_document(&e->describe), "get_public_key", pack_document(&e->public_key),
                       "list_grants", pack_documents(e->grants, e->grant_count), "get_key_policy", pack_documents(e->policy, e->policy_count));
    char *text = j ? json_dumps(j, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    if (!text) FAIL(E_MEMORY, "no memory for key evidence");
    *n = strlen(text);
    if (*n > KEY_EVIDENCE_MAX) {
        free(text);
        FAIL(E_LIMIT, "key evidence of %zu bytes", *n);
    }
    *out = text;
    return OK;
}

/* ---- reading -------------------------------------------------------------- */

/* Body: the answer word for word, in our own files; or the answer itself, as the AWS CLI prints it. */
static err take_document(struct key_document *out, char **keep, const json_t *d, const char *what)
{
    const json_t *body = json_object_get(d, "body"), *status = json_object_get(d, "status");
    if (!json_is_object(d)) FAIL(E_FORMAT, "key evidence: %s is missing", what);
    if (!body && !status) {
        *keep = json_dumps(d, JSON_COMPACT | JSON_ENSURE_ASCII);
        if (!*keep) FAIL(E_MEMORY, "no memory for key evidence");
        *out = (struct key_document){ .status = 200, .body = { *keep, strlen(*keep) } };
        return OK;
    }
    if (!json_is_integer(status) || !json_is_string(body)) FAIL(E_FORMAT, "key evidence: %s has no status or no body", what);
    json_int_t code = json_integer_value(status);
    out->status = code >= 100 && code <= 999 ? (int)code : 0;
    out->body = (struct bytes){ json_string_value(body), json_string_length(body) };
    TRY(json_text_or_empty(d, "error", out->error, sizeof out->error));
    return json_text_or_empty(d, "request_id", out->request_id, sizeof out->request_id);
}

/* One document, or an array of up to `most`. */
static err take_list(struct key_document *out, unsigned *count, char **keep, const json_t *list, unsigned most, const char *what)
{
    size_t n = json_is_array(list) ? json_array_size(list) : 1;
    if (n == 0 || n > most) FAIL(E_FORMAT, "key evidence: %zu answers of %s", n, what);
    for (size_t i = 0; i < n; i++) TRY(take_document(&out[i], &keep[i], json_is_array(list) ? json_array_get(list, i) : list, what));
    *count = (unsigned)n;
    return OK;
}

static err take_builds(struct key_builds *out, const json_t *list)
{
    if (!list) return OK;
    if (!json_is_array(list) || json_array_size(list) > KEY_PCR0_MAX) FAIL(E_FORMAT, "key evidence: measurements");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *hex = json_string_value(json_array_get(list, i));
        if (!hex) FAIL(E_FORMAT, "key evidence: measurements");
        TRY(hex_to(out->pcr0[out->count++], KEY_PCR, hex, strlen(hex)));
    }
    return OK;
}

static err take_evidence(struct key_file *f, const json_t *j)
{
    struct key_evidence *e = &f->evidence;
    const json_t *documents = json_object_get(j, "documents"), *type = json_object_get(j, "type"), *at = json_object_get(j, "checked_at");
    const json_t *version = json_object_get(j, "version");
    if (type && (!json_is_string(type) || strcmp(json_string_value(type), "holdfast-key-evidence") != 0)) FAIL(E_FORMAT, "this is not key evidence");
    if (version && (!json_is_integer(version) || json_integer_value(version) != 1)) FAIL(E_FORMAT, "key evidence of another version than 1");
    TRY(json_text(j, "key", e->arn, sizeof e->arn));
    TRY(take_builds(&e->builds, json_object_get(j, "measurements")));
    if (json_is_integer(at)) e->checked_at = json_integer_value(at);
    TRY(take_document(&e->describe, &f->texts[0], json_object_get(documents, "describe_key"), "describe_key"));
    TRY(take_document(&e->public_key, &f->texts[1], json_object_get(documents, "get_public_key"), "get_public_key"));
    TRY(take_list(e->grants, &e->grant_count, f->texts + 2, json_object_get(documents, "list_grants"), KEY_GRANT_PAGES, "list_grants"));
    return take_list(e->policy, &e->policy_count, f->texts + 2 + KEY_GRANT_PAGES, json_object_get(documents, "get_key_policy"), KEY_READINGS, "get_key_policy");
}

/* What GET /key-evidence answers: {"document": base64, "evidence": text}. */
static err unwrap(struct key_file *f, json_t **j)
{
    const json_t *text = json_object_get(*j, "evidence"), *document = json_object_get(*j, "document");
    JSON inner = NULL;
    if (!text) return OK;
    if (!json_is_string(text) || !json_is_string(document)) FAIL(E_FORMAT, "key evidence: without its document");
    f->signed_text = strdup(json_string_value(text));
    f->document = strdup(json_string_value(document));
    if (!f->signed_text || !f->document) FAIL(E_MEMORY, "no memory for key evidence");
    TRY(json_read(&inner, json_string_value(text), json_string_length(text), "key evidence"));
    json_decref(*j);
    *j = inner;
    inner = NULL;
    return OK;
}

err key_file_read(struct key_file *out, const char *text, size_t n)
{
    KEY_FILE f = { 0 };
    JSON j = NULL;
    TRY(json_read(&j, text, n, "key evidence"));
    TRY(unwrap(&f, &j));
    TRY(take_evidence(&f, j));
    f.json = j;
    j = NULL;
    *out = f;
    memset(&f, 0, sizeof f);
    return OK;
}

void key_file_drop(struct key_file *f)
{
    json_decref(f->json);
    for (size_t i = 0; i < sizeof f->texts / sizeof *f->texts; i++) free(f->texts[i]);
    free(f->signed_text);
    free(f->document);
    memset(f, 0, sizeof *f);
}
