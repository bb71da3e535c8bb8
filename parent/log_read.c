/* log_read.c - see log_read.h. */
#include "parent/log_read.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "parent/ask.h"
#include "parent/file.h"
#include "parent/say.h"

enum { FILE_MAX = 1 << 28, PAGE = 256, ASK_S = 60 };

err log_keys_parse(struct log_keys *out, const char *text)
{
    *out = (struct log_keys){ 0 };
    while (*text) {
        const size_t n = strcspn(text, ",");
        if (out->count == sizeof out->one / sizeof *out->one) FAIL(E_LIMIT, "more than %zu verifier keys", out->count);
        TRY(note_key_parse(&out->one[out->count], text, n));
        if (out->one[out->count].type != NOTE_ED25519) FAIL(E_FORMAT, "the key of a witness, not of a log");
        out->count++;
        text += n + (text[n] == ',');
    }
    return out->count ? OK : (err){ E_FORMAT };
}

/* ---- store ---- */

static err check_segment(const struct tail *t, const struct log_keys *keys, const char *name)
{
    for (size_t i = 0; keys && i < keys->count; i++) {
        const err e = tail_check(t, keys->one[i].key);
        if (e.code != E_AUTH) return e;
    }
    if (keys && keys->count) FAIL(E_AUTH, "log segment %s is signed by none of the keys given", name);
    return OK;
}

err log_from_store(struct store_backend *s, const struct chain *c, const struct log_keys *keys, uint64_t from, uint64_t count, log_each *each, void *self)
{
    BYTES room = NULL;
    TRY(mem_new(&room, TAIL_MAX));
    for (size_t i = 0; i < c->count && count > 0; i++) {
        const struct segment *g = &c->segments[i];
        const uint64_t end = i + 1 < c->count ? c->segments[i + 1].from : c->leaves.size;
        struct tail t;
        uint8_t sha[32];
        size_t n = 0;
        if (end <= from) continue;
        TRY(segment_read(&t, sha, room, &n, s, g->name));
        if (memcmp(sha, g->sha256, sizeof sha) != 0) FAIL(E_AUTH, "log segment %s changed while it was read", g->name);
        TRY(check_segment(&t, keys, g->name));
        struct rd r = tail_entries(&t);
        uint64_t index = g->from;
        for (const uint8_t *p; count > 0 && (p = tail_next(&r, &n)); index++) {
            if (index < from) continue;
            TRY(each(self, index, p, n));
            count--;
        }
    }
    return OK;
}

/* ---- JSON of a service, or of a file ---- */

static const char *text_of(const json_t *one)
{
    return json_string_value(json_is_object(one) ? json_object_get(one, "raw") : one);
}

static err take_list(const json_t *list, uint64_t index, uint64_t most, log_each *each, void *self)
{
    BYTES room = NULL;
    size_t i;
    json_t *one;
    TRY(mem_new(&room, TAIL_ENTRY_MAX));
    json_array_foreach((json_t *)(uintptr_t)list, i, one) {
        const char *text = text_of(one);
        size_t n = 0;
        if (i >= most) FAIL(E_FORMAT, "more entries than were asked for");
        if (!text || base64_to(room, TAIL_ENTRY_MAX, &n, text, strlen(text)).code || n == 0) FAIL(E_FORMAT, "entry %" PRIu64 " is not in base64", index + i);
        TRY(each(self, index + i, room, n));
    }
    return OK;
}

err log_from_file(const char *path, log_each *each, void *self)
{
    BYTES bytes = NULL;
    size_t n = 0;
    TRY(file_read(&bytes, &n, path, FILE_MAX));
    JSON root = json_loadb((const char *)bytes, n, JSON_REJECT_DUPLICATES, NULL);
    const json_t *list = json_object_get(root, "entries");
    if (!json_is_array(list) || json_integer_value(json_object_get(root, "from")) != 0) FAIL(E_FORMAT, "%s has no entries of a log, from the first one on", path);
    return take_list(list, 0, UINT64_MAX, each, self);
}

static enum exits odd_answer(const struct call *c, const char *what)
{
    return say_failure(c, EXIT_SERVER, NULL, NULL, "%s: %s", call_url(c), what);
}

static enum exits ask(const struct call *c, json_t **body, const char *path)
{
    return call_ask(c, body, &(struct http_request){ .url = call_url(c), .path = path, .timeout_s = ASK_S });
}

enum exits log_from_service(const struct call *c, uint64_t *size, uint64_t from, uint64_t count, log_each *each, void *self)
{
    *size = UINT64_MAX;
    while (count > 0 && from < *size) {
        JSON body = NULL;
        char path[96];
        const uint64_t page = count < PAGE ? count : PAGE;
        snprintf(path, sizeof path, "/log/entries?from=%" PRIu64 "&limit=%" PRIu64, from, page);
        enum exits code = ask(c, &body, path);
        if (code != EXIT_DONE) return code;
        const json_t *list = json_object_get(body, "entries"), *all = json_object_get(body, "size");
        const size_t got = json_array_size(list);
        if (!json_is_array(list) || !json_is_integer(all) || (uint64_t)json_integer_value(json_object_get(body, "from")) != from) return odd_answer(c, "no entries of a log");
        *size = (uint64_t)json_integer_value(all);
        if (take_list(list, from, page, each, self).code) return odd_answer(c, "its entries cannot be read");
        if (got == 0) break;
        from += got;
        count -= got;
    }
    return EXIT_DONE;
}

enum exits log_checkpoint(const struct call *c, char text[static NOTE_MAX + 1], size_t *n, struct note *note, struct checkpoint *at)
{
    HTTP_ANSWER a = { 0 };
    err e = http_call(&a, &(struct http_request){ .url = call_url(c), .path = "/log/checkpoint", .timeout_s = ASK_S });
    if (e.code) return call_unreached(c, e, &a);
    if (a.status == 404) return say_failure(c, EXIT_REFUSED, NULL, "A service without witnesses has none before its first seal; `holdfast status` tells.", "%s has no checkpoint yet", call_url(c));
    if (a.status != 200) return say_failure(c, a.status >= 500 ? EXIT_SERVER : EXIT_REFUSED, NULL, NULL, "%s: HTTP %ld", call_url(c), a.status);
    if (a.len > NOTE_MAX) return odd_answer(c, "a checkpoint that is too long");
    memcpy(text, a.body, a.len);
    text[a.len] = 0;
    *n = a.len;
    if (note_parse(note, text, *n).code || checkpoint_parse(at, note->text, note->text_len).code) return odd_answer(c, "what it calls a checkpoint is none");
    return EXIT_DONE;
}

enum exits log_proof(const struct call *c, struct tlog_path *out, const char *query)
{
    JSON body = NULL;
    char path[128];
    snprintf(path, sizeof path, "/log/proof?%s", query);
    enum exits code = ask(c, &body, path);
    if (code != EXIT_DONE) return code;
    const json_t *list = json_object_get(body, "hashes");
    if (!json_is_array(list) || json_array_size(list) > TLOG_PATH_MAX) return odd_answer(c, "what it calls a proof is none");
    for (out->n = 0; out->n < json_array_size(list); out->n++) {
        const char *text = json_string_value(json_array_get(list, out->n));
        size_t n = 0;
        if (!text || base64_to(out->hash[out->n], TLOG_HASH, &n, text, strlen(text)).code || n != TLOG_HASH) return odd_answer(c, "what it calls a proof is none");
    }
    return EXIT_DONE;
}
