/* paper.h - what maintainers sign, on their own machine: read, shown, made, signed, checked. Offline. */
#ifndef PARENT_PAPER_H
#define PARENT_PAPER_H
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include "parent/command.h"
#include "policy/document.h"

/* A document's file, whole and parsed. */
struct paper { uint8_t *bytes; size_t n; struct document d; };
void paper_drop(struct paper *p);
#define PAPER __attribute__((cleanup(paper_drop))) struct paper

/* The kind that a command is about: `policy`, `release`, `veto`, `permit`, `genesis`. */
enum document_kind paper_kind(const struct call *c);
/* Read a file that must be such a document; says what is wrong otherwise. */
enum exits paper_load(struct paper *out, const struct call *c, const char *path, enum document_kind kind);
/* Its members, with its identity and what signatures need; NULL when there is no memory. */
json_t *paper_json(const struct paper *p);
/* The same for people. */
void paper_say(const struct paper *p);
/* Read a file of keys, `NAME KIND KEY` a line; threshold 0 = all of them. */
enum exits paper_keys(struct maintainers *out, const struct call *c, const char *path, uint64_t threshold);

/* `init`, `sign`, `check`. The path is the operand behind the word, which init has none of. */
enum exits paper_init(const struct call *c);
enum exits paper_sign(const struct call *c, const char *path);
/* What POST /documents is sent: the document with each signature given as --sig. Out: *out, to be dropped. */
enum exits paper_question(json_t **out, const struct call *c, const struct paper *p);
json_t *paper_base64(const uint8_t *p, size_t n);
/* To the service at --url, with the signatures given. */
enum exits paper_submit(const struct call *c, const char *path);
enum exits paper_check(const struct call *c, const char *path);

#endif
