/* paper_submit.c - hand a signed document in: to the running service, which judges it, logs it, and says how it stands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "parent/ask.h"
#include "parent/file.h"
#include "parent/paper.h"
#include "parent/say.h"
#include "parent/verify.h"

enum { SIGNATURE_FILE = 64 << 10, ASK_S = 150 };

json_t *paper_base64(const uint8_t *p, size_t n)
{
    TEXT text = malloc(base64_size(n));
    if (!text) return NULL;
    base64_from(text, p, n);
    return json_string(text);
}

enum exits paper_question(json_t **out, const struct call *c, const struct paper *p)
{
    JSON signatures = json_array();
    for (size_t i = 0; i < c->repeated_count; i++) {
        BYTES file = NULL;
        size_t n = 0;
        if (file_read(&file, &n, c->repeated[i], SIGNATURE_FILE).code)
            return say_failure(c, EXIT_USAGE, NULL, NULL, "%s: --sig %s cannot be read", c->command->name, c->repeated[i]);
        json_array_append_new(signatures, paper_base64(file, n));
    }
    *out = json_pack("{s:o, s:O}", "document", paper_base64(p->bytes, p->n), "signatures", signatures);
    return *out ? EXIT_DONE : say_failure(c, EXIT_REFUSED, NULL, NULL, "no memory");
}

static void show(const json_t *body)
{
    size_t i;
    json_t *line;
    char when[32];
    json_array_foreach(json_object_get(body, "account"), i, line) {
        const char *words[3] = { "verdict", "name", "detail" };
        for (size_t k = 0; k < 3; k++) {
            const char *text = json_string_value(json_object_get(line, words[k]));
            if (text) printf("%-*s ", k == 0 ? 8 : k == 1 ? 16 : 0, text);
        }
        putchar('\n');
    }
    const char *state = json_string_value(json_object_get(body, "state"));
    verify_time_text(when, (uint64_t)json_integer_value(json_object_get(body, "ready_at")));
    if (state && strcmp(state, "pending") == 0) printf("\nlogged; pending until %s\n", when);
    else printf("\nlogged: %s\n", state ? state : "");
}

enum exits paper_submit(const struct call *c, const char *path)
{
    PAPER p = { 0 };
    TEXT text = NULL;
    JSON question = NULL;
    JSON body = NULL;
    enum exits code = paper_load(&p, c, path, paper_kind(c));
    if (code == EXIT_DONE) code = paper_question(&question, c, &p);
    if (code == EXIT_DONE && !(text = json_dumps(question, JSON_COMPACT))) code = say_failure(c, EXIT_REFUSED, NULL, NULL, "no memory");
    if (code == EXIT_DONE)
        code = call_ask(c, &body, &(struct http_request){ .url = call_url(c), .path = "/documents", .body = text, .body_len = strlen(text), .timeout_s = ASK_S,
                                                         .progress = "submitting the document" });
    if (code != EXIT_DONE) return code;
    if (c->json) return call_show(c, &body);
    show(body);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}
