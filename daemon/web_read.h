/* web_read.h - readers of single members of a JSON document, for web_json.c and web_sign.c only.
 *
 * Each returns false with *why set (422 and `name: words`). The callers put the way to the
 * member in front with web_misfit_in(), so that a path is only built for a document that is refused. */
#ifndef DAEMON_WEB_READ_H
#define DAEMON_WEB_READ_H
#include <jansson.h>
#include "daemon/web_json.h"

void web_drop_json(json_t **v);
#define JSON __attribute__((cleanup(web_drop_json)))

bool web_problem(struct web_problem *why, int status, const char *text);
bool web_misfit(struct web_problem *why, const char *at, const char *words);
/* Put `list[index].` or `name.` before the place in *why. Always false. */
bool web_misfit_in(struct web_problem *why, const char *list, size_t index);
bool web_misfit_under(struct web_problem *why, const char *name);
/* Finish a 422's text with the words clients know. */
void web_told(struct web_problem *why);

bool web_parse(json_t **out, struct web_problem *why, const void *body, size_t n);
bool web_object(const json_t *v, const char *at, struct web_problem *why);
/* Members of an object; *out and texts are borrowed from it. */
bool web_array(const json_t *of, const char *name, json_t **out, struct web_problem *why);
bool web_integer(const json_t *of, const char *name, int64_t min, int64_t max, int64_t *out, struct web_problem *why);
bool web_text(const json_t *of, const char *name, const char **out, size_t *n, struct web_problem *why);

/* Answer with it (taken; one that cannot be made is for want of memory). */
struct web_request;
void web_answer_value(struct web_request *r, int status, json_t *body);

/* Exactly n bytes from 2n digits of either case; says nothing in the log. */
bool web_hex(uint8_t *out, size_t n, const char *hex, size_t digits);

#endif
