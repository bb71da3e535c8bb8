/* say.h - what `holdfast` prints: for people, or as JSON for programs.
 *
 * Results go to standard output, everything else to standard error. With --json
 * there is exactly one JSON value on standard output, also when something failed:
 * {"error": "...", "hint": "...", "exit": N, ...}. */
#ifndef PARENT_SAY_H
#define PARENT_SAY_H
#include <jansson.h>
#include "parent/command.h"

void json_drop(json_t **j);
#define JSON __attribute__((cleanup(json_drop))) json_t *

/* Print a JSON value on one line. Takes *value. Returns EXIT_DONE, or EXIT_REFUSED when it could not be written. */
enum exits say_json(json_t **value);
/* Say what failed and what to do next; `detail` (taken; may be NULL) joins the JSON object. Returns `code`. */
enum exits say_failure(const struct call *c, enum exits code, json_t **detail, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* Print the members of an object as `name: value` lines, members of members behind a dot. */
void say_members(const json_t *object);
/* Text of a peer on its way to a terminal: control characters are shown as \xNN. */
void say_text(const char *text, size_t n);

#endif
